//! Calls that nobody waits for any more: at every moment of a stream the handler is stopped.

use std::sync::Arc;

use broach_core::{Code, Status, stream};
use broach_tests::{Dialog, World, faults, millis, secs};
use futures::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::stage::{Stage, Way, echo, item};

/// Replies once, and then waits for ever.
fn hanging() -> Dialog {
    Dialog::new()
        .tell(|_, _, mut replies| async move {
            replies.send(item(1)).await?;
            std::future::pending().await
        })
        .ask(|_, _| std::future::pending())
        .talk(|_, mut requests, mut replies| async move {
            replies.send(requests.message().await?.unwrap_or_default()).await?;
            while requests.message().await?.is_some() {}
            std::future::pending().await
        })
}

#[tokio::test(start_paused = true)]
async fn dropping_the_receiver_stops_the_handler() {
    for way in Way::ALL {
        let dialog = hanging();
        let (client, alive) = way.client(&dialog).await;
        let mut replies = client.tell(item(0)).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(1)), "{way:?}");
        let dropped = Instant::now();
        drop(replies);
        dialog.until(|dialog| dialog.stopped() == 1).await;
        // Before the first message is read, too.
        drop(client.tell(item(0)).await.unwrap());
        dialog.until(|dialog| dialog.stopped() == 2).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(0)).await.unwrap();
        drop(client.talk(fed).await.unwrap());
        dialog.until(|dialog| dialog.stopped() == 3).await;
        // Whoever makes the requests is told.
        let told = async { while requests.send(item(1)).await.is_ok() {} };
        told.await;
        assert!(dropped.elapsed() <= millis(20), "{way:?}: {:?}", dropped.elapsed());
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_stops_the_handler() {
    for way in Way::ALL {
        let dialog = hanging();
        let (client, alive) = way.client(&dialog).await;
        let (_requests, fed) = stream::channel(1);
        let call = tokio::spawn(client.ask(fed));
        dialog.until(|dialog| dialog.started() == 1).await;
        call.abort();
        dialog.until(|dialog| dialog.stopped() == 1).await;
        let (_requests, fed) = stream::channel(1);
        let call = tokio::spawn(client.talk(fed));
        dialog.until(|dialog| dialog.started() == 2).await;
        call.abort();
        dialog.until(|dialog| dialog.stopped() == 2).await;
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_dropped_before_the_server_knows_of_it_never_runs() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(20)));
    let stage = Stage::within(world, echo()).await;
    let requests = futures::stream::iter((0..10).map(item));
    // What was sent is on its way, without a token, and can only be sent back.
    tokio::time::timeout(millis(30), stage.client.talk(requests)).await.unwrap_err();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(stage.dialog.started(), 0);
    assert_eq!(stage.client.ask(futures::stream::iter([item(3)])).await.unwrap(), item(3));
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_source_of_the_requests_goes_with_the_call() {
    struct Counted(Arc<Semaphore>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }

    let dropped = Arc::new(Semaphore::new(0));
    let source = || {
        let counted = Counted(Arc::clone(&dropped));
        futures::stream::once(async { item(1) }).chain(futures::stream::pending()).map(
            move |item| {
                let _ = &counted;
                item
            },
        )
    };
    for way in Way::ALL {
        let dialog = hanging();
        let (client, alive) = way.client(&dialog).await;
        drop(client.talk(source()).await.unwrap());
        dropped.acquire().await.unwrap().forget();
        let call = tokio::spawn(client.ask(source()));
        dialog.until(|dialog| dialog.started() == 2).await;
        call.abort();
        dropped.acquire().await.unwrap().forget();
        let status = client.ask(source()).timeout(millis(100)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        dropped.acquire().await.unwrap().forget();
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_sends_without_end_is_stopped_too() {
    for way in Way::ALL {
        let dialog = Dialog::new().tell(|_, _, mut replies| async move {
            for number in 0.. {
                replies.send(item(number)).await?;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let mut replies = client.tell(item(0)).await.unwrap();
        for number in 0..10 {
            assert_eq!(replies.message().await.unwrap(), Some(item(number)), "{way:?}");
        }
        drop(replies);
        dialog.until(|dialog| dialog.stopped() == 1).await;
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_handler_has_given_away_is_told() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let dialog = Dialog::new().talk(move |_, mut requests, mut replies| {
        let told = told.clone();
        async move {
            replies.send(requests.message().await?.unwrap_or_default()).await?;
            let reading = tokio::spawn(async move {
                let status: Status = requests.message().await.unwrap_err();
                told.send((status.code(), status.message().to_owned())).unwrap();
            });
            reading.await.unwrap();
            Ok(())
        }
    });
    let stage = Stage::new(dialog).await;
    let (mut requests, fed) = stream::channel(1);
    requests.send(item(0)).await.unwrap();
    let replies = stage.client.talk(fed).await.unwrap();
    assert!(heard.recv().now_or_never().is_none());
    drop(replies);
    let (code, message) = heard.recv().await.unwrap();
    assert_eq!(code, Code::Cancelled);
    assert!(
        message.starts_with("the call is over: its handler has ended, its caller"),
        "{message}"
    );
    stage.end().await;
}
