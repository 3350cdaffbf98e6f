//! A random conversation against a model of it: two queues and how they end.

use std::sync::{Arc, Mutex};

use broach_core::{Code, Receiver, Sender, Status, stream};
use broach_tests::broach::testing::v1::Item;
use broach_tests::{Dialog, Dice, World, faults, for_seeds, millis};

use crate::stage::{Stage, large};

/// What one end of a conversation does and sees, and when it stops.
#[derive(Debug, Default)]
struct Side {
    sent: Vec<i64>,
    received: Vec<i64>,
    /// It has ended its own stream.
    ended: bool,
    /// How the other's ended, as seen from here.
    saw: Option<Result<(), Code>>,
}

/// How the whole ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Well,
    /// The handler fails after so many steps.
    Fails(u64),
    /// The caller drops the receiver after so many.
    Drops(u64),
}

/// Sends and receives as the dice say, until both directions have ended or `steps` are over.
async fn talk(
    side: &Mutex<Side>,
    mut dice: Dice,
    mut receiver: Receiver<Item>,
    sender: Sender<Item>,
    steps: u64,
) -> (Receiver<Item>, Option<Sender<Item>>) {
    let mut sender = Some(sender);
    let total = dice.below(60);
    for step in 0..steps {
        let (sends, reads) = {
            let side = side.lock().unwrap();
            (sender.is_some(), side.saw.is_none())
        };
        if !sends && !reads {
            break;
        }
        if dice.chance(0.05) {
            tokio::time::sleep(millis(dice.below(40))).await;
        }
        if sends && (!reads || dice.chance(0.5)) {
            if total <= step {
                sender = None;
                side.lock().unwrap().ended = true;
                continue;
            }
            let number = side.lock().unwrap().sent.len() as i64;
            let size = if dice.chance(0.05) { dice.below(100_000) } else { dice.below(300) };
            // Both ends may be waiting for each other to read: then reading comes first.
            let sending = sender.as_mut().unwrap().send(large(number, size as usize));
            let reading = receiver.message();
            tokio::select! {
                biased;
                result = sending => match result {
                    Ok(()) => side.lock().unwrap().sent.push(number),
                    Err(status) => {
                        assert_eq!(status.code(), Code::Cancelled);
                        sender = None;
                    }
                },
                message = reading, if reads => take(side, message),
            }
        } else {
            let message = tokio::time::timeout(millis(dice.below(20)), receiver.message()).await;
            if let Ok(message) = message {
                take(side, message);
            }
        }
    }
    (receiver, sender)
}

fn take(side: &Mutex<Side>, message: Result<Option<Item>, Status>) {
    let mut side = side.lock().unwrap();
    match message {
        Ok(Some(item)) => {
            assert!(item == large(item.number, item.payload.len()), "its content is its own");
            side.received.push(item.number);
        }
        Ok(None) => side.saw = Some(Ok(())),
        Err(status) => side.saw = Some(Err(status.code())),
    }
}

/// What one seed has come to.
async fn run(world: World) -> String {
    let mut dice = Dice::new(world.seed);
    world.network.set_faults(faults(|faults| {
        (faults.loss, faults.duplicate) = (dice.fraction() * 0.15, dice.fraction() * 0.1);
        (faults.delay, faults.jitter) = (millis(dice.below(5)), millis(dice.below(5)));
    }));
    let end = match dice.below(3) {
        0 => End::Well,
        1 => End::Fails(dice.below(80)),
        _ => End::Drops(dice.below(80)),
    };
    let (here, there) =
        (Arc::new(Mutex::new(Side::default())), Arc::new(Mutex::new(Side::default())));
    let theirs = Arc::clone(&there);
    let seed = dice.next_u64();
    let dialog = Dialog::new().talk(move |_, requests, mut replies| {
        let side = Arc::clone(&theirs);
        async move {
            replies.send(large(-1, 0)).await?;
            let steps = if let End::Fails(steps) = end { steps } else { u64::MAX };
            let left = talk(&side, Dice::new(seed), requests, replies, steps).await;
            drop(left);
            if let End::Fails(_) = end { Err(Status::aborted("enough")) } else { Ok(()) }
        }
    });
    let stage = Stage::within(world, dialog).await;
    let (sender, fed) = stream::channel(1 + dice.below(4) as usize);
    let mut replies = stage.client.talk(fed).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().number, -1);
    let steps = if let End::Drops(steps) = end { steps } else { u64::MAX };
    let left = talk(&here, Dice::new(dice.next_u64()), replies, sender, steps).await;
    drop(left);
    stage.dialog.until(|dialog| dialog.finished() + dialog.stopped() == 1).await;
    stage.world.network.set_faults(faults(|_| {}));
    let took = stage.world.elapsed();
    stage.end().await;
    let (here, there) = (here.lock().unwrap(), there.lock().unwrap());
    judge(end, &here, &there);
    format!("{end:?} {here:?} {there:?} {took:?}")
}

/// What must hold of both sides, however it ended.
fn judge(end: End, here: &Side, there: &Side) {
    let in_order = |numbers: &[i64]| numbers.iter().copied().eq(0..numbers.len() as i64);
    for side in [here, there] {
        assert!(in_order(&side.sent) && in_order(&side.received), "{end:?}: {side:?}");
    }
    // A send that was dropped half-way did not happen, so nothing is received that was not sent.
    assert!(here.received.len() <= there.sent.len(), "{end:?}: {here:?} {there:?}");
    assert!(there.received.len() <= here.sent.len(), "{end:?}: {here:?} {there:?}");
    match end {
        End::Well => {
            assert_eq!((here.saw, there.saw), (Some(Ok(())), Some(Ok(()))), "{here:?} {there:?}");
            assert_eq!(here.received, there.sent);
            assert_eq!(there.received, here.sent);
        }
        End::Fails(_) => {
            assert_eq!(here.saw, Some(Err(Code::Aborted)), "{here:?} {there:?}");
            assert_eq!(here.received, there.sent, "what was sent before the error arrives");
        }
        End::Drops(_) => {}
    }
}

#[test]
fn two_ends_agree_with_the_model() {
    let ran = for_seeds(0..60, run);
    let ended = |how: &str| ran.iter().filter(|one| one.starts_with(how)).count();
    println!("{} ended well, {} failed", ended("Well"), ended("Fails"));
}

#[test]
fn a_seed_decides_the_conversation() {
    let [once, again] = [(); 2].map(|()| for_seeds(7..12, run));
    assert_eq!(once, again);
}
