//! Runs the cases of `broach-interop`, and prints a table of what came of them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use broach_core::testing::Faults;

use crate::Error;
use crate::cli::Interop;
use crate::programs::{Server, beside, client};
use crate::relay::{Figures, Relay};

/// How a case went.
struct Outcome {
    problem: Option<String>,
    took: Duration,
    /// What the relay did, if there was one.
    figures: Option<Figures>,
}

/// Runs them; the exit code is 0 if all have passed.
///
/// # Errors
///
/// If they cannot be run.
pub(crate) async fn run(mut options: Interop) -> Result<ExitCode, Error> {
    options.default_to_bad();
    let faults = options.network.faults()?;
    let program = match &options.program {
        Some(path) => path.clone(),
        None => beside()?,
    };
    let cases: Vec<&str> = match &options.cases[..] {
        [] => CASES.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    println!("{:28} {:>16} {:>16}  through the relay", "case", "direct", "relayed");
    let mut problems = Vec::new();
    for case in cases {
        let direct = match options.relayed {
            true => None,
            false => Some(run_case(&options, &program, case, None).await?),
        };
        let relayed = run_case(&options, &program, case, Some(&faults)).await?;
        println!("{}", line(case, direct.as_ref(), &relayed));
        for (how, outcome) in [("direct", direct), ("relayed", Some(relayed))] {
            let problem = outcome.and_then(|outcome| outcome.problem);
            problems.extend(problem.map(|problem| format!("{case}, {how}: {problem}")));
        }
    }
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        println!("all passed");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Runs a case against a server of its own.
async fn run_case(
    options: &Interop,
    program: &Path,
    case: &str,
    faults: Option<&Faults>,
) -> Result<Outcome, Error> {
    let any = SocketAddr::new(options.via, 0);
    let relay = match faults {
        Some(faults) => Some(Relay::bind(any, faults.clone(), options.network.seed).await?),
        None => None,
    };
    // Whoever finds the server through its cluster is sent through the relay as well.
    let advertised = relay.as_ref().map(Relay::addr);
    let server = Server::start(program, any, advertised).await?;
    if let Some(relay) = &relay {
        relay.carry_to(server.addr)?;
    }
    let addr = advertised.unwrap_or(server.addr);
    let args = ["--servers", &addr.to_string(), "--test-case", case, "--seconds", LOAD_SECONDS];
    let count = ["--count", &options.count.to_string()].map(str::to_owned);
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).chain(count).collect();
    let begun = Instant::now();
    let ended = client(program, &args).await?;
    let took = begun.elapsed();
    let figures = relay.as_ref().map(Relay::figures);
    let problem = match ended.code {
        Some(0) => server.end().await.err().map(|error| error.to_string()),
        code => {
            let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
            Some(format!("it ended with {code}\n{}{}", ended.stderr, ended.line))
        }
    };
    Ok(Outcome { problem, took, figures })
}

fn line(case: &str, direct: Option<&Outcome>, relayed: &Outcome) -> String {
    let cell = |outcome: Option<&Outcome>| match outcome {
        None => "-".to_owned(),
        Some(Outcome { problem, took, .. }) => {
            let word = if problem.is_none() { "pass" } else { "FAIL" };
            format!("{word} {:>9.1} ms", took.as_secs_f64() * 1e3)
        }
    };
    let figures = relayed.figures.map_or_else(String::new, |Figures { there, back, .. }| {
        format!(
            "{} datagrams, {} lost, {} twice, {} too large, {} overflowed",
            there.sent + back.sent,
            there.lost + back.lost,
            there.duplicated + back.duplicated,
            there.oversized + back.oversized,
            there.overflowed + back.overflowed,
        )
    });
    format!("{case:28} {:>16} {:>16}  {figures}", cell(direct), cell(Some(relayed)))
}

/// How long `load` makes calls.
const LOAD_SECONDS: &str = "3";

/// All that there are.
const CASES: [&str; 18] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "concurrent_large_unary",
    "all_time_out",
    "load",
];
