//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, value_parser};

use crate::cut::CHUNK_BYTES_MAX;

/// Counts the words of real text on a cluster of processes, one of which is killed and another
/// added meanwhile.
///
/// Starts nodes on this machine, which find each other, cuts the text into chunks, has the chunks
/// counted over and over again, and checks the totals against a count of its own. The exit code is
/// 0 only if they are equal and no call has failed.
#[derive(Debug, Parser)]
#[command(name = "cluster", args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves until standard input is closed (the cluster starts its nodes so).
    #[command(hide = true)]
    Node {
        /// The address of a node to join through; may be given more than once.
        #[arg(long, value_name = "ADDRESS")]
        join: Vec<String>,
        /// The address to serve at, in place of one with a port that is free.
        #[arg(long, value_name = "ADDRESS")]
        bind: Option<SocketAddr>,
    },
    /// Measures how long nodes that are started at once take to see each other.
    Joins(Joins),
    /// Measures how soon no call goes to a node that was killed, and how soon all call it dead.
    Kills(Kills),
    /// Measures whether a rolling restart loses a call, and how long each node takes to end.
    Rolls(Rolls),
    /// Measures how evenly calls are shared out among equal nodes.
    Shares(Shares),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Joins {
    /// How many nodes, each a process.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = between(2, 100))]
    pub(crate) nodes: u64,

    /// How many times.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = between(1, 10_000))]
    pub(crate) count: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Kills {
    /// How many nodes serve, each a process. One that was killed is replaced by another.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = between(2, 100))]
    pub(crate) nodes: u64,

    /// How many are killed, one after the other.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = between(1, 10_000))]
    pub(crate) count: u64,

    /// How many calls are in flight at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = between(1, 10_000))]
    pub(crate) in_flight: u64,

    /// The caller is no member, and asks the nodes now and then who is there.
    #[arg(long)]
    pub(crate) client_only: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rolls {
    /// How many nodes serve, each a process.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = between(2, 100))]
    pub(crate) nodes: u64,

    /// How often each of them is restarted.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = between(1, 10_000))]
    pub(crate) rounds: u64,

    /// How many calls are in flight at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = between(1, 10_000))]
    pub(crate) in_flight: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Shares {
    /// How many nodes serve, each a process.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = between(2, 100))]
    pub(crate) nodes: u64,

    /// How many calls are made.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        value_parser = between(1, 1_000_000_000)
    )]
    pub(crate) calls: u64,

    /// How many calls are in flight at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = between(1, 10_000))]
    pub(crate) in_flight: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A file, or a folder with all text in it; may be given more than once. Default: every source
    /// and Markdown file of the repository.
    #[arg(long = "input", value_name = "PATH")]
    pub(crate) inputs: Vec<PathBuf>,

    /// For how long; the pass over the text that is under way then is finished. A node is killed
    /// after a third of it, and another one started after two thirds.
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// How many nodes serve, each a process.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = between(1, 100))]
    pub(crate) nodes: u64,

    /// How many calls are in flight at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = between(1, 10_000))]
    pub(crate) in_flight: u64,

    /// How much text goes with one call, at the most; a longer word goes whole.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = CHUNK_BYTES_DEFAULT,
        value_parser = between(1, CHUNK_BYTES_MAX as u64)
    )]
    pub(crate) chunk: u64,

    /// Kills no node.
    #[arg(long)]
    pub(crate) no_kill: bool,

    /// Starts no further node.
    #[arg(long)]
    pub(crate) no_join: bool,
}

impl Cli {
    /// Reads the command line. Ends the program if it asks for help, or cannot be done.
    pub(crate) fn read() -> Self {
        let cli = Self::parse();
        match cli.options.conflict() {
            None => cli,
            Some(text) => Self::command().error(ErrorKind::ArgumentConflict, text).exit(),
        }
    }
}

impl Options {
    /// What cannot be done together.
    fn conflict(&self) -> Option<&'static str> {
        (self.nodes == 1 && !self.no_kill).then_some(
            "killing the only node leaves nobody to call: use more --nodes, or add --no-kill",
        )
    }
}

fn between(least: u64, most: u64) -> clap::builder::RangedU64ValueParser {
    value_parser!(u64).range(least..=most)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.1..=86_400.0).contains(&seconds) {
        return Err("not from 0.1 to 86400".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// The largest power of two of which each call goes into one datagram on the loopback interface,
/// and its reply too. With two processors, 30 MiB of text a second were counted in chunks of 1 KiB,
/// 60 in chunks of 8, and 130 in chunks of 64, whose calls take three times as long.
const CHUNK_BYTES_DEFAULT: u64 = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Cli::try_parse_from(line.split(' ')).unwrap().options
    }

    #[test]
    fn the_command_line_is_well_made() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_five_nodes_and_64_calls_for_20_seconds() {
        let options = options("cluster");
        assert_eq!((options.nodes, options.in_flight), (5, 64));
        assert_eq!(options.seconds, Duration::from_secs(20));
        assert!(options.inputs.is_empty() && !options.no_kill && !options.no_join);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "cluster --seconds 0",
            "cluster --seconds nan",
            "cluster --seconds inf",
            "cluster --seconds soon",
            "cluster --nodes 0",
            "cluster --in-flight 0",
            "cluster --chunk 0",
            "cluster --chunk 4194305",
            "cluster everything",
            "cluster kills --nodes 1",
            "cluster --seconds 1 shares",
        ] {
            assert_eq!(Cli::try_parse_from(line.split(' ')).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_only_node_is_not_killed() {
        assert!(options("cluster --nodes 1").conflict().is_some());
        assert!(options("cluster --nodes 1 --no-kill").conflict().is_none());
        assert!(options("cluster --nodes 2 --seconds 0.5").conflict().is_none());
    }
}
