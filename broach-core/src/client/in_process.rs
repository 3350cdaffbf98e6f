//! Calls that stay in the process: from the caller straight to the handler.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::client::channel::{Transport, within_deadline};
use crate::code::Outcome;
use crate::exchange::{Dispatch, Inbound, Reply, Request, code_of, unimplemented};
use crate::status::{Attempt, Status};

/// Hands calls to one service of this process. There is nothing to lose on the way, so there is
/// one attempt and no retry.
pub(super) struct InProcess {
    service: Arc<dyn Dispatch>,
}

impl InProcess {
    pub(super) fn new(service: Arc<dyn Dispatch>) -> Self {
        Self { service }
    }
}

impl Transport for InProcess {
    fn call(&self, mut request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        let methods = self.service.spec().methods;
        let index = methods.iter().position(|spec| spec.id() == request.method.id());
        let now = request.clock.now();
        let attempt = request.scope.take().map(|scope| scope.attempt(now, None));
        request.trace = attempt.as_ref().map_or(request.trace, |&(_, trace)| trace);
        let service = Arc::clone(&self.service);
        let (clock, deadline) = (Arc::clone(&request.clock), request.deadline);
        let handling = async move {
            match index {
                Some(index) => service.dispatch(Inbound::new(index, request)).await,
                None => Err(unimplemented(&request.method)),
            }
        };
        async move {
            let result = within_deadline(&*clock, deadline, handling).await;
            let outcome = result.as_ref().map_or_else(Status::outcome, |_| Outcome::Executed);
            let elapsed = attempt.map(|(mut attempt, _)| attempt.end(code_of(&result), outcome));
            let elapsed = elapsed.unwrap_or_default();
            match result {
                Ok(reply) => Ok(Reply { elapsed: Some(elapsed), ..reply }),
                Err(status) => {
                    let attempt = Attempt::new(None, elapsed, Err(&status));
                    Err(status.with_attempts(vec![attempt]))
                }
            }
        }
        .boxed()
    }

    fn keeps_deadline(&self) -> bool {
        true
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("service", &self.service.spec().name).finish()
    }
}
