//! Layers for nodes and channels.

use std::sync::{Arc, Mutex, PoisonError};

use broach_core::metadata::Value;
use broach_core::{Code, Outcome, Reply, Request, Status};
use futures::FutureExt;
use futures::future::BoxFuture;
use tower::layer::layer_fn;
use tower::util::{ServiceFn, service_fn};
use tower::{Layer, Service, ServiceExt};

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

/// Does with each request and the service inside what a function says.
pub fn around<S, F>(
    act: impl Fn(Request, S) -> F + Clone,
) -> impl Layer<S, Service = ServiceFn<impl Fn(Request) -> F + Clone>>
where
    S: Clone,
    F: Future<Output = Result<Reply, Status>>,
{
    layer_fn(move |inner: S| {
        let act = act.clone();
        service_fn(move |request| act(request, inner.clone()))
    })
}

/// What went through layers. Clones write to one list.
#[derive(Clone, Debug, Default)]
pub struct LayerLog(Arc<Mutex<Vec<String>>>);

impl LayerLog {
    /// A layer that writes down what goes through it.
    pub fn layer<S>(
        &self,
        name: &'static str,
    ) -> impl Layer<
        S,
        Service = ServiceFn<
            impl Fn(Request) -> BoxFuture<'static, Result<Reply, Status>> + Clone + use<S>,
        >,
    > + use<S>
    where
        S: Service<Request, Response = Reply, Error = Status> + Clone + Send + 'static,
        S::Future: Send,
    {
        let log = self.clone();
        around(move |request: Request, inner: S| {
            let peer = request.peer().map_or_else(|| "here".into(), |peer| peer.addr.to_string());
            let mut line = format!("{} from {peer}", request.method.name());
            for entry in request.metadata.iter() {
                if let Value::Text(text) = entry.value() {
                    line = format!("{line}, {} = {text}", entry.key());
                }
            }
            log.write(name, &line);
            let mut under_way = UnderWay { log: log.clone(), name, ended: false };
            async move {
                let result = inner.oneshot(request).await;
                under_way.ended = true;
                let code = result.as_ref().map_or_else(Status::code, |_| Code::Ok);
                under_way.log.write(name, code.name());
                result
            }
            .boxed()
        })
    }

    /// What was written so far, which is taken away.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, name: &str, what: &str) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(format!("{name}: {what}"));
    }
}

/// A call inside of a layer.
struct UnderWay {
    log: LayerLog,
    name: &'static str,
    ended: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.ended {
            self.log.write(self.name, "dropped");
        }
    }
}
