//! Messages named like what generated code is made of.

use broach_core::{Channel, Context, Receiver, Sender, Status};
use broach_tests::awkward::types::{Everything, Types, TypesClient, TypesServer, everything};
use broach_tests::awkward::{old_syntax, types};
use futures::StreamExt;

struct Echo;

#[broach_core::async_trait]
impl Types for Echo {
    async fn take_option(
        &self,
        _cx: Context,
        request: types::Option,
    ) -> Result<types::Option, Status> {
        Ok(request)
    }

    async fn take_result(
        &self,
        _cx: Context,
        request: types::Result,
        mut replies: Sender<types::Result>,
    ) -> Result<(), Status> {
        replies.send(request).await
    }

    async fn take_box(
        &self,
        _cx: Context,
        mut requests: Receiver<types::Box>,
        mut replies: Sender<types::Box>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            replies.send(request).await?;
        }
        Ok(())
    }

    async fn take_everything(
        &self,
        _cx: Context,
        request: Everything,
    ) -> Result<Everything, Status> {
        Ok(request)
    }
}

#[tokio::test]
async fn messages_named_like_what_generated_code_uses_are_sent() {
    let client = TypesClient::new(Channel::in_process(TypesServer::new(Echo)));
    let option = types::Option { text: "o".into() };
    assert_eq!(client.take_option(option.clone()).await.unwrap(), option);

    let result = types::Result { text: "r".into() };
    let replies = client.take_result(result.clone()).await.unwrap();
    assert_eq!(replies.map(Result::unwrap).collect::<Vec<_>>().await, [result]);

    let boxes = [types::Box { text: "b".into() }];
    let replies = client.take_box(futures::stream::iter(boxes.clone())).await.unwrap();
    assert_eq!(replies.map(Result::unwrap).collect::<Vec<_>>().await, boxes);
}

#[tokio::test]
async fn a_method_left_out_where_box_is_a_message_answers_unimplemented() {
    let client = TypesClient::new(Channel::in_process(TypesServer::new(Echo)));
    let status = client.take_self(types::Self_::default()).await.unwrap_err();
    assert_eq!(status.code(), broach_core::Code::Unimplemented);
}

#[tokio::test]
async fn fields_of_all_kinds_arrive() {
    let client = TypesClient::new(Channel::in_process(TypesServer::new(Echo)));
    let everything = Everything {
        kind: everything::Kind::Option.into(),
        option: Some(types::Option::default()),
        kinds: [(1, everything::Kind::Self_.into())].into(),
        everything: Some(std::boxed::Box::default()),
        choice: Some(everything::Choice::Again(std::boxed::Box::default())),
        text: Some(String::new()),
        ..Everything::default()
    };
    assert_eq!(client.take_everything(everything.clone()).await.unwrap(), everything);
}

#[test]
fn a_default_may_be_an_alias() {
    let old = old_syntax::Old::default();
    assert_eq!(old.alias(), old_syntax::old::Kind::B);
    assert_eq!(old.kind(), old_syntax::old::Kind::B);
    assert_eq!(old.optional(), "x \"quoted\" \n [y]");
}
