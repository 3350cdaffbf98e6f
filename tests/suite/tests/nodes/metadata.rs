//! What travels beside the messages: metadata both ways, through handlers, and details of errors.

use broach_core::metadata::Value;
use broach_core::{Channel, Code, Context, Metadata, Node, Outcome, Status};
use broach_tests::broach::testing::v1::{
    EchoRequest, FailRequest, Nothing, Number, ProbeClient, ScriptClient,
};
use broach_tests::requests::{act, echo};
use broach_tests::{Probe, Script, World, millis};

#[tokio::test(start_paused = true)]
async fn text_and_bytes_go_there_and_back() {
    let script = Script::new(|cx, _| async move {
        for entry in cx.metadata().iter() {
            let key = format!("back-{}", entry.key());
            cx.set_reply_metadata(&key, entry.value().clone()).unwrap();
        }
        Ok(String::new())
    });
    for over_network in [true, false] {
        let both = Both::new(over_network, &script).await;
        let call = ScriptClient::new(both.channel.clone())
            .act(act(""))
            .metadata("text", "ü, \0 and \n")
            .metadata("empty", "")
            .metadata("bytes", vec![0, 255, b'a'])
            .metadata("no-bytes", Vec::new())
            .metadata("a.b_c-9", "each character that a key may have");
        let metadata = call.response().await.unwrap().metadata;
        assert_eq!(metadata.get("back-text"), Some("ü, \0 and \n"));
        assert_eq!(metadata.get("back-empty"), Some(""));
        assert_eq!(metadata.get_binary("back-bytes").unwrap(), &[0, 255, b'a'][..]);
        assert_eq!(metadata.get_binary("back-no-bytes").unwrap(), &[][..]);
        assert_eq!(metadata.get("back-a.b_c-9"), Some("each character that a key may have"));
        let keys: Vec<_> = metadata.iter().map(|entry| entry.key()).collect();
        let order = ["back-text", "back-empty", "back-bytes", "back-no-bytes", "back-a.b_c-9"];
        assert_eq!(keys, order);
        both.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_set_twice_has_the_last_value() {
    let script = Script::new(|cx, _| async move {
        cx.set_reply_metadata("k", "first").unwrap();
        cx.set_reply_metadata("k", "second").unwrap();
        Ok(cx.metadata().values("k").count().to_string())
    });
    for over_network in [true, false] {
        let both = Both::new(over_network, &script).await;
        let call = ScriptClient::new(both.channel.clone()).act(act(""));
        let call = call.metadata("k", "1").persistent_metadata("k", "2").metadata("k", "3");
        let response = call.response().await.unwrap();
        assert_eq!(response.message.text, "1");
        assert_eq!(response.metadata.values("k").count(), 1);
        assert_eq!(response.metadata.get("k"), Some("second"));
        both.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_carries_metadata_of_its_own_and_of_the_context() {
    let script = Script::new(|cx, _| async move {
        cx.set_reply_metadata("context", "a").unwrap();
        cx.set_reply_metadata("both", "of the context").unwrap();
        let mut metadata = Metadata::new();
        metadata.insert("status", vec![1, 2]).unwrap();
        metadata.insert("both", "of the status").unwrap();
        let status = Status::failed_precondition("no").with_metadata(metadata);
        Err(status.with_retry_after(millis(7)))
    });
    for over_network in [true, false] {
        let both = Both::new(over_network, &script).await;
        let status = ScriptClient::new(both.channel.clone()).act(act("")).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        let metadata = status.metadata();
        assert_eq!(metadata.get("context"), Some("a"));
        assert_eq!(metadata.get_binary("status").unwrap(), &[1, 2][..]);
        assert_eq!(metadata.get("both"), Some("of the context"));
        assert_eq!(metadata.len(), 3);
        assert_eq!(status.retry_after(), Some(millis(7)));
        both.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn details_of_an_error_are_read_as_what_they_are() {
    let script = Script::new(|_, _| async move {
        let status = Status::invalid_argument("several things are wrong")
            .with_detail(&Number { value: -5 })
            .with_detail(&EchoRequest { token: 9, payload: vec![0, 1] })
            .with_source(std::io::Error::other("stays at home"));
        Err(status)
    });
    for over_network in [true, false] {
        let both = Both::new(over_network, &script).await;
        let status = ScriptClient::new(both.channel.clone()).act(act("")).await.unwrap_err();
        assert_eq!(status.detail::<Number>().unwrap(), Some(Number { value: -5 }));
        let request = status.detail::<EchoRequest>().unwrap().unwrap();
        assert_eq!((request.token, &request.payload[..]), (9, &[0, 1][..]));
        assert_eq!(status.detail::<Nothing>().unwrap(), None);
        let urls: Vec<_> = status.details().iter().map(|detail| &*detail.type_url).collect();
        let prefix = "type.googleapis.com/broach.testing.v1.";
        assert_eq!(urls, ["Number", "EchoRequest"].map(|name| format!("{prefix}{name}")));
        let source = std::error::Error::source(&status).map(ToString::to_string);
        assert_eq!(source, (!over_network).then(|| "stays at home".to_owned()));
        both.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_code_and_message_arrives_as_it_was_given() {
    let world = World::new(1);
    let node = world.node(1).serve(Probe::new().server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ProbeClient::new(channel.clone());
    for code in Code::ALL.into_iter().filter(|&code| code != Code::Ok) {
        let message = format!("{code} with\ttabs\r\n, ü and 😈");
        let request = FailRequest { code: code.number(), message: message.clone(), detail: 3 };
        let status = client.fail(request).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (code, Outcome::Executed));
        assert_eq!(status.message(), message);
        assert_eq!(status.detail::<Number>().unwrap(), Some(Number { value: 3 }));
    }
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn persistent_entries_go_on_through_all_handlers_and_others_stop_at_the_first() {
    let chain = Chain::new(|next, _| async move { next.echo(echo(1)).await.map(drop) }).await;
    let call = chain.client().act(act("")).metadata("once", "1");
    let call = call.persistent_metadata("tenant", "acme").persistent_metadata("raw", vec![7]);
    call.await.unwrap();
    let seen = chain.probe.last_seen().metadata;
    assert_eq!(seen.get("tenant"), Some("acme"));
    assert_eq!(seen.get_binary("raw").unwrap(), &[7][..]);
    assert!(seen.iter().all(|entry| entry.is_persistent()));
    assert_eq!(seen.len(), 2);
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_sets_itself_wins_over_what_it_hands_on() {
    let chain = Chain::new(|next, cx| async move {
        assert_eq!(cx.metadata().get("tenant"), Some("acme"));
        next.echo(echo(1)).metadata("tenant", "own").await.map(drop)
    });
    let chain = chain.await;
    let call = chain.client().act(act("")).persistent_metadata("tenant", "acme");
    call.persistent_metadata("user", "ada").await.unwrap();
    let seen = chain.probe.last_seen().metadata;
    let tenants: Vec<_> = seen.values("tenant").collect();
    assert_eq!(tenants, [&Value::from("own")]);
    assert_eq!(seen.get("user"), Some("ada"));
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_call_hands_nothing_on_and_a_task_what_it_is_told() {
    let chain = Chain::new(|next, cx| async move {
        next.echo(echo(1)).detached().await?;
        let call = next.echo(echo(2)).inherit(&cx);
        tokio::spawn(call).await.unwrap()?;
        tokio::spawn(next.echo(echo(3))).await.unwrap().map(drop)
    });
    let chain = chain.await;
    chain.client().act(act("")).persistent_metadata("tenant", "acme").await.unwrap();
    let tenants: Vec<_> = chain.probe.seen();
    let tenants: Vec<_> = tenants.iter().map(|seen| seen.metadata.get("tenant")).collect();
    assert_eq!(tenants, [None, Some("acme"), None]);
    chain.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_gets_back_does_not_go_back_to_its_own_caller() {
    let world = World::new(1);
    let behind = Script::new(|cx, _| async move {
        cx.set_reply_metadata("of", "the node behind").unwrap();
        Ok(String::new())
    });
    let behind = world.node(1).serve(behind.server()).start().await.unwrap();
    let next = ScriptClient::new(world.channel(12, 1).await);
    let script = Script::new(move |cx, _| {
        let call = next.act(act("")).response();
        async move {
            let of = call.await?.metadata.get("of").map(str::to_owned);
            cx.set_reply_metadata("own", "mine").unwrap();
            Ok(of.unwrap_or_default())
        }
    });
    let front = world.node(2).serve(script.server()).start().await.unwrap();
    let channel = world.channel(3, 2).await;
    let response = ScriptClient::new(channel.clone()).act(act("")).response().await.unwrap();
    assert_eq!(response.message.text, "the node behind");
    let keys: Vec<_> = response.metadata.iter().map(|entry| entry.key()).collect();
    assert_eq!(keys, ["own"]);
    world.end((behind, front, script, channel)).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_allowed_is_named_and_nothing_is_sent() {
    let script = Script::new(|cx, _| async move {
        let error = cx.set_reply_metadata("Not-Allowed", "x").unwrap_err();
        Ok(error.to_string())
    });
    for over_network in [true, false] {
        let both = Both::new(over_network, &script).await;
        let client = ScriptClient::new(both.channel.clone());
        let says = |key: &str| format!("metadata key {key:?} is not allowed: a key is 1 to 64");
        for key in ["", "Upper", "white space", "ü", ":path", "k\n", &"x".repeat(65)] {
            for call in [
                client.act(act("")).metadata(key, "v"),
                client.act(act("")).persistent_metadata(key, "v"),
                // The first mistake counts, and later good ones do not make up for it.
                client.act(act("")).metadata(key, "v").metadata("good", "v").metadata("No", "v"),
            ] {
                let status = call.await.unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument);
                assert_eq!(status.outcome(), Outcome::NotExecuted);
                let key: String = key.chars().take(64).collect();
                assert!(status.message().starts_with(&says(&key)), "{status}");
            }
        }
        assert_eq!(both.channel.counters().calls_started, 0);
        let reply = client.act(act("")).metadata(&"x".repeat(64), "v").await.unwrap();
        assert!(reply.text.starts_with(&says("Not-Allowed")), "{}", reply.text);
        drop(client);
        both.end().await;
    }
}

/// A channel to a service, over the network or within the process.
struct Both {
    world: World,
    node: Option<Node>,
    channel: Channel,
}

impl Both {
    async fn new(over_network: bool, script: &Script) -> Self {
        let world = World::new(1);
        let (node, channel) = if over_network {
            let node = world.node(1).serve(script.server()).start().await.unwrap();
            (Some(node), world.channel(2, 1).await)
        } else {
            (None, Channel::in_process(script.server()))
        };
        Self { world, node, channel }
    }

    async fn end(self) {
        self.world.end((self.node, self.channel)).await;
    }
}

/// A node whose handler does what the test says with a client of the node behind it.
pub(crate) struct Chain {
    world: World,
    pub(crate) probe: Probe,
    nodes: [Node; 2],
    channel: Channel,
}

impl Chain {
    pub(crate) async fn new<F>(
        handler: impl Fn(ProbeClient, Context) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let (world, probe) = (World::new(1), Probe::new());
        let behind = world.node(1).serve(probe.server()).start().await.unwrap();
        let next = ProbeClient::new(world.channel(12, 1).await);
        let script = Script::new(move |cx, _| {
            let handling = handler(next.clone(), cx);
            async move { handling.await.map(|()| String::new()) }
        });
        let front = world.node(2).serve(script.server()).start().await.unwrap();
        let channel = world.channel(3, 2).await;
        Self { world, probe, nodes: [front, behind], channel }
    }

    pub(crate) fn client(&self) -> ScriptClient {
        ScriptClient::new(self.channel.clone())
    }

    pub(crate) async fn end(self) {
        self.world.end((self.nodes, self.channel)).await;
    }
}
