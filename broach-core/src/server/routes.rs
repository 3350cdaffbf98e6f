//! [`Routes`]: the way from a request to its handler.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tower::util::{BoxCloneSyncService, MapErr};
use tower::{Layer, Service, ServiceExt};

use crate::exchange::{Inbound, Reply, Request, unimplemented};
use crate::server::Registry;
use crate::status::Status;

/// The services of a node, as a [`tower::Service`] of [`Request`]s: what layers are put around.
#[derive(Clone, Debug)]
pub struct Routes(Way);

/// The way from a request to its handler.
#[derive(Clone, Debug)]
enum Way {
    /// Straight to the service.
    Plain(Arc<Registry>),
    /// Through a user's layer.
    Layered(BoxCloneSyncService<Request, Reply, Status>),
}

impl Routes {
    pub(crate) const fn new(registry: Arc<Registry>) -> Self {
        Self(Way::Plain(registry))
    }

    /// The same inside a layer.
    pub(crate) fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Self>,
        L::Service:
            Service<Request, Response = Reply, Error: Into<Status>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let into_status: fn(<L::Service as Service<Request>>::Error) -> Status = Into::into;
        let service = MapErr::new(layer.layer(self), into_status);
        Self(Way::Layered(BoxCloneSyncService::new(service)))
    }

    pub(super) const fn is_layered(&self) -> bool {
        matches!(self.0, Way::Layered(_))
    }

    pub(super) fn dispatch(&self, request: Request) -> BoxFuture<'static, Result<Reply, Status>> {
        let registry = match &self.0 {
            Way::Plain(registry) => registry,
            Way::Layered(service) => return service.clone().oneshot(request).boxed(),
        };
        match registry.find(request.method.id()) {
            Some(found) => found.service.dispatch(Inbound::new(found.index, request)),
            None => futures::future::err(unimplemented(&request.method)).boxed(),
        }
    }
}

impl Service<Request> for Routes {
    type Response = Reply;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Reply, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.dispatch(request)
    }
}
