//! The case `load`: calls at a rate to a cluster, by the name of the service, whatever becomes of
//! them.

use std::time::Duration;

use broach_core::{Code, Instance, MemberEvents, Node, Outcome, Security};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::broach::testing::v1::{TEST_SERVICE, TestServiceClient};
use crate::cli::ClientOptions;
use crate::client::caller::{is_right, simple_request};
use crate::client::many::LATE_MAX;
use crate::client::pacer::{Pacer, Plan};
use crate::client::records::{End, Record, Results, token};
use crate::client::say_goodbye;
use crate::clock::{WallClock, micros};
use crate::{Error, say};

/// What all calls of a run have in common.
#[derive(Clone)]
struct Caller {
    client: TestServiceClient,
    instance: Instance,
    clock: WallClock,
    deadline: Duration,
    payload: usize,
    response_size: u32,
}

/// A call that has ended, and how late it began.
#[derive(Debug)]
struct Ended {
    record: Record,
    late_us: u64,
}

/// Makes the calls.
///
/// # Errors
///
/// If it cannot begin.
pub(crate) async fn run(options: &ClientOptions, clock: WallClock) -> Result<Results, Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let node = Node::builder()
        .cluster(&options.cluster)
        .security(Security::clear())
        .bind(options.bind())
        .join(&options.servers)
        .client_only()
        .start()
        .await?;
    let instance = node.instance();
    let mut results =
        Results { instance, records: Vec::new(), max_late_us: 0, problems: Vec::new() };
    let found = tokio::select! {
        found = find_servers(&node, options) => found,
        // Then there is nothing to be done any more.
        _ = terminate.recv() => return Ok(results),
    };
    if !found {
        results.problems.push("none of the servers was found".to_owned());
        return Ok(results);
    }
    let caller = Caller {
        client: TestServiceClient::new(node.channel()),
        instance,
        clock,
        deadline: options.deadline(DEADLINE_MS),
        payload: options.payload as usize,
        response_size: options.response_size(),
    };
    let calls = (options.rate * options.seconds).floor() as u64;
    let plan = Plan { start_us: clock.now_us() + micros(AHEAD), rate: options.rate, calls };
    say(&format!("START {}", plan.start_us))?;
    let over = AHEAD + Duration::from_secs_f64(options.seconds) + caller.deadline + PATIENCE;
    let ended = make_calls(&caller, plan, Instant::now() + over, &mut terminate).await;
    results.problems.extend(caller.problems(&ended));
    for (number, ended) in (0..).zip(ended) {
        let ended = ended.unwrap_or_else(|| caller.unheard(number, plan));
        results.max_late_us = results.max_late_us.max(ended.late_us);
        results.records.push(ended.record);
    }
    say_goodbye(node).await;
    Ok(results)
}

/// Waits until all servers are known, or for a while until some are; tells whether any is.
async fn find_servers(node: &Node, options: &ClientOptions) -> bool {
    let begun = Instant::now();
    // Before looking, so that nothing is missed.
    let mut events = node.events();
    let known = || {
        let members = node.members();
        let serves = |addr| {
            let services = members.get(addr).and_then(broach_core::Member::services);
            services.is_some_and(|all| all.iter().any(|one| one.name == TEST_SERVICE.name))
        };
        options.servers.iter().filter(|&&addr| serves(addr)).count()
    };
    let all = until(&mut events, || known() == options.servers.len());
    if timeout_at(begun + ALL_FOUND_MAX, all).await.is_ok() {
        return true;
    }
    timeout_at(begun + FOUND_MAX, until(&mut events, || 0 < known())).await.is_ok()
}

/// Waits until it is so, looking after each event.
async fn until(events: &mut MemberEvents, what: impl Fn() -> bool) {
    while !what() {
        if events.next().await.is_none() {
            return std::future::pending().await;
        }
    }
}

