//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::{Args, Parser, Subcommand};

/// Serves and calls one service, so that Broach can be tested from outside.
#[derive(Parser)]
#[command(name = "broach-interop", about, styles = Styles::plain())]
#[command(color = clap::ColorChoice::Never)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves until SIGTERM.
    Server(ServerOptions),
    /// Calls servers, and says whether all was as it must be.
    Client(ClientOptions),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServerOptions {
    /// The address to serve on; port 0 for one that is free.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:0")]
    pub(crate) listen: SocketAddr,
    /// The address by which others reach the server, if it is another one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) advertise: Option<String>,
    /// The cluster that the server belongs to.
    #[arg(long, value_name = "NAME", default_value = "interop")]
    pub(crate) cluster: String,
    /// A server that may be running; can be given several times.
    #[arg(long, value_name = "ADDR")]
    pub(crate) join: Vec<String>,
    /// Where each start of UnaryCall's handler is written down.
    #[arg(long, value_name = "FILE")]
    pub(crate) exec_log: Option<PathBuf>,
    /// Where each change of a member is written down.
    #[arg(long, value_name = "FILE")]
    pub(crate) members: Option<PathBuf>,
    /// Where the counters are put, once a second and at the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
    /// How long calls may take to finish after SIGTERM, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) drain_ms: u64,
    /// How many handlers may run at once; further calls are refused.
    #[arg(long, value_name = "N")]
    pub(crate) max_concurrency: Option<usize>,
    /// How much processor time each UnaryCall takes, in microseconds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) work_us: u64,
    /// How long each UnaryCall then waits, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) sleep_ms: u64,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ClientOptions {
    /// The addresses of the servers, with commas between them.
    #[arg(long, value_name = "ADDR", value_delimiter = ',', required = true)]
    pub(crate) servers: Vec<SocketAddr>,
    /// What is tested: a case of gRPC's, or `load`.
    #[arg(long, value_name = "NAME")]
    pub(crate) test_case: String,
    /// The address to call from [default: any].
    #[arg(long, value_name = "ADDR")]
    bind: Option<SocketAddr>,
    /// The cluster that the servers belong to.
    #[arg(long, value_name = "NAME", default_value = "interop")]
    pub(crate) cluster: String,
    /// How many calls `load` makes per second.
    #[arg(long, value_name = "R", default_value = "100", value_parser = positive)]
    pub(crate) rate: f64,
    /// For how long `load` makes calls.
    #[arg(long, value_name = "S", default_value = "10", value_parser = positive)]
    pub(crate) seconds: f64,
    /// How long a call may take [default: 1000 for `load`, 20000 otherwise].
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u64).range(1..=MAX_MS))]
    pub(crate) deadline_ms: Option<u64>,
    /// Bytes of a request of `load`.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) payload: u32,
    /// Bytes of a reply of `load` [default: those of a request].
    #[arg(long, value_name = "N")]
    response_size: Option<u32>,
    /// How many calls the cases make that make many.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) count: u64,
    /// Where each call is written down.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Which of the servers is called first, modulo their number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

impl Cli {
    /// What the program was started with; ends it if that cannot be.
    pub(crate) fn read() -> Self {
        Self::parse()
    }
}

impl ClientOptions {
    /// Where to call from: any address of the kind that the servers have, unless one is given.
    pub(crate) fn bind(&self) -> SocketAddr {
        let any = if self.servers.iter().any(SocketAddr::is_ipv6) { "[::]:0" } else { "0.0.0.0:0" };
        self.bind.unwrap_or_else(|| any.parse().expect("both are addresses"))
    }

    /// How long a call may take.
    pub(crate) fn deadline(&self, default_ms: u64) -> Duration {
        Duration::from_millis(self.deadline_ms.unwrap_or(default_ms))
    }

    /// Bytes of a reply of `load`.
    pub(crate) fn response_size(&self) -> u32 {
        self.response_size.unwrap_or(self.payload)
    }
}

/// A number above zero, and not beyond what can be counted.
fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if 0.0 < number && number <= 1e9 { Ok(number) } else { Err("must be above 0".to_owned()) }
}

/// A day.
const MAX_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
