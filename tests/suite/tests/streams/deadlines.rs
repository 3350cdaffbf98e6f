//! Deadlines of streams: none by themselves; one that is set or inherited covers all of it.

use broach_core::{Code, Outcome, stream};
use broach_tests::broach::testing::v1::DialogClient;
use broach_tests::{Dialog, World, millis, secs};
use tokio::time::Instant;

use crate::stage::{Stage, Way, all, echo, item};

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_stream_in_the_middle() {
    for way in Way::ALL {
        let dialog = Dialog::new().talk(|cx, mut requests, mut replies| async move {
            assert!(cx.time_left().unwrap() <= millis(500));
            while let Some(item) = requests.message().await? {
                replies.send(item).await?;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(1);
        requests.send(item(1)).await.unwrap();
        let begun = Instant::now();
        let mut replies = client.talk(fed).timeout(millis(500)).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(1)));
        let status = replies.message().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::Unknown));
        let says = "the call had 500ms (Call::timeout)";
        assert!(status.message().ends_with(says), "{way:?}: {status}");
        let took = begun.elapsed();
        assert!(millis(499) <= took && took < millis(510), "{way:?}: {took:?}");
        dialog.until(|dialog| dialog.stopped() == 1).await;
        assert!(begun.elapsed() < millis(510), "{way:?}: {:?}", begun.elapsed());
        if let Some((world, node)) = alive {
            world.end((node, client, replies)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_a_handler_whose_replies_nobody_reads() {
    for way in Way::ALL {
        let dialog = Dialog::new().tell(|_, _, mut replies| async move {
            replies.send(item(1)).await?;
            std::future::pending().await
        });
        let (client, alive) = way.client(&dialog).await;
        let begun = Instant::now();
        let replies = client.tell(item(1)).timeout(millis(500)).await.unwrap();
        dialog.until(|dialog| dialog.stopped() == 1).await;
        let took = begun.elapsed();
        assert!(millis(499) <= took && took < millis(510), "{way:?}: {took:?}");
        assert_eq!(all(replies).await, [Ok(1), Err(Code::DeadlineExceeded)], "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_deadline_cuts_off_says_what_was_tried() {
    for way in Way::ALL {
        let dialog = Dialog::new().tell(|_, item, mut replies| async move {
            tokio::time::sleep(millis(100)).await;
            replies.send(item).await?;
            std::future::pending().await
        });
        let (client, alive) = way.client(&dialog).await;
        let mut replies = client.tell(item(1)).timeout(millis(500)).await.unwrap();
        assert_eq!(replies.message().await.unwrap(), Some(item(1)), "{way:?}");
        let status = replies.message().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{way:?}: {status}");
        let [attempt] = status.attempts() else { panic!("{way:?}: {:?}", status.attempts()) };
        assert_eq!((attempt.code, attempt.outcome), (status.code(), Outcome::Unknown));
        assert_eq!(attempt.peer.is_some(), way != Way::InProcess);
        let took = attempt.elapsed;
        assert!(millis(499) <= took && took <= millis(502), "{way:?}: {took:?}");
        drop(replies);
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_deadline_goes_on_for_longer_than_any_call() {
    for way in Way::ALL {
        let dialog = Dialog::new().tell(|cx, _, mut replies| async move {
            assert_eq!(cx.time_left(), None);
            for number in 0..4 {
                tokio::time::sleep(secs(30)).await;
                replies.send(item(number)).await?;
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let replies = client.tell(item(1)).await.unwrap();
        assert_eq!(all(replies).await, (0..4).map(Ok).collect::<Vec<_>>(), "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_made_by_a_handler_inherits_what_is_left_of_its_time() {
    let world = World::new(1);
    let inner = Dialog::new().tell(|_, _, mut replies| async move {
        replies.send(item(1)).await?;
        std::future::pending().await
    });
    let back = world.node(1).serve(inner.server()).start().await.unwrap();
    let to_back = DialogClient::new(world.channel(3, 1).await);
    let passing_on = to_back.clone();
    let outer = Dialog::new().tell(move |_, item, mut replies| {
        let client = passing_on.clone();
        async move {
            let mut inner = client.tell(item).await?;
            while let Some(item) = inner.message().await? {
                replies.send(item).await?;
            }
            Ok(())
        }
    });
    let front = world.node(2).serve(outer.server()).start().await.unwrap();
    let client = DialogClient::new(world.channel(4, 2).await);
    let begun = Instant::now();
    let replies = client.tell(item(1)).timeout(millis(700)).await.unwrap();
    assert_eq!(all(replies).await, [Ok(1), Err(Code::DeadlineExceeded)]);
    inner.until(|inner| inner.stopped() == 1).await;
    outer.until(|outer| outer.stopped() + outer.finished() == 1).await;
    assert!(begun.elapsed() < millis(710), "{:?}", begun.elapsed());
    world.end((back, front, to_back, client, outer)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_time_is_over_before_it_begins_is_not_executed() {
    let stage = Stage::new(echo()).await;
    let call = stage.client.tell(item(1)).timeout(millis(0));
    let status = call.await.unwrap_err();
    let expected = (Code::DeadlineExceeded, Outcome::NotExecuted);
    assert_eq!((status.code(), status.outcome()), expected);
    assert_eq!(stage.dialog.started(), 0);
    stage.end().await;
}