/// Makes all calls, or those before SIGTERM; gives them in their order, and nothing for those that
/// nobody has heard of by the time at which all must be over.
async fn make_calls(
    caller: &Caller,
    plan: Plan,
    mut over: Instant,
    terminate: &mut Signal,
) -> Vec<Option<Ended>> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (runtime, each) = (Handle::current(), caller.clone());
    let mut pacer = Pacer::start(plan, caller.clock, move |k, due_us| {
        let (caller, tell) = (each.clone(), tell.clone());
        runtime.spawn(async move {
            // Nobody listens any more if it comes too late.
            let _ = tell.send(caller.call(k, due_us).await);
        });
    });
    let mut all: Vec<Option<Ended>> = (0..plan.calls).map(|_| None).collect();
    let (mut heard, mut all_begun) = (0, false);
    while !(all_begun && heard == all.len()) {
        tokio::select! {
            biased;
            _ = terminate.recv(), if !all_begun => {
                pacer.stop();
                over = over.min(Instant::now() + caller.deadline + PATIENCE);
            }
            begun = pacer.begun(), if !all_begun => {
                all_begun = true;
                all.truncate(usize::try_from(begun).unwrap_or(usize::MAX));
            }
            Some(ended) = told.recv() => {
                let place = usize::try_from(ended.record.number).ok();
                if let Some(place) = place.and_then(|place| all.get_mut(place)) {
                    *place = Some(ended);
                    heard += 1;
                }
            }
            () = sleep_until(over) => {
                pacer.stop();
                break;
            }
        }
    }
    all
}

impl Caller {
    /// Makes a call that was to begin at `due_us`.
    async fn call(&self, number: u64, due_us: u64) -> Ended {
        let late_us = self.clock.now_us().saturating_sub(due_us);
        let left_us = micros(self.deadline).saturating_sub(late_us);
        let end = match left_us {
            0 => End::never_sent(),
            _ => self.end_of_call(number, Duration::from_micros(left_us)).await,
        };
        let record = Record { number, start_us: due_us, end_us: self.clock.now_us(), end };
        Ended { record, late_us }
    }

    async fn end_of_call(&self, number: u64, timeout: Duration) -> End {
        let token = token(self.instance, number);
        let (request, sum) = simple_request(token.clone(), self.payload, self.response_size);
        match self.client.unary_call(request).timeout(timeout).response().await {
            Err(status) => End::failed(&status),
            Ok(response) => {
                let (end, reply) = (End::replied(&response), &response.message);
                let right = is_right(reply, &token, self.response_size as usize, sum);
                if right { end } else { end.spoilt() }
            }
        }
    }

    /// A call that had not ended when all were to be over.
    fn unheard(&self, number: u64, plan: Plan) -> Ended {
        let (code, outcome) = (Code::DeadlineExceeded, Outcome::Unknown);
        let end = End { code, outcome, peer: None, attempts: 0 };
        let (start_us, end_us) = (plan.due_us(number), self.clock.now_us());
        Ended { record: Record { number, start_us, end_us, end }, late_us: 0 }
    }

    /// What of these calls must not be.
    fn problems(&self, all: &[Option<Ended>]) -> Vec<String> {
        let unheard = all.iter().filter(|ended| ended.is_none()).count();
        let heard = || all.iter().flatten().map(|ended| &ended.record);
        let wrong = heard().filter(|record| record.end.code == Code::DataLoss).count();
        let time_max = micros(self.deadline + LATE_MAX);
        let took = |record: &Record| record.end_us.saturating_sub(record.start_us);
        let late = heard().filter(|&record| time_max < took(record)).count();
        let found = [
            (unheard, "have not ended"),
            (wrong, "got a reply that is not the right one"),
            (late, "ended too long after their deadlines"),
        ];
        let found = found.into_iter().filter(|&(count, _)| 0 < count);
        found.map(|(count, text)| format!("{count} calls {text}")).collect()
    }
}

/// How long a call may take, unless told otherwise.
const DEADLINE_MS: u64 = 1_000;

/// From the announcement of the start to the start, so that the first call is not late.
const AHEAD: Duration = Duration::from_millis(10);

/// How long all servers are waited for, and how long any.
const ALL_FOUND_MAX: Duration = Duration::from_secs(3);
const FOUND_MAX: Duration = Duration::from_secs(10);

/// How long after the last deadline calls are waited for; a second less than the run may take.
const PATIENCE: Duration = Duration::from_secs(2);
