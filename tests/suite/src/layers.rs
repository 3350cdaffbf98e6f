//! Layers for nodes and channels.

use broach_core::{Code, Outcome, Reply, Request, Status};
use tower::Layer;
use tower::layer::layer_fn;
use tower::util::{ServiceFn, service_fn};

/// Refuses every call with this code, before its handler is started.
pub fn refuse<S>(
    code: Code,
) -> impl Layer<
    S,
    Service = ServiceFn<impl Fn(Request) -> std::future::Ready<Result<Reply, Status>> + Clone>,
> {
    let refuse = move |_: Request| {
        let status = Status::new(code, "refused, as the test wants it");
        std::future::ready(Err(status.with_outcome(Outcome::NotExecuted)))
    };
    layer_fn(move |_: S| service_fn(refuse))
}
