//! [`Script`]: a service whose method does what the test says.

use std::fmt;
use std::sync::Arc;

use broach_core::{Context, Status};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::broach::testing::v1::{self, ActReply, ActRequest, ScriptServer};

type Act = dyn Fn(Context, ActRequest) -> BoxFuture<'static, Result<String, Status>> + Send + Sync;

/// Answers every call with what a function of the test makes of it.
#[derive(Clone)]
pub struct Script {
    act: Arc<Act>,
}

impl Script {
    /// A service that does this, and answers with the text that comes of it.
    pub fn new<F>(act: impl Fn(Context, ActRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, Status>> + Send + 'static,
    {
        Self { act: Arc::new(move |cx, request| act(cx, request).boxed()) }
    }

    /// The service, ready to be served.
    pub fn server(&self) -> ScriptServer<Self> {
        ScriptServer::new(self.clone())
    }
}

#[broach_core::async_trait]
impl v1::Script for Script {
    async fn act(&self, cx: Context, request: ActRequest) -> Result<ActReply, Status> {
        Ok(ActReply { text: (self.act)(cx, request).await? })
    }

    async fn act_again(&self, cx: Context, request: ActRequest) -> Result<ActReply, Status> {
        Ok(ActReply { text: (self.act)(cx, request).await? })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}
