//! Seeds: where to look for others, kept resolved for as long as the node lives.
//!
//! Names come to stand for other addresses when machines are replaced, and in a cluster that is
//! just being set up they often stand for none yet. So names are looked up again and again, one
//! seed that is of no use never keeps the others from being used, and none is given up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{self, Either};
use futures::stream::FuturesUnordered;

use crate::deadline::{Clock, Time};
use crate::net::address::{AddressError, Target, is_specific, parse};
use crate::net::lookup::{Lookup, look_up};

/// The seeds that a node was given, and what is known of them.
///
/// Once [`look_up`](Self::look_up) has told what has to be known before the node starts, or without
/// it, [`run`](Self::run) keeps them resolved.
#[derive(Debug)]
pub(crate) struct Seeds {
    seeds: Vec<Seed>,
    /// The addresses that were told last.
    told: Vec<SocketAddr>,
}

/// One of them.
#[derive(Debug)]
struct Seed {
    text: Arc<str>,
    /// Those that were found last.
    addrs: Vec<SocketAddr>,
    /// When it is to be looked up. Not while it is, and never if it is not a name.
    due: Option<Time>,
    problem: Option<Problem>,
}

/// Why a seed cannot be used.
#[derive(Debug)]
struct Problem {
    text: String,
    /// When to say so next.
    say: Time,
}

/// The number of a seed, and what was found for it.
type Answer = (usize, Result<Vec<SocketAddr>, String>);

impl Seeds {
    /// Seeds as they were given: `ip:port`, `host:port` or `dns://host:port`. One that is none of
    /// these is reported like one that is not known.
    pub(crate) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut seeds: Vec<Seed> = Vec::new();
        for text in texts {
            if seeds.iter().all(|seed| *seed.text != *text) {
                seeds.push(Seed::new(text));
            }
        }
        Self { seeds, told: Vec::new() }
    }

    /// Looks all names up at once, and waits for the answers, at most 10 s. Tells all
    /// addresses that are known then.
    ///
    /// # Cancel safety
    ///
    /// Answers that have come are kept if the future is dropped.
    pub(crate) async fn look_up(
        &mut self,
        clock: &dyn Clock,
        lookup: &dyn Lookup,
    ) -> Vec<SocketAddr> {
        let names = self.seeds.iter().enumerate().filter(|(_, seed)| seed.due.is_some());
        let mut under_way: FuturesUnordered<_> =
            names.map(|(at, seed)| ask(at, Arc::clone(&seed.text), clock, lookup)).collect();
        while let Some((at, found)) = under_way.next().await {
            self.seeds[at].on_answer(clock.now(), found);
        }
        self.addrs()
    }

    /// Keeps the seeds resolved until it is dropped; ends when nothing can ever change, because all
    /// seeds are addresses.
    ///
    /// `on_seeds` gets all addresses whenever they are not those that it got last; `on_trouble`
    /// gets each seed that cannot be used and the reason, at once and then once a minute.
    pub(crate) async fn run(
        mut self,
        clock: Arc<dyn Clock>,
        lookup: impl Lookup,
        mut on_seeds: impl FnMut(Vec<SocketAddr>),
        mut on_trouble: impl FnMut(&str, &str),
    ) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let now = clock.now();
            for (at, seed) in self.seeds.iter_mut().enumerate() {
                if seed.due.is_some_and(|due| due <= now) {
                    seed.due = None;
                    under_way.push(ask(at, Arc::clone(&seed.text), &*clock, &lookup));
                }
                seed.say_problem(now, &mut on_trouble);
            }
            let addrs = self.addrs();
            if addrs != self.told {
                self.told.clone_from(&addrs);
                on_seeds(addrs);
            }
            let next = self.seeds.iter().filter_map(Seed::next).min();
            let answer = match (next, under_way.is_empty()) {
                (None, true) => return,
                (None, false) => under_way.next().await,
                (Some(time), true) => {
                    clock.sleep_until(time).await;
                    None
                }
                (Some(time), false) => {
                    match future::select(under_way.next(), clock.sleep_until(time)).await {
                        Either::Left((answer, _)) => answer,
                        Either::Right(_) => None,
                    }
                }
            };
            if let Some((at, found)) = answer {
                self.seeds[at].on_answer(clock.now(), found);
            }
        }
    }

    /// All addresses, each once: in the order of the seeds, because the first ones count for more.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        let mut addrs = Vec::new();
        for &addr in self.seeds.iter().flat_map(|seed| &seed.addrs) {
            if !addrs.contains(&addr) {
                addrs.push(addr);
            }
        }
        addrs
    }
}

