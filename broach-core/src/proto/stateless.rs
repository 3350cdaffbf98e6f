//! Answers that belong to no session: "show this token", "I have no such session", "I speak these
//! versions". They keep no state, are at most three times as large as what they answer, and are
//! given only so often.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::deadline::Time;
use crate::ids::{PacketNumber, SessionId};
use crate::proto::limiter::Limiter;
use crate::wire::{Kind, stateless};

/// The answers that are to go out.
#[derive(Debug)]
pub(crate) struct Answers {
    queue: VecDeque<Answer>,
    /// One for each kind, so that nobody can use up the answers of one by asking for another.
    limiters: [Limiter; 3],
    next: PacketNumber,
}

/// An answer and where it goes.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) to: SocketAddr,
    pub(crate) local_ip: Option<IpAddr>,
    pub(crate) bytes: Vec<u8>,
}

impl Answers {
    pub(crate) const fn new(now: Time) -> Self {
        Self { queue: VecDeque::new(), limiters: [Limiter::new(now); 3], next: PacketNumber(0) }
    }

    /// Adds an answer to a datagram of `asked` bytes, unless there have been too many or it would
    /// be much larger than the datagram.
    pub(crate) fn push(
        &mut self,
        now: Time,
        (to, local_ip, asked): (SocketAddr, Option<IpAddr>, usize),
        (kind, session): (Kind, SessionId),
        body: &impl prost::Message,
    ) {
        let bytes = stateless(kind, session, self.next, body);
        if QUEUE_MAX <= self.queue.len() || AMPLIFICATION_MAX * asked < bytes.len() {
            return;
        }
        let limiter = match kind {
            Kind::Retry => 0,
            Kind::Reset => 1,
            _ => 2,
        };
        if !self.limiters[limiter].take(now) {
            return;
        }
        self.next = self.next.next();
        self.queue.push_back(Answer { to, local_ip, bytes });
    }

    /// Adds a datagram that says goodbye to the other side of a session.
    pub(crate) fn push_whole(&mut self, answer: Answer) {
        self.queue.push_back(answer);
    }

    pub(crate) fn pop(&mut self) -> Option<Answer> {
        self.queue.pop_front()
    }
}

/// More than this is not kept: the datagrams are answered when they come again.
const QUEUE_MAX: usize = 256;

/// So many bytes go out for each that came in, to an address that has not proved itself.
pub(super) const AMPLIFICATION_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::schema;

    #[test]
    fn an_answer_is_never_much_larger_than_the_question() {
        let mut answers = Answers::new(Time::ZERO);
        let to = "10.0.0.1:1".parse().unwrap();
        let body = schema::Reset { instance: 1, echo: u64::MAX, dead_for_us: u64::MAX, reason: 1 };
        answers.push(Time::ZERO, (to, None, 10), (Kind::Reset, SessionId(1)), &body);
        assert!(answers.pop().is_none());
        answers.push(Time::ZERO, (to, None, 24), (Kind::Reset, SessionId(1)), &body);
        assert!(answers.pop().unwrap().bytes.len() <= 72);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut answers = Answers::new(Time::ZERO);
        let to = "10.0.0.1:1".parse().unwrap();
        for _ in 0..2 * QUEUE_MAX {
            let body = schema::Versions { versions: vec![1] };
            answers.push(Time::ZERO, (to, None, 1200), (Kind::Versions, SessionId(1)), &body);
        }
        assert_eq!(std::iter::from_fn(|| answers.pop()).count(), QUEUE_MAX);
    }
}
