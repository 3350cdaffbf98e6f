//! Channels over a directory that the test fills by hand.

mod cluster;
mod costs;
mod local;
mod names;
mod pickers;
mod threads;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::advert::{Advert, OfferedService};
use crate::client::{Call, Channel, cluster};
use crate::code::Outcome;
use crate::config;
use crate::exchange::{Dispatch, Handling, Inbound, Request};
use crate::ids::Instance;
use crate::method::{MethodSpec, ServiceSpec};
use crate::net::{Handle, Setup};
use crate::routing::{Directory, Member, Offers, Source};
use crate::server::{Registry, Routes, Serve};
use crate::status::Status;
use crate::testing::Network;
use crate::{Context, Node, Security};

/// `test.v1.Test` with the methods Echo, Hold, Panic and PassOn.
static SPEC: LazyLock<ServiceSpec> = LazyLock::new(|| {
    let methods = ["Echo", "Hold", "Panic", "PassOn"].map(|name| {
        MethodSpec::named(format!("test.v1.Test/{name}")).expect("the name is well formed")
    });
    ServiceSpec { name: "test.v1.Test", methods: Vec::leak(Vec::from(methods)) }
});

fn method(name: &str) -> &'static MethodSpec {
    SPEC.methods.iter().find(|method| method.name() == name).unwrap()
}

/// The service of one node.
#[derive(Clone, Debug)]
struct Test(Arc<State>);

#[derive(Debug)]
struct State {
    started: AtomicUsize,
    running: AtomicUsize,
    /// Lets Hold go on.
    gate: Semaphore,
}

/// Counts a handler as running.
struct Running(Test);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, SeqCst);
    }
}

impl Test {
    fn new() -> Self {
        let (started, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(State { started, running, gate: Semaphore::new(0) }))
    }

    fn started(&self) -> usize {
        self.0.started.load(SeqCst)
    }

    fn running(&self) -> usize {
        self.0.running.load(SeqCst)
    }

    async fn handle(self, index: usize, cx: Context, text: String) -> Result<String, Status> {
        self.0.started.fetch_add(1, SeqCst);
        self.0.running.fetch_add(1, SeqCst);
        let running = Running(self);
        match index {
            0 => Ok(text),
            1 => {
                running.0.0.gate.acquire().await.unwrap().forget();
                Ok(format!("{text} {:?}", cx.time_left().is_some()))
            }
            2 => panic!("as it was asked to"),
            // As if a call of its own had ended like this.
            _ => Err(Status::shutting_down("another node is shutting down")
                .with_outcome(Outcome::NotExecuted)
                .of_call()),
        }
    }
}

impl Dispatch for Test {
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }

    fn dispatch(&self, call: Inbound) -> Handling {
        let (this, index) = (self.clone(), call.method());
        call.unary(move |cx, text: String| this.handle(index, cx, text))
    }
}

/// A network, a program that calls, and the directory that it goes by.
struct World {
    network: Network,
    directory: Arc<Directory>,
    channel: Channel,
    /// The services of the calling program itself.
    own: Test,
    serve: Serve,
    observe: crate::observe::Observe,
    lives: AtomicUsize,
}

fn addr(node: u8) -> SocketAddr {
    ([10, 0, 0, node], 7400).into()
}

const SELF: u8 = 99;

impl World {
    fn new() -> Self {
        Self::with(config::Client::default())
    }

    fn with(client: config::Client) -> Self {
        let network = Network::new(1);
        let (directory, own) = (Directory::new(Source::Cluster), Test::new());
        let socket = network.socket(addr(SELF)).unwrap();
        let setup = Setup {
            cluster: "default".into(),
            socket: Some(Arc::new(socket)),
            seed: Some(u64::from(SELF)),
            ..Setup::default()
        };
        let prepared = setup.prepare(addr(SELF)).unwrap();
        let mut registry = Registry::default();
        registry.add(Arc::new(own.clone())).unwrap();
        let registry = Arc::new(registry);
        let shared = prepared.shared().clone();
        let routes = Routes::new(Arc::clone(&registry));
        let observe = shared.observe.clone();
        let serve = Serve::new(registry, routes, shared.config, shared.observe);
        let handle: Handle = prepared.start(Some(Arc::new(serve.clone())));
        let local = Some(Arc::new(serve.clone()) as _);
        let channel = cluster(handle, Arc::clone(&directory), local, client, "default");
        Self { network, directory, channel, own, serve, observe, lives: AtomicUsize::new(0) }
    }

    async fn node(&self, number: u8) -> (Node, Test) {
        let (test, socket) = (Test::new(), self.network.socket(addr(number)).unwrap());
        let node = Node::builder().security(Security::clear()).socket(socket);
        // Another seed in each life, as the instance comes from it.
        let life = self.lives.fetch_add(1, SeqCst) as u64;
        let node = node.danger_seed(life).serve(test.clone()).start().await.unwrap();
        (node, test)
    }

    /// The same, but the first call is refused before its handler runs.
    async fn node_that_refuses_once(&self, number: u8) -> (Node, Test) {
        let (test, socket) = (Test::new(), self.network.socket(addr(number)).unwrap());
        let refused = Arc::new(AtomicBool::new(false));
        let layer = tower::layer::layer_fn(move |routes: Routes| {
            let refused = Arc::clone(&refused);
            tower::service_fn(move |request: Request| {
                let (mut routes, refuse) = (routes.clone(), !refused.swap(true, SeqCst));
                async move {
                    if refuse {
                        let status = Status::unavailable("not now");
                        return Err(status.with_outcome(Outcome::NotExecuted));
                    }
                    tower::Service::call(&mut routes, request).await
                }
            })
        });
        let node = Node::builder().security(Security::clear()).socket(socket);
        let life = self.lives.fetch_add(1, SeqCst) as u64;
        let node = node.danger_seed(life).layer(layer).serve(test.clone());
        (node.start().await.unwrap(), test)
    }

    fn update(&self, members: impl IntoIterator<Item = Member>) {
        self.directory.update(crate::deadline::Time::ZERO, members.into_iter().collect());
    }

    fn echo(&self) -> Call<String, String> {
        self.channel.unary(method("Echo"), "hello".to_owned())
    }

    fn hold(&self) -> Call<String, String> {
        self.channel.unary(method("Hold"), "held".to_owned())
    }
}

/// A member that offers the service.
fn member(number: u8, instance: Instance) -> Member {
    let offered = OfferedService::new(SPEC.name.into(), String::new());
    let advert = Advert { services: vec![offered], ..Advert::default() };
    let (instance, offers) = (Some(instance), Offers::Only(Arc::new(advert)));
    Member { instance, offers, own: number == SELF, ..Member::named(addr(number)) }
}

fn member_of(number: u8, node: &Node) -> Member {
    member(number, node.instance())
}

/// The calling program itself.
fn own() -> Member {
    member(SELF, Instance(u64::from(SELF)))
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lets tasks run until something holds, which it must within a minute.
async fn until(holds: impl Fn() -> bool) {
    let waits = async {
        while !holds() {
            tokio::time::sleep(ms(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("it holds in time");
}
