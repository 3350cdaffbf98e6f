//! Services named like traits and keywords, or called with what Protobuf brings along.

use broach_core::codegen::prost_types::{Any, Timestamp};
use broach_core::{Channel, Context, Receiver, Sender, Status, stream};
use broach_tests::awkward::services::{
    M, Nothing, NothingClient, NothingServer, Self_, SelfClient, SelfServer, T, TClient, TServer,
    WellKnown, WellKnownClient, WellKnownServer,
};
use futures::StreamExt;

struct All;

#[broach_core::async_trait]
impl T for All {
    async fn t(&self, _cx: Context, request: M, mut replies: Sender<M>) -> Result<(), Status> {
        replies.send(request).await
    }
}

#[broach_core::async_trait]
impl Self_ for All {
    async fn self_(&self, _cx: Context, request: M, mut replies: Sender<M>) -> Result<(), Status> {
        replies.send(request).await
    }
}

#[broach_core::async_trait]
impl WellKnown for All {
    async fn empty(&self, _cx: Context, (): ()) -> Result<(), Status> {
        Ok(())
    }

    async fn wrap(&self, _cx: Context, number: i64) -> Result<String, Status> {
        Ok(number.to_string())
    }

    async fn bytes(
        &self,
        _cx: Context,
        mut requests: Receiver<Vec<u8>>,
        mut replies: Sender<bool>,
    ) -> Result<(), Status> {
        while let Some(bytes) = requests.message().await? {
            replies.send(bytes.is_empty()).await?;
        }
        Ok(())
    }

    async fn time(&self, _cx: Context, time: Timestamp) -> Result<Any, Status> {
        Any::from_msg(&time).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Nothing for All {}

#[tokio::test]
async fn services_named_like_a_type_parameter_and_a_keyword_are_called() {
    let client = TClient::new(Channel::in_process(TServer::new(All)));
    let mut replies = client.t(M { text: "t".into() }).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().text, "t");
    let client = SelfClient::new(Channel::in_process(SelfServer::new(All)));
    assert!(client.self_(M::default()).await.is_ok());
}

#[tokio::test]
async fn what_protobuf_brings_along_is_sent_as_rust_has_it() {
    let client = WellKnownClient::new(Channel::in_process(WellKnownServer::new(All)));
    client.empty(()).await.unwrap();
    assert_eq!(client.wrap(-7).await.unwrap(), "-7");
    let (mut requests, fed) = stream::channel(2);
    requests.send(vec![]).await.unwrap();
    requests.send(vec![1]).await.unwrap();
    drop(requests);
    let replies = client.bytes(fed).await.unwrap();
    assert_eq!(replies.map(Result::unwrap).collect::<Vec<_>>().await, [true, false]);
    let time = Timestamp { seconds: 7, nanos: 0 };
    let any = client.time(time).await.unwrap();
    assert_eq!(any.to_msg::<Timestamp>().unwrap(), time);
}

#[tokio::test]
async fn a_service_without_methods_is_served() {
    let channel = Channel::in_process(NothingServer::new(All));
    let _ = NothingClient::new(channel.clone());
    assert!(channel.call("awkward.services.Nothing/At", "").await.is_err());
}
