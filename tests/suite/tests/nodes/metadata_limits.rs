//! How much metadata a call may carry, and that so much arrives, also on a bad network.

use broach_core::{Code, Metadata, Outcome, Status};
use broach_tests::broach::testing::v1::{EchoReply, ScriptClient};
use broach_tests::requests::{act, good_call};
use broach_tests::{Probe, Script, World, faults, for_seeds, millis, secs, transport};
use futures::future::join_all;

#[tokio::test(start_paused = true)]
async fn a_request_may_carry_so_much_and_no_more() {
    let world = World::new(1);
    let probe = Probe::new();
    let script = Script::new(|cx, _| async move { Ok(cx.metadata().bytes().to_string()) });
    let node = world.node(1).serve(script.server()).serve(probe.server()).start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ScriptClient::new(channel.clone());
    let call = |bytes: usize| client.act(act("")).metadata("k", "v".repeat(bytes - 9));
    assert_eq!(call(8_192).await.unwrap().text, "8192");
    let status = call(8_193).await.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotExecuted));
    let says = "comes with metadata of 8193 bytes, and this node takes 8192 \
                (transport.metadata_bytes_max)";
    assert!(status.message().contains(says), "{status}");
    assert_eq!(status.attempts(), [], "nothing was sent");
    good_call(&channel).await;
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_the_other_side_holds_too() {
    let world = World::new(1);
    let probe = Probe::new();
    let small = transport(|config| config.metadata_bytes_max = 100);
    let script = Script::new(|_, _| async move { Ok(String::new()) });
    let node = world.node(1).transport(small).serve(script.server()).serve(probe.server());
    let node = node.start().await.unwrap();
    let channel = world.channel(2, 1).await;
    let client = ScriptClient::new(channel.clone());
    // Once before the server's limits are known here, and once when they are.
    for _ in 0..2 {
        let status = client.act(act("")).metadata("k", "v".repeat(92)).await.unwrap_err();
        let expected = (Code::ResourceExhausted, Outcome::NotExecuted);
        assert_eq!((status.code(), status.outcome()), expected);
        let says = "metadata of 101 bytes, and";
        assert!(status.message().contains(says), "{status}");
        assert!(status.message().contains("takes 100 (transport.metadata_bytes_max)"), "{status}");
        client.act(act("")).metadata("k", "v".repeat(91)).await.unwrap();
    }
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_with_too_much_fails_and_says_whose_limit_it_was() {
    let script = Script::new(|cx, request| async move {
        let bytes: usize = request.text.parse().unwrap();
        cx.set_reply_metadata("k", "v".repeat(bytes - 9)).unwrap();
        Ok(String::new())
    });
    let world = World::new(1);
    let node = world.node(1).serve(script.server()).start().await.unwrap();
    let small = transport(|config| config.metadata_bytes_max = 100);
    let channel = world.caller(2).transport(small).connect(World::addr(1)).await.unwrap();
    let client = ScriptClient::new(channel.clone());
    client.act(act("100")).await.unwrap();
    for (bytes, whose, limit) in
        [(101, "the caller", 100), (8_192, "the caller", 100), (8_193, "the serving node", 8_192)]
    {
        let status = client.act(act(&bytes.to_string())).await.unwrap_err();
        let expected = (Code::ResourceExhausted, Outcome::Executed);
        assert_eq!((status.code(), status.outcome()), expected);
        let says = format!("metadata of {bytes} bytes, and {whose} takes {limit} (transport.");
        assert!(status.message().contains(&says), "{status}");
    }
    world.end((node, channel, client)).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_with_too_much_keeps_its_code_and_says_what_is_missing() {
    let script = Script::new(|_, request| async move {
        let (what, bytes) = request.text.split_once(' ').unwrap();
        let bytes = bytes.parse().unwrap();
        let (mut metadata, status) = (Metadata::new(), Status::not_found("gone"));
        match what {
            "metadata" => {
                metadata.insert("k", "v".repeat(bytes - 9)).unwrap();
                Err(status.with_metadata(metadata))
            }
            "detail" => Err(status.with_detail(&EchoReply { token: 0, payload: vec![1; bytes] })),
            _ => Err(Status::not_found("gone".to_owned() + &" ".repeat(bytes))),
        }
    });
    let world = World::new(1);
    let node = world.node(1).serve(script.server()).start().await.unwrap();
    let small = transport(|config| config.metadata_bytes_max = 100);
    let channel = world.channel(2, 1).await;
    let less = world.caller(3).transport(small).connect(World::addr(1)).await.unwrap();
    for (channel, request, missing) in [
        (&channel, "metadata 8192", ""),
        (&channel, "metadata 8193", " (without its metadata: "),
        (&channel, "metadata 20000000", "and the serving node takes 8192 (transport.metadata_b"),
        (&less, "metadata 100", ""),
        (&less, "metadata 101", "and the caller takes 100 (transport.metadata_bytes_max)"),
        (&channel, "detail 1000000", ""),
        (&channel, "detail 20000000", "(cut short: the status has 20000"),
        (&channel, "text 1000000", ""),
        (&channel, "text 20000000", " takes 16777216 (transport.message_bytes_max)"),
    ] {
        let status = ScriptClient::new(channel.clone()).act(act(request)).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::NotFound, Outcome::Executed));
        assert!(status.message().starts_with("gone"), "{request}: {status}");
        assert!(status.message().contains(missing), "{request}: {status}");
        let whole = missing.is_empty();
        assert_eq!(status.metadata().is_empty(), !(whole && request.starts_with("metadata")));
        assert_eq!(status.details().is_empty(), !(whole && request.starts_with("detail")));
    }
    world.end((node, channel, less)).await;
}

#[test]
fn much_metadata_arrives_on_a_bad_network() {
    for_seeds(0..10, |world| async move {
        let large = transport(|config| config.metadata_bytes_max = 64 << 10);
        // All that came, back again.
        let script = Script::new(|cx, request| async move {
            for entry in cx.metadata().iter() {
                cx.set_reply_metadata(entry.key(), entry.value().clone()).unwrap();
            }
            match &*request.text {
                "fail" => Err(Status::aborted("as told")),
                _ => Ok(String::new()),
            }
        });
        let node = world.node(1).transport(large.clone()).serve(script.server());
        let node = node.start().await.unwrap();
        let channel = world.caller(2).transport(large).connect(World::addr(1)).await.unwrap();
        world.network.set_faults(faults(|faults| {
            (faults.loss, faults.duplicate, faults.jitter) = (0.2, 0.1, millis(5));
        }));
        let client = ScriptClient::new(channel.clone());
        let call = |number: u8| {
            // Some fifty datagrams' worth.
            let bytes: Vec<u8> = (0..50_000_u32).map(|at| (at ^ at >> 8) as u8 ^ number).collect();
            let text = if number.is_multiple_of(3) { "fail" } else { "" };
            let call = client.act_again(act(text)).timeout(secs(60));
            let call = call.metadata("bytes", bytes.clone()).metadata("number", number.to_string());
            async move {
                let metadata = match call.response().await {
                    Ok(response) => response.metadata,
                    Err(status) => {
                        assert_eq!(status.code(), Code::Aborted, "{status}");
                        status.metadata().clone()
                    }
                };
                assert_eq!(metadata.get("number"), Some(&*number.to_string()));
                assert!(metadata.get_binary("bytes").unwrap() == &bytes, "{number} got others");
            }
        };
        join_all((0..12).map(call)).await;
        assert!(0 < world.network.struck().lost);
        world.network.set_faults(faults(|_| {}));
        world.end((node, channel, client)).await;
    });
}
