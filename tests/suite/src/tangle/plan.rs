//! What happens in one call of a [`Tangle`](super::Tangle): both of its ends draw the same from one
//! number.

use std::time::Duration;

use crate::broach::testing::v1::Item;
use crate::dice::Dice;
use crate::millis;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// What all of it is drawn from.
    pub(super) key: u64,
    pub(super) shape: Shape,
    pub(super) handler: Handler,
    pub(super) requests: Flow,
    pub(super) replies: Flow,
    /// When the caller drops all of it, if it does.
    pub(super) dropped_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Unary,
    Tell,
    Ask,
    Talk,
}

/// What the handler of a stream does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Handler {
    /// Both directions, on their own.
    Apart,
    /// Sends back what it reads, one by one.
    Echoes,
    /// Calls the next node, and passes everything on, both ways.
    Forwards,
    /// After each message that it reads it makes a call to where the stream comes from.
    CallsBack,
    /// Ends with an error after so many messages.
    Fails(u64),
}

/// One direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// What the sizes are drawn from.
    key: u64,
    pub(super) messages: u64,
    bytes_max: u64,
    /// How long the writer takes from one to the next at the most.
    pub(super) pause: Duration,
    pub(super) habit: Habit,
}

/// How messages are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Habit {
    AtOnce,
    /// With a pause of up to so long before each.
    Slowly(Duration),
    /// Nothing for so long, and then at once.
    Late(Duration),
    /// So many, and then no more.
    Some(u64),
}

impl Plan {
    /// What this number stands for, if messages have so many bytes at the most.
    pub(super) fn of(key: u64, bytes_max: u64) -> Self {
        let mut dice = Dice::new(key);
        let shape = match dice.below(8) {
            0 | 1 => Shape::Unary,
            2 => Shape::Tell,
            3 => Shape::Ask,
            _ => Shape::Talk,
        };
        let handler = match dice.below(8) {
            0 | 1 => Handler::Echoes,
            2 | 3 => Handler::Forwards,
            4 => Handler::CallsBack,
            5 => Handler::Fails(dice.below(10)),
            _ => Handler::Apart,
        };
        let requests = Flow::draw(&mut dice, bytes_max);
        let replies = Flow::draw(&mut dice, bytes_max);
        let dropped_after = dice.chance(0.1).then(|| millis(dice.below(1_500)));
        Self { key, shape, handler, requests, replies, dropped_after }
    }
}

impl Flow {
    fn draw(dice: &mut Dice, bytes_max: u64) -> Self {
        let habit = match dice.below(6) {
            0 | 1 => Habit::Slowly(millis(1 + dice.below(60))),
            2 => Habit::Late(millis(dice.below(4_000))),
            3 => Habit::Some(dice.below(8)),
            _ => Habit::AtOnce,
        };
        let pause = if dice.chance(0.5) { Duration::ZERO } else { millis(1 + dice.below(60)) };
        // Most are all small, and some all large.
        let bytes_max = [200, 2_000, bytes_max, bytes_max][dice.below(4) as usize].min(bytes_max);
        let most = if bytes_max <= 2_000 { 100 } else { 14 };
        Self { key: dice.next_u64(), messages: dice.below(most), bytes_max, pause, habit }
    }

    /// A message: every magnitude is as likely as every other, and some are as large as may be.
    pub(super) fn message(&self, number: u64) -> Item {
        let mut dice = Dice::new(self.key ^ number);
        let bytes = match dice.below(8) {
            0 => self.bytes_max,
            1 => 0,
            _ => (self.bytes_max as f64).powf(dice.fraction()) as u64,
        };
        let payload = (0..bytes).map(|at| (at ^ number ^ self.key) as u8).collect();
        Item { number: number as i64, payload }
    }
}