impl Seed {
    fn new(text: String) -> Self {
        let begun = Time::ZERO;
        let mut seed = Self { text: text.into(), addrs: Vec::new(), due: None, problem: None };
        match parse(&seed.text) {
            Ok(Target::Addr(addr)) if is_specific(addr) => seed.addrs.push(addr),
            Ok(Target::Addr(addr)) => seed.fail(begun, AddressError::Unspecified { addr }),
            Ok(Target::Name { .. }) => seed.due = Some(begun),
            Err(error) => seed.fail(begun, error),
        }
        seed
    }

    /// What was found for its name.
    fn on_answer(&mut self, now: Time, found: Result<Vec<SocketAddr>, String>) {
        match found {
            Ok(addrs) => {
                (self.addrs, self.problem) = (addrs, None);
                self.due = Some(now + LOOKUP_INTERVAL);
            }
            Err(problem) => {
                self.fail(now, problem);
                self.due = Some(now + RETRY_INTERVAL);
            }
        }
    }

    /// It cannot be used. Addresses that it had are kept: better an old one than none.
    fn fail(&mut self, now: Time, problem: impl ToString) {
        let mut text = problem.to_string();
        if !self.addrs.is_empty() {
            text += "; the addresses that it had are kept";
        }
        let say = self.problem.as_ref().map_or(now, |problem| problem.say);
        self.problem = Some(Problem { text, say });
    }

    fn say_problem(&mut self, now: Time, say: &mut impl FnMut(&str, &str)) {
        if let Some(problem) = &mut self.problem
            && problem.say <= now
        {
            problem.say = now + TROUBLE_INTERVAL;
            say(&self.text, &problem.text);
        }
    }

    /// When there is something to do for it.
    fn next(&self) -> Option<Time> {
        self.due.into_iter().chain(self.problem.as_ref().map(|problem| problem.say)).min()
    }
}

/// Looks up a seed.
async fn ask(at: usize, text: Arc<str>, clock: &dyn Clock, lookup: &dyn Lookup) -> Answer {
    let found = look_up(&text, clock, lookup).await;
    (at, found.and_then(|addrs| usable(&text, addrs).map_err(|error| error.to_string())))
}

