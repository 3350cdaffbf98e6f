//! Flow control: a slow reader bounds the writer, and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use broach_core::stream;
use broach_tests::{Dialog, World, faults, millis, secs};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::stage::{Stage, Way, all, echo, item, large};

/// Bytes of what the tests send, and what the transport adds.
const BYTES: usize = 1_000;

/// No more than this may be on the way of a stream that nobody reads: what is sent and not read, at
/// both ends, and what the handler and the user's own queue hold besides.
const MOST: usize = (2 * (256 << 10) + (64 << 10)) / BYTES + 64;

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_bounds_the_handler() {
    for way in Way::ALL {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let dialog = Dialog::new().tell(move |_, _, mut replies| {
            let sent = Arc::clone(&counted);
            async move {
                for number in 0..5_000 {
                    replies.send(large(number, BYTES)).await?;
                    sent.fetch_add(1, SeqCst);
                }
                Ok(())
            }
        });
        let (client, alive) = way.client(&dialog).await;
        let mut replies = client.tell(item(0)).await.unwrap();
        tokio::time::sleep(secs(20)).await;
        let ahead = sent.load(SeqCst);
        assert!((100..MOST).contains(&ahead), "{way:?}: {ahead}");
        // As it reads, the handler goes on, and is never further ahead.
        for read in 0..1_000 {
            assert_eq!(replies.message().await.unwrap(), Some(large(read, BYTES)));
            let ahead = sent.load(SeqCst) - read as usize;
            assert!(ahead <= MOST, "{way:?}: {ahead}");
        }
        tokio::time::sleep(secs(20)).await;
        let ahead = sent.load(SeqCst) - 1_000;
        assert!((100..MOST).contains(&ahead), "{way:?}: {ahead}");
        let rest = all(replies).await;
        assert_eq!(rest, (1_000..5_000).map(Ok).collect::<Vec<_>>(), "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

/// A stream's window begins much smaller than it may become: a reader that has read all there is
/// must not keep that to itself because it is little.
#[tokio::test(start_paused = true)]
async fn items_of_any_sizes_get_through_a_window_that_begins_small() {
    for way in Way::ALL {
        for sizes in [&[31_415, 9, 2_653, 58_979][..], &[10, 32_000, 10, 40_000], &[20_000; 9]] {
            let dialog = Dialog::new().tell(move |_, _, mut replies| async move {
                for &bytes in sizes {
                    replies.send(large(1, bytes)).await?;
                }
                Ok(())
            });
            let (client, alive) = way.client(&dialog).await;
            let mut replies = client.tell(item(0)).await.unwrap();
            for &bytes in sizes {
                assert!(replies.message().await.unwrap() == Some(large(1, bytes)), "{way:?}");
            }
            assert_eq!(replies.message().await.unwrap(), None, "{way:?}: {sizes:?}");
            drop(replies);
            if let Some((world, node)) = alive {
                world.end((node, client)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_read_bounds_the_caller() {
    for way in Way::ALL {
        let gate = Arc::new(Semaphore::new(0));
        let waited = Arc::clone(&gate);
        let dialog = Dialog::new().ask(move |_, mut requests| {
            let gate = Arc::clone(&waited);
            async move {
                let mut count = 0;
                gate.acquire().await.unwrap().forget();
                while let Some(request) = requests.message().await? {
                    assert_eq!(request, large(count, BYTES));
                    count += 1;
                }
                Ok(item(count))
            }
        });
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(1);
        let call = tokio::spawn(client.ask(fed));
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let feeding = tokio::spawn(async move {
            for number in 0..5_000 {
                requests.send(large(number, BYTES)).await.unwrap();
                counted.fetch_add(1, SeqCst);
            }
        });
        tokio::time::sleep(secs(20)).await;
        let ahead = sent.load(SeqCst);
        assert!(ahead < MOST, "{way:?}: {ahead}");
        gate.add_permits(1);
        feeding.await.unwrap();
        assert_eq!(call.await.unwrap().unwrap(), item(5_000), "{way:?}");
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_holds_up_no_other() {
    let world = World::new(1);
    world.network.set_faults(faults(|faults| faults.delay = millis(1)));
    let stage = Stage::within(world, echo()).await;
    let unread = stage.client.tell(item(1_000_000)).await.unwrap();
    let (_requests, fed) = stream::channel(1);
    let stuck = stage.client.talk(fed);
    let stuck = tokio::spawn(stuck);
    tokio::time::sleep(secs(1)).await;
    let begun = Instant::now();
    for _ in 0..20 {
        let sum = stage.client.ask(futures::stream::iter((0..100).map(item))).await.unwrap();
        assert_eq!(sum, item(4_950));
        assert_eq!(all(stage.client.tell(item(100)).await.unwrap()).await.len(), 100);
    }
    assert!(begun.elapsed() < millis(40 * 10), "{:?}", begun.elapsed());
    stuck.abort();
    drop(unread);
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_do_other_things_while_its_caller_does_not_read() {
    for way in Way::ALL {
        // It gives up on a caller that does not read.
        let dialog = Dialog::new().tell(|_, _, mut replies| async move {
            for number in 0.. {
                let sending = replies.send(large(number, 10_000));
                if tokio::time::timeout(secs(5), sending).await.is_err() {
                    return Ok(());
                }
            }
            Ok(())
        });
        let (client, alive) = way.client(&dialog).await;
        let begun = Instant::now();
        let replies = client.tell(item(0)).await.unwrap();
        dialog.until(|dialog| dialog.finished() == 1).await;
        let took = begun.elapsed();
        assert!(secs(5) <= took && took < millis(5_500), "{way:?}: {took:?}");
        drop(replies);
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_reads_on_while_its_replies_wait() {
    for way in Way::ALL {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let dialog = Dialog::new().talk(move |_, mut requests, mut replies| {
            let read = Arc::clone(&counted);
            async move {
                let sending = async {
                    for number in 0.. {
                        replies.send(large(number, 10_000)).await?;
                    }
                    Ok(())
                };
                let reading = async {
                    while requests.message().await?.is_some() {
                        read.fetch_add(1, SeqCst);
                    }
                    Ok(())
                };
                tokio::select! { result = sending => result, result = reading => result }
            }
        });
        let (client, alive) = way.client(&dialog).await;
        let (mut requests, fed) = stream::channel(1);
        let replies = client.talk(fed).await.unwrap();
        tokio::time::sleep(secs(1)).await;
        for number in 0..100 {
            requests.send(item(number)).await.unwrap();
        }
        drop(requests);
        dialog.until(|dialog| dialog.finished() == 1).await;
        assert_eq!(read.load(SeqCst), 100, "{way:?}");
        drop(replies);
        if let Some((world, node)) = alive {
            world.end((node, client)).await;
        }
    }
}
