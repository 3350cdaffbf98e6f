//! Packages named like keywords, and none.

use broach_core::{Channel, Context, Status};
use broach_tests::awkward::r#type::r#match::{Deep, Match, MatchClient, MatchServer, deep};
use broach_tests::{BareClient, BareMessage, BareServer};

struct Echo;

#[broach_core::async_trait]
impl Match for Echo {
    async fn r#type(&self, _cx: Context, request: Deep) -> Result<deep::Inner, Status> {
        Ok(request.self_.unwrap_or_default())
    }
}

#[broach_core::async_trait]
impl broach_tests::Bare for Echo {
    async fn echo(&self, _cx: Context, request: BareMessage) -> Result<BareMessage, Status> {
        Ok(request)
    }
}

#[tokio::test]
async fn packages_are_named_like_keywords() {
    let client = MatchClient::new(Channel::in_process(MatchServer::new(Echo)));
    let inner = deep::Inner { r#type: "t".into() };
    let request = Deep { self_: Some(inner.clone()) };
    assert_eq!(client.r#type(request).await.unwrap(), inner);
}

#[tokio::test]
async fn a_file_needs_no_package() {
    let channel = Channel::in_process(BareServer::new(Echo));
    let message = BareMessage { text: "b".into(), deep: Some(Deep::default()) };
    let client = BareClient::new(channel.clone());
    assert_eq!(client.echo(message.clone()).await.unwrap(), message);
    assert!(channel.call("Bare/Echo", "").await.is_ok());
}