/// Those of the addresses found that are of one node.
fn usable(text: &str, mut addrs: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, AddressError> {
    let found = addrs.first().copied();
    addrs.retain(|&addr| is_specific(addr));
    match (addrs.is_empty(), found) {
        (false, _) => Ok(addrs),
        (true, Some(addr)) => Err(AddressError::Unspecified { addr }),
        (true, None) => Err(AddressError::Unresolvable { text: text.to_owned(), source: None }),
    }
}

/// How often a name that is known is looked up again: the usual lifetime of names that change.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);

/// How soon a name that was not known is looked up again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How often it is said again that a seed cannot be used.
const TROUBLE_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use futures::future::BoxFuture;

    use super::*;
    use crate::net::TokioClock;
    use crate::net::lookup::Resolver;

    /// A resolver whose answers a test decides, and what happens over time, in whole seconds.
    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Inner>>);

    #[derive(Default)]
    struct Inner {
        /// How long an answer takes, and the addresses; none if the name is not known.
        answers: BTreeMap<String, (u64, Vec<SocketAddr>)>,
        log: Vec<(u64, String)>,
    }

    impl Fake {
        fn answer(&self, seed: &str, seconds: u64, addrs: &[&str]) {
            let addrs = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
            self.lock().answers.insert(seed.to_owned(), (seconds, addrs));
        }

        fn note(&self, clock: &dyn Clock, what: String) {
            let seconds = clock.now().since(Time::ZERO).as_secs();
            self.lock().log.push((seconds, what));
        }

        /// What has happened since the last time, but only what begins like this.
        fn log(&self, kind: &str) -> Vec<(u64, String)> {
            let mut inner = self.lock();
            let (log, other) = inner.log.drain(..).partition(|(_, what)| what.starts_with(kind));
            inner.log = other;
            log
        }

        fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    struct Told(Fake, Arc<dyn Clock>);

    impl Lookup for Told {
        fn look_up<'a>(
            &'a self,
            seed: &'a str,
        ) -> BoxFuture<'a, Result<Vec<SocketAddr>, AddressError>> {
            let Self(fake, clock) = self;
            fake.note(&**clock, format!("ask {seed}"));
            let (seconds, addrs) = fake.lock().answers.get(seed).cloned().unwrap_or_default();
            let wait = clock.sleep_until(clock.now() + Duration::from_secs(seconds));
            Box::pin(async move {
                if 0 < seconds {
                    wait.await;
                }
                Ok(addrs)
            })
        }
    }

    /// Keeps these seeds resolved.
    fn run(fake: &Fake, seeds: &[&str]) -> tokio::task::JoinHandle<()> {
        let clock = TokioClock::shared();
        let told = Told(fake.clone(), Arc::clone(&clock));
        let seeds = Seeds::new(seeds.iter().map(|&seed| seed.to_owned()));
        let (on_seeds, seeds_clock) = (fake.clone(), Arc::clone(&clock));
        let (on_trouble, trouble_clock) = (fake.clone(), Arc::clone(&clock));
        tokio::spawn(seeds.run(
            clock,
            told,
            move |addrs| on_seeds.note(&*seeds_clock, format!("seeds {addrs:?}")),
            move |seed, why| on_trouble.note(&*trouble_clock, format!("trouble {seed}: {why}")),
        ))
    }

    async fn seconds(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn at<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
        expected.map(|(seconds, what)| (seconds, what.to_owned())).to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_told_at_once_and_for_good() {
        let fake = Fake::default();
        let seeds = ["10.0.0.2:1", "10.0.0.1:1", "10.0.0.2:1", "dns://[::ffff:10.0.0.2]:1"];
        // Nothing can change any more, so it ends.
        run(&fake, &seeds).await.unwrap();
        assert_eq!(fake.log(""), at([(0, "seeds [10.0.0.2:1, 10.0.0.1:1]")]));
    }

    #[tokio::test(start_paused = true)]
    async fn no_seed_waits_for_another_one() {
        let fake = Fake::default();
        fake.answer("slow:1", 3, &["10.0.0.3:1"]);
        fake.answer("dns://quick:1", 1, &["10.0.0.2:1"]);
        fake.answer("never:1", 1_000_000, &[]);
        let task = run(&fake, &["never:1", "slow:1", "dns://quick:1", "10.0.0.1:1"]);
        seconds(12).await;
        let told = at([
            (0, "seeds [10.0.0.1:1]"),
            (1, "seeds [10.0.0.2:1, 10.0.0.1:1]"),
            (3, "seeds [10.0.0.3:1, 10.0.0.2:1, 10.0.0.1:1]"),
        ]);
        assert_eq!(fake.log("seeds"), told);
        let asked = at([(0, "ask never:1"), (0, "ask slow:1"), (0, "ask dns://quick:1")]);
        assert_eq!(fake.log("ask"), asked);
        let said = "trouble never:1: nobody has said within 10 s what never:1 stands for";
        assert_eq!(fake.log("trouble"), at([(10, said)]));
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn names_are_looked_up_again_and_told_if_they_have_changed() {
        let fake = Fake::default();
        fake.answer("a:1", 0, &["10.0.0.1:1", "10.0.0.2:1"]);
        let task = run(&fake, &["a:1"]);
        seconds(1).await;
        // Another order is no change.
        fake.answer("a:1", 0, &["10.0.0.2:1", "10.0.0.1:1"]);
        seconds(30).await;
        assert_eq!(fake.log("seeds"), at([(0, "seeds [10.0.0.1:1, 10.0.0.2:1]")]));
        fake.answer("a:1", 0, &["10.0.0.9:1"]);
        seconds(60).await;
        assert_eq!(fake.log("seeds"), at([(60, "seeds [10.0.0.9:1]")]));
        let asked = at([(0, "ask a:1"), (30, "ask a:1"), (60, "ask a:1"), (90, "ask a:1")]);
        assert_eq!(fake.log("ask"), asked);
        assert_eq!(fake.log(""), []);
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_not_known_is_tried_until_it_is() {
        let fake = Fake::default();
        let task = run(&fake, &["a:1"]);
        seconds(11).await;
        fake.answer("a:1", 0, &["10.0.0.1:1"]);
        seconds(100).await;
        let asked: Vec<u64> = fake.log("ask").into_iter().map(|(seconds, _)| seconds).collect();
        assert_eq!(asked, [0, 5, 10, 15, 45, 75, 105]);
        assert_eq!(fake.log("seeds"), at([(15, "seeds [10.0.0.1:1]")]));
        let said = r#"trouble a:1: the host of "a:1" has no address"#;
        assert_eq!(fake.log("trouble"), at([(0, said)]));
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_once_a_minute() {
        let fake = Fake::default();
        fake.answer("void:1", 0, &["0.0.0.0:1"]);
        fake.answer("some:1", 0, &["0.0.0.0:1", "10.0.0.1:1"]);
        let seeds = ["no port", "0.0.0.0:7400", "10.0.0.7:0", "void:1", "some:1"];
        let task = run(&fake, &seeds);
        seconds(125).await;
        let mut troubles = BTreeMap::<String, Vec<u64>>::new();
        for (seconds, what) in fake.log("trouble") {
            troubles.entry(what).or_default().push(seconds);
        }
        let texts: Vec<&String> = troubles.keys().collect();
        let call = "can be bound to but not called";
        for (text, begin, why) in [
            (texts[0], "trouble 0.0.0.0:7400:", call),
            (texts[1], "trouble 10.0.0.7:0:", call),
            (texts[2], "trouble no port:", "is no address"),
            (texts[3], "trouble void:1:", call),
        ] {
            assert!(text.starts_with(begin) && text.contains(why), "{text}");
        }
        assert_eq!(troubles.into_values().collect::<Vec<_>>(), [[0, 60, 120]; 4]);
        assert_eq!(fake.log("seeds"), at([(0, "seeds [10.0.0.1:1]")]));
        // What is no name is not looked up.
        assert!(
            fake.log("ask").iter().all(|(_, what)| what.ends_with("e:1") || what.ends_with("d:1"))
        );
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_was_known_keeps_its_addresses() {
        let fake = Fake::default();
        fake.answer("a:1", 0, &["10.0.0.1:1"]);
        let task = run(&fake, &["a:1"]);
        seconds(1).await;
        fake.answer("a:1", 0, &[]);
        seconds(64).await;
        fake.answer("a:1", 0, &["10.0.0.2:1"]);
        seconds(10).await;
        let told = at([(0, "seeds [10.0.0.1:1]"), (65, "seeds [10.0.0.2:1]")]);
        assert_eq!(fake.log("seeds"), told);
        let troubles = fake.log("trouble");
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        assert!(troubles[0].0 == 30 && troubles[0].1.ends_with("are kept"), "{troubles:?}");
        // The next trouble is another one, and said at once.
        fake.answer("a:1", 0, &[]);
        seconds(30).await;
        assert_eq!(fake.log("trouble").len(), 1);
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_before_the_start_is_not_asked_again() {
        let (fake, clock) = (Fake::default(), TokioClock::shared());
        fake.answer("a:1", 2, &["10.0.0.2:1"]);
        fake.answer("never:1", 1_000_000, &[]);
        let told = Told(fake.clone(), Arc::clone(&clock));
        let texts = ["never:1", "a:1", "10.0.0.1:1"].map(str::to_owned);
        let mut seeds = Seeds::new(texts);
        let known = seeds.look_up(&*clock, &told).await;
        assert_eq!(known, ["10.0.0.2:1", "10.0.0.1:1"].map(|addr| addr.parse().unwrap()));
        assert_eq!(clock.now().since(Time::ZERO).as_secs(), 10);
        fake.log("");
        let (on_seeds, on_trouble) = (fake.clone(), fake.clone());
        let (seeds_clock, trouble_clock) = (Arc::clone(&clock), Arc::clone(&clock));
        let task = tokio::spawn(seeds.run(
            clock,
            told,
            move |addrs| on_seeds.note(&*seeds_clock, format!("seeds {addrs:?}")),
            move |seed, _| on_trouble.note(&*trouble_clock, format!("trouble {seed}")),
        ));
        seconds(23).await;
        let log = at([
            (10, "trouble never:1"),
            (10, "seeds [10.0.0.2:1, 10.0.0.1:1]"),
            (15, "ask never:1"),
            (30, "ask never:1"),
            (32, "ask a:1"),
        ]);
        assert_eq!(fake.log(""), log);
        task.abort();
    }

    #[tokio::test]
    async fn the_resolver_of_the_system_is_asked() {
        let found = Resolver.look_up("dns://localhost:7400").await.unwrap();
        assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 7400));
    }
}
