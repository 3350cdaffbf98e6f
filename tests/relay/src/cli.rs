//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use broach_core::testing::Faults;
use clap::{Args, Parser, Subcommand};

use crate::Error;

/// Puts a bad network between real processes.
#[derive(Parser)]
#[command(about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) carry: Carry,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs the cases of broach-interop, with nothing in between and through a relay.
    Interop(Interop),
    /// Measures what Broach makes of a thin link, between two network namespaces; as root.
    Thin(Thin),
    /// Measures large messages and long streams through a relay that loses datagrams.
    Bulk(Bulk),
    /// The end of the thin link that serves.
    #[command(hide = true)]
    ThinServe {
        /// The address to serve at.
        ip: IpAddr,
    },
    /// The end of the thin link that calls.
    #[command(hide = true)]
    ThinCall(ThinCall),
}

#[derive(Args)]
pub(crate) struct Carry {
    /// Where datagrams are carried to; can be given several times.
    #[arg(long, value_name = "ADDR", required = true)]
    pub(crate) to: Vec<SocketAddr>,
    /// Where datagrams are taken for each of them, in the same order [default: any port of
    /// 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
pub(crate) struct Interop {
    /// The program whose cases are run [default: broach-interop, beside this one].
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    /// The cases that are run, with commas between them [default: all of them].
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) cases: Vec<String>,
    /// How many calls the cases make that make many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) count: u64,
    /// Through the relay only.
    #[arg(long)]
    pub(crate) relayed: bool,
    /// Where the relay and the servers are. To addresses of the loopback interface, datagrams are
    /// larger than to others.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) via: IpAddr,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
pub(crate) struct Bulk {
    /// How often each of them is measured.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) rounds: usize,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
pub(crate) struct Thin {
    /// How many megabits get through in a second, each way.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub(crate) rate_mbit: f64,
    /// How many milliseconds packets wait at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) queue_ms: u64,
    /// Bytes of the largest packet.
    #[arg(long, value_name = "N", default_value_t = 1500)]
    pub(crate) mtu: u16,
    /// The congestion control of TCP.
    #[arg(long, value_name = "NAME", default_value = "cubic")]
    pub(crate) tcp: String,
    /// How long each measurement takes. A flow of TCP takes some ten seconds to find its share.
    #[arg(long, value_name = "S", default_value_t = 25.0)]
    pub(crate) seconds: f64,
}

/// What is done over the thin link at once.
#[derive(Args)]
pub(crate) struct ThinCall {
    #[arg(long)]
    pub(crate) broach: String,
    #[arg(long)]
    pub(crate) tcp: String,
    /// Bulk transfers with Broach.
    #[arg(long)]
    pub(crate) broach_flows: usize,
    /// And with TCP.
    #[arg(long)]
    pub(crate) tcp_flows: usize,
    /// Its congestion control.
    #[arg(long)]
    pub(crate) tcp_congestion: String,
    /// Small calls all the time.
    #[arg(long)]
    pub(crate) small: bool,
    /// So many small calls in one moment, and nothing else.
    #[arg(long)]
    pub(crate) burst: usize,
    #[arg(long)]
    pub(crate) seconds: f64,
}

impl ThinCall {
    /// The command line that says this.
    pub(crate) fn to_args(&self) -> Vec<String> {
        let mut args = vec![
            format!("--broach={}", self.broach),
            format!("--tcp={}", self.tcp),
            format!("--broach-flows={}", self.broach_flows),
            format!("--tcp-flows={}", self.tcp_flows),
            format!("--tcp-congestion={}", self.tcp_congestion),
            format!("--burst={}", self.burst),
            format!("--seconds={}", self.seconds),
        ];
        if self.small {
            args.push("--small".to_owned());
        }
        args
    }
}

/// What happens to datagrams, each way.
#[derive(Args, Clone)]
pub(crate) struct Network {
    /// The share of datagrams that are lost, from 0 to 1.
    #[arg(long, value_name = "P")]
    loss: Option<f64>,
    /// The share that arrive twice.
    #[arg(long, value_name = "P")]
    duplicate: Option<f64>,
    /// How long they take, in milliseconds: from the first to the second, evenly spread, so that
    /// they overtake each other.
    #[arg(long, value_name = "A-B")]
    delay_ms: Option<Delay>,
    /// How many megabits get through in a second.
    #[arg(long, value_name = "N")]
    rate_mbit: Option<f64>,
    /// How many milliseconds datagrams wait at most for their turn on such a way [default: 50].
    #[arg(long, value_name = "N")]
    queue_ms: Option<u64>,
    /// Bytes of the largest datagram that gets through.
    #[arg(long, value_name = "N")]
    mtu: Option<usize>,
    /// Decides what becomes of each datagram.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// From, and up to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Delay(Duration, Duration);

impl std::str::FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let millis = |text: &str| {
            let millis: f64 = text.parse().ok()?;
            Duration::try_from_secs_f64(millis / 1e3).ok()
        };
        match (millis(from), millis(to)) {
            (Some(from), Some(to)) if from <= to => Ok(Self(from, to)),
            _ => Err("must be two numbers such as 0-20, the second not below the first".into()),
        }
    }
}

impl Interop {
    /// What the network does, unless it is told to do otherwise.
    pub(crate) fn default_to_bad(&mut self) {
        let Network { loss, duplicate, delay_ms, mtu, .. } = &mut self.network;
        loss.get_or_insert(0.1);
        duplicate.get_or_insert(0.1);
        delay_ms.get_or_insert(Delay(Duration::ZERO, Duration::from_millis(20)));
        mtu.get_or_insert(1200);
    }
}

impl Bulk {
    /// What the network does, unless it is told to do otherwise.
    pub(crate) fn default_to_lossy(&mut self) {
        let Network { loss, delay_ms, mtu, .. } = &mut self.network;
        loss.get_or_insert(0.05);
        let half = Duration::from_micros(500);
        delay_ms.get_or_insert(Delay(half, half));
        mtu.get_or_insert(1472);
    }
}

impl Network {
    /// # Errors
    ///
    /// If a share is none.
    pub(crate) fn faults(&self) -> Result<Faults, Error> {
        let mut faults = Faults::default();
        let share = |name: &str, share: Option<f64>| match share.unwrap_or_default() {
            share if (0.0..=1.0).contains(&share) => Ok(share),
            share => Err(format!("--{name} is a share, from 0 to 1, and {share} is none")),
        };
        faults.loss = share("loss", self.loss)?;
        faults.duplicate = share("duplicate", self.duplicate)?;
        let Delay(from, to) = self.delay_ms.unwrap_or(Delay(Duration::ZERO, Duration::ZERO));
        (faults.delay, faults.jitter) = (from, to - from);
        faults.bytes_per_second = self.rate_mbit.map(|megabits| (megabits * 125_000.0) as u64);
        faults.queue = self.queue_ms.map_or(faults.queue, Duration::from_millis);
        faults.mtu = self.mtu.unwrap_or(faults.mtu);
        Ok(faults)
    }
}

/// Where datagrams are taken if nothing is said about it.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn delays_have_a_beginning_and_an_end() {
        let millis = Duration::from_millis;
        assert_eq!("0-20".parse(), Ok(Delay(millis(0), millis(20))));
        assert_eq!("2.5".parse(), Ok(Delay(millis(5) / 2, millis(5) / 2)));
        for wrong in ["", "20-0", "a-b", "-1-2", "1-"] {
            assert!(wrong.parse::<Delay>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_checked() {
        let network = |args: &[&str]| {
            let to = ["broach-relay", "--to", "127.0.0.1:1"];
            Cli::try_parse_from(to.iter().chain(args)).map(|cli| cli.carry.network.faults())
        };
        assert_eq!(network(&["--loss", "0.25"]).unwrap().unwrap().loss, 0.25);
        assert!(network(&["--loss", "1.25"]).unwrap().is_err());
    }
}
