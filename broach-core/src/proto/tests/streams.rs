//! Calls with streams in them.

use std::time::Duration;

use super::model::Model;

impl Model {
    /// Does something at random.
    fn random(&mut self) {
        if self.calls.is_empty() || self.rng.chance(0.02) && self.calls.len() < 40 {
            return self.open();
        }
        let call = self.rng.below(self.calls.len() as u64) as usize;
        let server = self.rng.chance(0.5);
        match self.rng.below(1_000) {
            0..2 => self.cancel(call),
            2..10 => self.send(call, server, true),
            10..400 => self.send(call, server, false),
            _ => self.take(call, server),
        }
    }

    fn has_ended(&self) -> bool {
        self.calls.iter().all(|made| {
            let handled = made.stopped || made.server.closed || made.serving.is_none();
            made.ended.is_some() && handled
        })
    }

    /// Everybody takes what comes and ends what there is to end.
    pub(super) fn finish(&mut self) {
        self.faults = false;
        for round in 0.. {
            for call in 0..self.calls.len() {
                self.send(call, false, true);
                for server in [false, true] {
                    while !self.half(call, server).unread.is_empty() {
                        self.take(call, server);
                    }
                }
                if self.calls[call].server.fin {
                    self.send(call, true, true);
                }
            }
            self.act();
            self.step();
            if self.has_ended() {
                break;
            }
            assert!(round < 20_000, "seed {}: {:#?}", self.seed, self.calls);
        }
        // Whatever is on its way arrives; then nothing is left.
        for _ in 0..200 {
            self.step();
        }
        let held = self.pair.server.endpoint.bytes_held();
        assert_eq!(held, (0, 0), "seed {}", self.seed);
    }

    /// Puts on its way what there is to send.
    fn transmit(&mut self) {
        let now = self.pair.now;
        for server in [false, true] {
            for sent in self.end(server).transmit(now) {
                let copies = match self.faults {
                    true if self.rng.chance(0.08) => 0,
                    true if self.rng.chance(0.05) => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let delay = if self.faults { self.rng.below(3_000) } else { 200 };
                    let at = now + Duration::from_micros(delay);
                    self.sequence += 1;
                    self.flying.insert((at, self.sequence), sent.clone());
                }
            }
        }
    }

    /// Goes on to the next thing that happens by itself.
    pub(super) fn step(&mut self) {
        self.transmit();
        let now = self.pair.now;
        let due = [false, true]
            .into_iter()
            .filter_map(|server| self.end(server).endpoint.poll_timeout(now))
            .min();
        let flying = self.flying.first_key_value().map(|((at, _), _)| *at);
        let next = [due, flying].into_iter().flatten().min().unwrap_or(now);
        self.pair.now = now.max(next);
        let now = self.pair.now;
        while let Some(first) = self.flying.first_entry().filter(|first| first.key().0 <= now) {
            let sent = first.remove();
            let server = sent.to == self.pair.server.addr;
            self.end(server).receive(now, sent.from, sent.bytes);
        }
        for server in [false, true] {
            self.end(server).endpoint.handle_timeout(now);
            self.end(server).endpoint.check_accounts();
        }
        self.act();
    }
}

#[test]
fn streams_are_queues_whatever_the_network_does() {
    let seeds = std::env::var("SEEDS").map_or(150, |count| count.parse().unwrap());
    let mut delivered = 0;
    for seed in 0..seeds {
        let mut model = Model::new(seed);
        for _ in 0..1_500 {
            for _ in 0..model.rng.below(8) {
                model.random();
            }
            model.step();
        }
        model.finish();
        let answered = model.calls.iter().filter(|made| made.ended == Some(Some(true))).count();
        assert!(0 < answered, "seed {seed}");
        delivered += model.delivered;
    }
    assert!(seeds * 400 < delivered, "{delivered}");
}
