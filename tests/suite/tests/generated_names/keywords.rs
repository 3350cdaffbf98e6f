//! Methods named like keywords of Rust.

use broach_core::{Channel, Context, Receiver, Sender, Status};
use broach_tests::awkward::methods::{Keywords, KeywordsClient, KeywordsServer, M};
use futures::StreamExt;

struct Echo;

#[broach_core::async_trait]
impl Keywords for Echo {
    async fn r#move(&self, _cx: Context, request: M) -> Result<M, Status> {
        Ok(request)
    }

    async fn r#match(
        &self,
        _cx: Context,
        request: M,
        mut replies: Sender<M>,
    ) -> Result<(), Status> {
        replies.send(request).await
    }

    async fn r#gen(&self, _cx: Context, mut requests: Receiver<M>) -> Result<M, Status> {
        Ok(requests.message().await?.unwrap_or_default())
    }

    async fn r#async(
        &self,
        _cx: Context,
        mut requests: Receiver<M>,
        mut replies: Sender<M>,
    ) -> Result<(), Status> {
        let request = requests.message().await?.unwrap_or_default();
        replies.send(request).await
    }

    async fn self_(&self, _cx: Context, request: M) -> Result<M, Status> {
        Ok(request)
    }
}

#[tokio::test]
async fn methods_named_like_keywords_are_called() {
    let client = KeywordsClient::new(Channel::in_process(KeywordsServer::new(Echo)));
    let m = || M { text: "m".into() };
    let ms = || futures::stream::iter([m()]);
    assert_eq!(client.r#move(m()).await.unwrap(), m());
    let replies = client.r#match(m()).await.unwrap();
    assert_eq!(replies.map(Result::unwrap).collect::<Vec<_>>().await, [m()]);
    assert_eq!(client.r#gen(ms()).await.unwrap(), m());
    let replies = client.r#async(ms()).await.unwrap();
    assert_eq!(replies.map(Result::unwrap).collect::<Vec<_>>().await, [m()]);
    assert_eq!(client.self_(m()).await.unwrap(), m());
    assert!(client.super_(m()).await.is_err());
    assert!(client.r#await(m()).await.is_err());
}
