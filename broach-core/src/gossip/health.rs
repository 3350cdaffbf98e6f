//! Local health: how far a node suspects that the trouble it sees is its own (Lifeguard §3).
//!
//! A node whose probes fail without anybody else confirming it, or that is suspected itself, is
//! probably slow or badly connected. It then waits longer before it accuses others.

/// 0 if all is well; the higher, the worse.
#[derive(Debug)]
pub(super) struct Health {
    score: u32,
    max: u32,
}

impl Health {
    pub(super) const fn new(max: u32) -> Self {
        Self { score: 0, max }
    }

    /// A probe was answered.
    pub(super) const fn better(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// So many signs of trouble of its own.
    pub(super) fn worse(&mut self, signs: u32) {
        self.score = self.score.saturating_add(signs).min(self.max);
    }

    /// How many times slower than usual the node is to probe.
    pub(super) const fn factor(&self) -> u32 {
        self.score + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_stays_within_its_bounds() {
        let mut health = Health::new(8);
        health.better();
        assert_eq!(health.factor(), 1);
        health.worse(3);
        assert_eq!(health.factor(), 4);
        health.worse(100);
        assert_eq!(health.factor(), 9);
        health.better();
        assert_eq!(health.factor(), 8);
        let mut off = Health::new(0);
        off.worse(5);
        assert_eq!(off.factor(), 1);
    }
}
