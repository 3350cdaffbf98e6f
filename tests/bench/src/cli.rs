//! The command line.

use std::num::NonZeroUsize;
use std::time::Duration;

use broach_core::config;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures calls over the loopback interface.
#[derive(Parser)]
#[command(about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) bench: Bench,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves until standard input is closed (the measurement starts it).
    #[command(hide = true)]
    Serve(Serve),
}

/// What both processes are told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Worker threads of the runtime in each process.
    #[arg(long, default_value = "2")]
    pub(crate) workers: NonZeroUsize,
    /// Keep both processes on this one CPU.
    #[arg(long)]
    pub(crate) pin: Option<usize>,
    /// Bytes of a datagram, or `auto`.
    #[arg(long, default_value = "auto")]
    pub(crate) datagram: Datagram,
}

/// What the serving process is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// How many nodes serve.
    #[arg(long, default_value_t = 1)]
    pub(crate) nodes: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct Bench {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Mode::Unary)]
    pub(crate) mode: Mode,
    /// Bytes that each call carries, there and back, or each message of a stream.
    #[arg(long, default_value_t = 32)]
    pub(crate) payload: u32,
    /// Calls or streams under way at once.
    #[arg(long, default_value = "1")]
    pub(crate) concurrency: NonZeroUsize,
    /// How long to measure.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// How long to run before.
    #[arg(long, default_value = "0.3", value_parser = seconds)]
    pub(crate) warmup: Duration,
    /// How the server is found.
    #[arg(long, value_enum, default_value_t = Route::Direct)]
    pub(crate) channel: Route,
    /// How many nodes there are in `idle`.
    #[arg(long, default_value = "200")]
    pub(crate) peers: NonZeroUsize,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Mode {
    /// Each call echoes its payload.
    Unary,
    /// Streams of requests.
    Up,
    /// Streams of replies.
    Down,
    /// Streams of both, of which each message comes back.
    Duplex,
    /// Calls that echo their payload, beside one that echoes 1 MiB over and over again.
    Mixed,
    /// 300 first calls, each of a new client.
    Cold,
    /// What memory nodes take that have nothing to do with each other at present.
    Idle,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Route {
    /// By its address.
    Direct,
    /// As the one that offers the service, by a node which joins its cluster as a client only.
    Cluster,
}

/// A size of datagrams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram(Option<usize>);

impl Cli {
    /// What the program was started with; ends it if that cannot be.
    pub(crate) fn read() -> Self {
        Self::parse()
    }
}

impl Common {
    /// The settings of both sides' transport.
    pub(crate) fn transport(&self) -> config::Transport {
        let mut config = config::Transport::default();
        config.datagram_bytes = self.datagram.0;
        config
    }
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Up => "up",
            Self::Down => "down",
            Self::Duplex => "duplex",
            Self::Mixed => "mixed",
            Self::Cold => "cold",
            Self::Idle => "idle",
        }
    }
}

impl Route {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Cluster => "cluster",
        }
    }
}

impl std::str::FromStr for Datagram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            _ => text.parse().map(Some).map(Self).map_err(|_| "a number or auto".to_owned()),
        }
    }
}

impl std::fmt::Display for Datagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("auto"),
            Some(bytes) => bytes.fmt(f),
        }
    }
}

/// A time in seconds, of which there may be fractions.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "must be a time".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_mode_is_a_wrong_flag() {
        let Err(error) = Cli::try_parse_from(["broach-bench", "--mode", "sideways"]) else {
            panic!("it was taken");
        };
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn modes_are_named_as_on_the_command_line() {
        for mode in Mode::value_variants() {
            assert_eq!(Mode::from_str(mode.name(), false).as_ref(), Ok(mode));
        }
    }
}
