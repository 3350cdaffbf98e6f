//! [`Marking`]: whether datagrams go out such that a congested router may mark them instead of
//! dropping them (RFC 9000 §13.4).

use crate::ecn::Ecn;
use crate::wire::Marks;

/// What is known of how the path treats marks.
///
/// The other side says how many datagrams came with the mark of congestion, and how many came
/// without any sign that marks are understood. If there are more of the latter than were sent so,
/// something on the path takes the signs off, or the other side cannot see them: then marks would
/// be lost too, and congestion had better show as losses.
#[derive(Debug)]
pub(crate) struct Marking {
    state: State,
    /// Datagrams that went out as capable, and those that did not.
    capable: u64,
    bare: u64,
    /// Marks of congestion that the other side has reported.
    congested: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Nothing has been acknowledged yet. So many probes have gone out for that.
    Testing(u32),
    Capable,
    Off,
}

impl Marking {
    pub(crate) const fn new() -> Self {
        Self { state: State::Testing(0), capable: 0, bare: 0, congested: 0 }
    }

    /// What is written on the next datagram.
    pub(crate) const fn ecn(&self) -> Ecn {
        match self.state {
            State::Off => Ecn::NotCapable,
            State::Testing(_) | State::Capable => Ecn::Ect0,
        }
    }

    /// A datagram goes out.
    pub(crate) const fn on_sent(&mut self) {
        match self.ecn() {
            Ecn::NotCapable => self.bare += 1,
            _ => self.capable += 1,
        }
    }

    /// A probe is due because nothing has been acknowledged.
    pub(crate) const fn on_probe(&mut self) {
        // A few networks drop whatever is marked as capable.
        self.state = match self.state {
            State::Testing(probes) if PROBES_MAX <= probes + 1 => State::Off,
            State::Testing(probes) => State::Testing(probes + 1),
            state => state,
        };
    }

    /// The other side acknowledges, with what it has counted so far. Tells whether more datagrams
    /// were marked.
    pub(crate) const fn on_ack(&mut self, marks: Marks) -> bool {
        if self.bare < marks.bare || self.capable < marks.congested {
            self.state = State::Off;
        } else if matches!(self.state, State::Testing(_)) {
            self.state = State::Capable;
        }
        let more = self.congested < marks.congested;
        if more {
            self.congested = marks.congested;
        }
        more && !matches!(self.state, State::Off)
    }
}

/// After so many probes without an answer datagrams go out bare.
const PROBES_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(count: usize) -> Marking {
        let mut marking = Marking::new();
        (0..count).for_each(|_| marking.on_sent());
        marking
    }

    #[test]
    fn marks_are_reported_once() {
        let mut marking = sent(10);
        assert!(!marking.on_ack(Marks { congested: 0, bare: 0 }));
        assert!(marking.on_ack(Marks { congested: 2, bare: 0 }));
        assert!(!marking.on_ack(Marks { congested: 2, bare: 0 }));
        assert!(!marking.on_ack(Marks { congested: 1, bare: 0 }), "an older report");
        assert_eq!(marking.ecn(), Ecn::Ect0);
    }

    #[test]
    fn a_path_that_takes_the_signs_off_is_not_trusted_with_them() {
        let mut marking = sent(10);
        assert!(!marking.on_ack(Marks { congested: 3, bare: 1 }));
        assert_eq!(marking.ecn(), Ecn::NotCapable);
        (0..5).for_each(|_| marking.on_sent());
        assert!(!marking.on_ack(Marks { congested: 4, bare: 6 }));
        assert_eq!(marking.ecn(), Ecn::NotCapable, "for good");
    }

    #[test]
    fn more_marks_than_datagrams_are_nonsense() {
        let mut marking = sent(3);
        assert!(!marking.on_ack(Marks { congested: 4, bare: 0 }));
        assert_eq!(marking.ecn(), Ecn::NotCapable);
    }

    #[test]
    fn a_path_on_which_nothing_arrives_is_tried_without() {
        let mut marking = sent(3);
        (0..PROBES_MAX - 1).for_each(|_| marking.on_probe());
        assert_eq!(marking.ecn(), Ecn::Ect0);
        marking.on_probe();
        assert_eq!(marking.ecn(), Ecn::NotCapable);
        let mut marking = sent(3);
        marking.on_ack(Marks::default());
        (0..10).for_each(|_| marking.on_probe());
        assert_eq!(marking.ecn(), Ecn::Ect0, "it has worked before");
    }
}
