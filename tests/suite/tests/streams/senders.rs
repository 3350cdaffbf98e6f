//! What can be done with a [`Sender`]: give it to another task, begin with it, fail with it.

use std::sync::{Arc, Mutex};

use broach_core::observe::{Event, Observer};
use broach_core::{Code, Outcome, Sender, Status, stream};
use broach_tests::broach::testing::v1::{DialogClient, Item};
use broach_tests::{Dialog, World, millis, secs};
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout};

use crate::stage::{Way, all, echo, item, large, refuse};

#[tokio::test(start_paused = true)]
async fn replies_go_out_when_they_are_sent_whatever_the_handler_waits_for() {
    for way in Way::ALL {
        let dialog = Dialog::new().talk(|_, mut requests, mut replies| async move {
            let forwarding = tokio::spawn(async move {
                for number in 0..10 {
                    replies.send(item(number)).await?;
                    tokio::time::sleep(millis(200)).await;
                }
                Ok(())
            });
            while requests.message().await?.is_some() {}
            forwarding.await.unwrap()
        });
        let (client, alive) = way.client(&dialog).await;
        // The caller says nothing before it has heard something.
        let (requests, fed) = stream::channel(1);
        let begun = Instant::now();
        let mut replies = timeout(secs(5), client.talk(fed)).await.expect("it begins").unwrap();
        for number in 0..10 {
            let next = timeout(secs(5), replies.message()).await.expect("it comes");
            assert_eq!(next.unwrap(), Some(item(number)), "{way:?}");
            let since = begun.elapsed();
            assert!(since < millis(200 * number as u64 + 100), "{way:?}: {number} at {since:?}");
        }
        drop(requests);
        assert_eq!(replies.message().await.unwrap(), None, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_large_ends_the_call_whoever_sends_it() {
    for way in [Way::Network, Way::OwnNode] {
        let dialog = Dialog::new().tell(|_, item, mut replies| async move {
            tokio::spawn(async move {
                tokio::time::sleep(millis(100)).await;
                replies.send(large(item.number, 17 << 20)).await
            });
            std::future::pending().await
        });
        let (client, alive) = way.client(&dialog).await;
        let told = timeout(secs(5), client.tell(item(0))).await.expect("it ends");
        let code = match told {
            Ok(mut replies) => replies.message().await.unwrap_err().code(),
            Err(status) => status.code(),
        };
        assert_eq!(code, Code::ResourceExhausted, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

/// Sends something at the very end of a handler: after that has returned, and before its result is
/// on its way.
#[derive(Clone, Default)]
struct Late(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    sender: Option<Sender<Item>>,
    sent: Option<Result<(), Code>>,
}

impl Observer for Late {
    fn event(&self, event: &Event<'_>) {
        let mut shared = self.0.lock().unwrap();
        if let Event::HandlerEnded { .. } = event
            && let Some(mut sender) = shared.sender.take()
        {
            // Large, so that it would be on its way at once.
            let sent = sender.send(large(0, 20_000)).now_or_never().expect("there is room");
            shared.sent = Some(sent.map_err(|status| status.code()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_has_returned_has_the_last_word() {
    for (ends_well, begins) in [(false, false), (true, false), (false, true), (true, true)] {
        let (world, late) = (World::new(1), Late::default());
        let handed = late.clone();
        let dialog = Dialog::new().tell(move |cx, first, mut replies| {
            let late = handed.clone();
            async move {
                cx.set_reply_metadata("by", "handler").unwrap();
                if begins {
                    replies.send(first).await?;
                }
                late.0.lock().unwrap().sender = Some(replies);
                if ends_well { Ok(()) } else { Err(refuse()) }
            }
        });
        let builder = world.node(1).observe(late.clone());
        let node = builder.serve(dialog.server()).start().await.unwrap();
        let client = DialogClient::new(world.channel(2, 1).await);
        let told = timeout(secs(5), client.tell(item(7))).await.expect("the call begins or ends");
        let heard = match told {
            Ok(replies) => {
                assert_eq!(replies.metadata().get("by").unwrap(), "handler");
                timeout(secs(5), all(replies)).await.expect("the call ends")
            }
            Err(status) => {
                assert_eq!(status.metadata().get("by").unwrap(), "handler");
                vec![Err(status.code())]
            }
        };
        let first = begins.then_some(Ok(7));
        let end = (!ends_well).then_some(Err(Code::Aborted));
        let expected: Vec<_> = first.into_iter().chain(end).collect();
        assert_eq!(heard, expected, "{ends_well} {begins}");
        assert_eq!(late.0.lock().unwrap().sent.take(), Some(Err(Code::Cancelled)));
        world.end((node, client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_the_sender_is_told_when_the_handler_has_returned() {
    for way in Way::ALL {
        let told = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&told);
        let dialog = Dialog::new().tell(move |_, _, mut replies| {
            let told = Arc::clone(&keep);
            async move {
                let sending = async move {
                    loop {
                        if let Err(status) = replies.send(item(1)).await {
                            return status;
                        }
                        tokio::time::sleep(millis(1)).await;
                    }
                };
                *told.lock().unwrap() = Some(tokio::spawn(sending));
                tokio::time::sleep(millis(10)).await;
                Ok::<_, Status>(())
            }
        });
        let (client, alive) = way.client(&dialog).await;
        let heard = all(client.tell(item(0)).await.unwrap()).await;
        assert!(heard.iter().all(|one| *one == Ok(1)) && !heard.is_empty(), "{way:?}");
        let sending = told.lock().unwrap().take().unwrap();
        let status = timeout(secs(5), sending).await.expect("it is told").unwrap();
        let expected = (Code::Cancelled, Outcome::Unknown);
        assert_eq!((status.code(), status.outcome()), expected, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_may_begin_before_there_is_a_message() {
    for way in Way::ALL {
        let dialog = Dialog::new().talk(|cx, mut requests, mut replies| async move {
            cx.set_reply_metadata("by", "handler").unwrap();
            replies.begin()?;
            replies.begin()?;
            while let Some(item) = requests.message().await? {
                replies.send(item).await?;
                replies.begin()?;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(1);
        let mut replies = timeout(secs(5), client.talk(fed)).await.expect("it begins").unwrap();
        assert_eq!(replies.metadata().get("by").unwrap(), "handler", "{way:?}");
        for number in 0..3 {
            requests.send(item(number)).await.unwrap();
            assert_eq!(replies.message().await.unwrap(), Some(item(number)), "{way:?}");
        }
        drop(requests);
        assert_eq!(replies.message().await.unwrap(), None, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_cannot_be_completed_fail_their_call() {
    for (way, panics) in Way::ALL.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let dialog = echo();
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(4);
        let producing = tokio::spawn(async move {
            requests.send(item(1)).await.unwrap();
            tokio::time::sleep(millis(100)).await;
            assert!(!panics, "as it was asked to");
            requests.fail(refuse());
        });
        // Whatever a program makes of them.
        let fed = fed.map(|item| item).chain(futures::stream::iter((0..1_000).map(item)));
        let status = timeout(secs(5), client.ask(fed)).await.expect("it ends").unwrap_err();
        let expected = if panics { Code::Internal } else { Code::Aborted };
        assert_eq!(status.code(), expected, "{way:?}: {status}");
        assert_eq!(producing.await.is_err(), panics);
        if way == Way::Network {
            assert_eq!(status.outcome(), Outcome::Unknown);
            dialog.until(|dialog| dialog.stopped() + dialog.finished() == 1).await;
            assert_eq!(dialog.stopped(), 1, "it never sees an end");
        }
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_the_replies_may_fail_the_call() {
    for (way, begins) in Way::ALL.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let dialog = Dialog::new().tell(move |_, first, mut replies| async move {
            tokio::spawn(async move {
                if begins {
                    replies.send(first).await.unwrap();
                }
                tokio::time::sleep(millis(100)).await;
                replies.fail(refuse());
            });
            std::future::pending().await
        });
        let (client, alive) = way.client(&dialog).await;
        let heard = match timeout(secs(5), client.tell(item(7))).await.expect("it begins or ends") {
            Ok(replies) => timeout(secs(5), all(replies)).await.expect("it ends"),
            Err(status) => vec![Err(status.code())],
        };
        let first = begins.then_some(Ok(7));
        let expected: Vec<_> = first.into_iter().chain([Err(Code::Aborted)]).collect();
        assert_eq!(heard, expected, "{way:?}");
        dialog.until(|dialog| dialog.stopped() == 1).await;
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}
