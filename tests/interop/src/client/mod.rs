//! The client: from the command line to the exit code.

mod caller;
mod case;
mod load;
mod many;
mod pacer;
mod records;
mod streams;
mod unary;

use std::time::Duration;

use broach_core::Node;
use tokio::time::timeout;

use crate::cli::ClientOptions;
use crate::client::caller::Caller;
use crate::client::case::Case;
use crate::client::records::Results;
use crate::clock::WallClock;
use crate::{Error, FAIL, PASS, UNKNOWN_CASE, complain, say};

/// Runs a test case.
///
/// # Errors
///
/// If it cannot begin.
pub(crate) async fn run(options: ClientOptions, clock: WallClock) -> Result<u8, Error> {
    let Some(case) = Case::named(&options.test_case) else {
        eprintln!("broach-interop: there is no test case {:?}", options.test_case);
        return Ok(UNKNOWN_CASE);
    };
    if let Some(path) = &options.history {
        // If it cannot be written, that is to be known before anything is called.
        Results::begin_history(path)?;
    }
    let results = match case {
        Case::Load => load::run(&options, clock).await?,
        _ => {
            let caller = Caller::new(&options, clock).await?;
            let problem = match timeout(TIME_MAX, run_case(case, &caller, options.count)).await {
                Ok(result) => result.err(),
                Err(_) => Some(format!("it was not over after {TIME_MAX:?}")),
            };
            caller.finish(problem).await
        }
    };
    let written = match &options.history {
        Some(path) => results.write_history(path),
        None => Ok(()),
    };
    for problem in &results.problems {
        eprintln!("broach-interop: {}: {problem}", case.name());
    }
    if let Err(error) = &written {
        complain(error);
    }
    let passed = results.passed() && written.is_ok();
    say(&Results::line(&results, case.name()))?;
    Ok(if passed { PASS } else { FAIL })
}

/// Runs a case that calls the servers in turn; gives what was not as it must be.
async fn run_case(case: Case, caller: &Caller, count: u64) -> Result<(), String> {
    match case {
        Case::EmptyUnary => unary::empty(caller).await,
        Case::LargeUnary => unary::large(caller).await,
        Case::ClientStreaming => streams::client_streaming(caller).await,
        Case::ServerStreaming => streams::server_streaming(caller).await,
        Case::PingPong => streams::ping_pong(caller).await,
        Case::EmptyStream => streams::empty(caller).await,
        Case::CancelAfterBegin => streams::cancel_after_begin(caller).await,
        Case::CancelAfterFirstResponse => streams::cancel_after_first_response(caller).await,
        Case::TimeoutOnSleepingServer => unary::timeout_on_sleeping_server(caller).await,
        Case::CustomMetadata => unary::custom_metadata(caller).await,
        Case::StatusCodeAndMessage => unary::status_code_and_message(caller).await,
        Case::SpecialStatusMessage => unary::special_status_message(caller).await,
        Case::UnimplementedMethod => unary::unimplemented_method(caller).await,
        Case::UnimplementedService => unary::unimplemented_service(caller).await,
        Case::RpcSoak => many::soak(caller, count).await,
        Case::ConcurrentLargeUnary => many::concurrent(caller, count).await,
        Case::AllTimeOut => many::all_time_out(caller, count).await,
        Case::Load => unreachable!("it has another caller, see `run`"),
    }
}

/// Ends a node that only makes calls: the servers are told, so that they need not keep what they
/// have for it.
async fn say_goodbye(node: Node) {
    // They also find out by themselves.
    let _ = timeout(GOODBYE_MAX, node.shutdown()).await;
}

/// How long a goodbye may take, which is sent once and not waited for.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// A little less than the 55 s after which a case must have ended.
const TIME_MAX: Duration = Duration::from_secs(53);
