//! Channels to the nodes of a directory: what their calls share.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::budget::RetryBudget;
use crate::client::channel::Transport;
use crate::client::lookup::Lookups;
use crate::client::remote_call::RemoteCall;
use crate::client::trial::Trial;
use crate::code::Outcome;
use crate::config;
use crate::deadline::Time;
use crate::exchange::{Body, Local, Reply, Request, streams_of};
use crate::net::Handle;
use crate::rng::Rng;
use crate::routing::{Choice, Dice, Directory, NodeId, Picker, Picking, Selection};
use crate::status::Status;

/// Makes calls to the nodes of a directory.
#[derive(Clone, Debug)]
pub(super) struct Remote(Arc<Inner>);

/// What the calls of a channel share.
pub(super) struct Inner {
    pub(super) handle: Handle,
    pub(super) directory: Arc<Directory>,
    pub(super) config: config::Client,
    pub(super) budget: RetryBudget,
    /// For the jitter of back-offs.
    pub(super) rng: Mutex<Rng>,
    picker: Arc<dyn Picker>,
    dice: Dice,
    pub(super) local: Option<Arc<dyn Local>>,
    pub(super) waiting: Arc<AtomicUsize>,
    /// Keeps the directory up to date.
    _lookups: Option<Lookups>,
}

/// What a channel's calls go to, and how.
pub(super) struct Parts {
    pub(super) handle: Handle,
    pub(super) directory: Arc<Directory>,
    pub(super) picker: Arc<dyn Picker>,
    pub(super) local: Option<Arc<dyn Local>>,
    pub(super) lookups: Option<Lookups>,
    pub(super) config: config::Client,
}

impl Remote {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { handle, directory, picker, local, lookups, config } = parts;
        let shared = handle.shared();
        let budget = RetryBudget::new(&config, shared.clock.now());
        // Nodes that have the same port, as all of one service may, must not retry in step.
        let mut rng = shared.fork_rng();
        let (dice, rng) = (Dice::new(&mut rng), Mutex::new(rng));
        let waiting = Arc::default();
        let _lookups = lookups;
        Self(Arc::new(Inner {
            handle,
            directory,
            config,
            budget,
            rng,
            picker,
            dice,
            local,
            waiting,
            _lookups,
        }))
    }
}

impl Transport for Remote {
    fn call(&self, request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        match self.0.check(&request) {
            Ok(()) => Box::pin(RemoteCall::new(Arc::clone(&self.0), request)),
            Err(status) => futures::future::err(status).boxed(),
        }
    }

    fn keeps_deadline(&self) -> bool {
        true
    }

    fn nodes(&self, service: &str, selection: &Selection) -> Result<Vec<NodeId>, Status> {
        self.0.directory.nodes(service, selection)
    }
}

impl Inner {
    /// Checks what can be checked before anything is sent.
    fn check(&self, request: &Request) -> Result<(), Status> {
        let (config, method) = (&self.handle.shared().config, &request.method);
        let name = method.full_name();
        let bytes = match &request.body {
            Body::Message(message) => message.len(),
            Body::Stream(_) if streams_of(method.shape()).requests => 0,
            Body::Stream(_) => {
                let text = format!("{name} takes one request, but a stream of them was given");
                return Err(Status::internal(text).with_outcome(Outcome::NotExecuted));
            }
        };
        let what = format_args!("the request of {name}");
        let metadata = request.metadata.bytes();
        match config.size_limits().exceeded(bytes, metadata, what, "this node") {
            Some(text) => Err(Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted)),
            None => Ok(()),
        }
    }

    /// Chooses where the next attempt goes.
    pub(super) fn choose(&self, now: Time, trial: &Trial) -> Result<Choice, Status> {
        let attempt = trial.attempts.len() + 1;
        let picking =
            Picking::new(trial.scope.method(), attempt, self.dice.throw(), &trial.selection);
        let picker = trial.picker.as_deref().unwrap_or(&*self.picker);
        self.directory.choose(now, picker, &picking, &trial.tried)
    }

    /// Why a call found nobody.
    pub(super) fn nobody(&self, trial: &Trial) -> Status {
        let text = self.directory.explain(trial.scope.method().service(), &trial.selection);
        Status::unavailable(text).with_outcome(Outcome::NotExecuted)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("directory", &self.directory)
            .field("picker", &self.picker)
            .finish_non_exhaustive()
    }
}
