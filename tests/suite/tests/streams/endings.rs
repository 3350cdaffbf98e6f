//! How streams end: half of them first, both at once, early, with an error, with a panic.

use std::sync::Arc;

use broach_core::{Code, Outcome, Status, stream};
use broach_tests::broach::testing::v1::Item;
use broach_tests::{Dialog, millis};
use futures::{FutureExt, StreamExt};
use tokio::sync::Semaphore;

use crate::stage::{Stage, Way, all, item, refuse};

fn endless() -> impl futures::Stream<Item = Item> + Send + 'static {
    futures::stream::iter((0..).map(item))
}

#[tokio::test(start_paused = true)]
async fn replies_go_on_when_the_requests_have_ended() {
    for way in Way::ALL {
        let dialog = Dialog::new().talk(|_, requests, mut replies| async move {
            let count = requests.count().await as i64;
            for number in 0..count {
                tokio::time::sleep(millis(100)).await;
                replies.send(item(number)).await?;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let replies = client.talk(futures::stream::iter((0..20).map(item))).await.unwrap();
        assert_eq!(all(replies).await, (0..20).map(Ok).collect::<Vec<_>>(), "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_go_on_when_the_sender_of_replies_is_dropped() {
    let seen = Arc::new(Semaphore::new(0));
    for way in Way::ALL {
        let counted = Arc::clone(&seen);
        let dialog = Dialog::new().talk(move |_, mut requests, mut replies| {
            let seen = Arc::clone(&counted);
            async move {
                replies.send(item(7)).await?;
                drop(replies);
                while requests.message().await?.is_some() {
                    seen.add_permits(1);
                }
                Ok(())
            }
        });
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(1);
        let mut replies = client.talk(fed).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(7)), "{way:?}");
        for number in 0..50 {
            requests.send(item(number)).await.unwrap();
        }
        seen.acquire_many(50).await.unwrap().forget();
        assert!(replies.message().now_or_never().is_none(), "{way:?}: the handler is at work");
        drop(requests);
        assert_eq!(replies.message().await.unwrap(), None, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_heard_enough_ends_the_requests() {
    for way in Way::ALL {
        let dialog = Dialog::new()
            .ask(|_, mut requests| async move {
                let first = requests.message().await?;
                Ok(first.unwrap_or_default())
            })
            .talk(|_, mut requests, mut replies| async move {
                for _ in 0..3 {
                    replies.send(requests.message().await?.unwrap_or_default()).await?;
                }
                Ok(())
            });
        let (client, alive) = way.client(&dialog).await;
        assert_eq!(client.ask(endless()).await.unwrap(), item(0), "{way:?}");
        let replies = client.talk(endless()).await.unwrap();
        assert_eq!(all(replies).await, [Ok(0), Ok(1), Ok(2)], "{way:?}");
        // Whoever feeds them by hand is told.
        let (mut requests, fed) = stream::channel(1);
        let feeding = tokio::spawn(async move {
            loop {
                if let Err(status) = requests.send(item(1)).await {
                    return status.code();
                }
            }
        });
        assert_eq!(client.ask(fed).await.unwrap(), item(1), "{way:?}");
        assert_eq!(feeding.await.unwrap(), Code::Cancelled, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_comes_after_what_was_sent_before_it() {
    for way in Way::ALL {
        let dialog = Dialog::new()
            .tell(|_, item, mut replies| async move {
                for number in 0..item.number {
                    replies.send(crate::stage::item(number)).await?;
                }
                Err(refuse())
            })
            .ask(|_, mut requests| async move {
                requests.message().await?;
                Err(refuse())
            })
            .talk(|_, mut requests, mut replies| async move {
                replies.send(requests.message().await?.unwrap_or_default()).await?;
                Err(refuse())
            });
        let (client, alive) = way.client(&dialog).await;
        let expected = (Code::Aborted, Outcome::Executed);
        for count in [1, 100] {
            let mut told = all(client.tell(item(count)).await.unwrap()).await;
            assert_eq!(told.pop(), Some(Err(Code::Aborted)), "{way:?}");
            assert_eq!(told, (0..count).map(Ok).collect::<Vec<_>>(), "{way:?}");
        }
        let status = client.ask(endless()).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), expected, "{way:?}");
        let mut replies = client.talk(endless()).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(0)), "{way:?}");
        let status = replies.message().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), expected, "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_middle_of_a_stream_fails_this_call_alone() {
    for way in [Way::Network, Way::OwnNode] {
        let dialog = Dialog::new().talk(|_, mut requests, mut replies| async move {
            while let Some(item) = requests.message().await? {
                assert!(item.number < 3, "it does not take {}", item.number);
                replies.send(item).await?;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let (mut others, fed) = stream::channel(1);
        others.send(item(0)).await.unwrap();
        let mut other = client.talk(fed).await.unwrap();
        let mut replies = client.talk(endless()).await.unwrap();
        for number in 0..3 {
            assert_eq!(replies.message().await.unwrap(), Some(item(number)), "{way:?}");
        }
        let status = replies.message().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::Executed));
        assert!(status.message().contains("Dialog/Talk panicked: it does not take 3"), "{status}");
        assert_eq!(other.message().await.unwrap(), Some(item(0)));
        others.send(item(1)).await.unwrap();
        assert_eq!(other.message().await.unwrap(), Some(item(1)), "{way:?}: the other goes on");
        drop(others);
        assert_eq!(other.message().await.unwrap(), None);
        if let Some((world, node)) = alive {
            world.end((node, client, other)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "it does not take 3")]
async fn within_the_process_a_panic_goes_to_whoever_reads() {
    let dialog = Dialog::new().tell(|_, _, mut replies| async move {
        for number in 0.. {
            assert!(number < 3, "it does not take {number}");
            replies.send(item(number)).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    let (client, _) = Way::InProcess.client(&dialog).await;
    let mut replies = client.tell(item(0)).await.unwrap();
    while replies.message().await.unwrap().is_some() {}
}

#[tokio::test(start_paused = true)]
async fn requests_that_panic_fail_the_call() {
    let dialog =
        Dialog::new().ask(|_, requests| async move { Ok(item(requests.count().await as i64)) });
    let stage = Stage::new(dialog).await;
    // If they do so at once nothing of the call goes out.
    for (wait, outcome) in [(0, Outcome::NotExecuted), (100, Outcome::Unknown)] {
        let requests = futures::stream::iter(0..).then(move |number| async move {
            if number == 3 && wait != 0 {
                tokio::time::sleep(millis(wait)).await;
            }
            assert!(number < 3, "it does not make {number}");
            item(number)
        });
        let status = stage.client.ask(requests).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Internal, outcome));
        let text = "the requests of broach.testing.v1.Dialog/Ask panicked";
        assert!(status.message().contains(text), "{status}");
        assert_eq!(stage.dialog.started(), usize::from(wait != 0));
    }
    stage.dialog.until(|dialog| dialog.stopped() == dialog.started()).await;
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_handler_is_told_that_the_call_is_over() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let dialog = Dialog::new().talk(move |_, mut requests, mut replies| {
        let told = told.clone();
        async move {
            replies.send(requests.message().await?.unwrap_or_default()).await?;
            tokio::spawn(async move {
                let read = loop {
                    match requests.message().await {
                        Ok(Some(_)) => {}
                        other => break other.map_err(|status: Status| status.code()),
                    }
                };
                let sent = replies.send(item(1)).await.map_err(|status| status.code());
                told.send((read, sent)).unwrap();
            });
            Ok(())
        }
    });
    let stage = Stage::new(dialog).await;
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let replies = stage.client.talk(fed).await.unwrap();
    assert_eq!(all(replies).await, [Ok(0)]);
    let heard = heard.recv().await.unwrap();
    assert_eq!(heard, (Err(Code::Cancelled), Err(Code::Cancelled)));
    stage.end().await;
}
