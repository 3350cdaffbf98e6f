//! [`NodeProcess`]: a node in a process of its own, and what it says.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::Error;
use crate::said::Said;
use crate::view::{Teller, View};

/// A process of this program that serves.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    pub(crate) addr: SocketAddr,
    pub(crate) started: Instant,
    /// Holds the other end of its standard input, which the node ends with.
    pub(crate) child: Child,
    pub(crate) killed: bool,
    pub(crate) view: View,
    number: usize,
}

impl NodeProcess {
    /// Starts a process, which joins through the seed, and waits for its address.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub(crate) async fn start(number: usize, seed: Option<SocketAddr>) -> Result<Self, Error> {
        Self::start_at(number, seed, None).await
    }

    /// Starts a process that serves at this address, if there is one.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub(crate) async fn start_at(
        number: usize,
        seed: Option<SocketAddr>,
        bind: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(SUBCOMMAND).args(seed.map(|seed| format!("--join={seed}")));
        command.args(bind.map(|bind| format!("--bind={bind}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for the process that started the nodes, which then ends them.
        #[cfg(unix)]
        command.process_group(0);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("a node has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.map_err(|_| format!("node {number} has not started in {PATIENCE:?}"))??;
        let Some(line) = line else {
            let status = child.wait().await?;
            return Err(format!("node {number} did not start: {status}").into());
        };
        let Said::Ready(addr) = line.parse()? else {
            return Err(format!("node {number} did not start: it said {line:?}").into());
        };
        let (teller, view) = View::new();
        tokio::spawn(listen(lines, teller));
        Ok(Self { addr, started, child, killed: false, view, number })
    }

    /// Waits until it sees so many members.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub(crate) async fn sees(&mut self, count: usize) -> Result<(), Error> {
        let Self { number, view, .. } = self;
        if timeout(PATIENCE, view.sees(count)).await == Ok(true) {
            return Ok(());
        }
        let members = view.members();
        Err(format!("node {number} sees {members} of {count} nodes after {PATIENCE:?}").into())
    }
}

/// The line on its standard input that asks a node to end in good order.
pub(crate) const END: &str = "end";

/// Takes in what a node says until it ends.
async fn listen(mut lines: Lines<BufReader<ChildStdout>>, teller: Teller) {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(said) = line.parse() {
            teller.on_said(said);
        }
    }
}

/// The hidden subcommand that makes a process of this program a node.
pub(crate) const SUBCOMMAND: &str = "node";

/// How long a node may take to start, and to find the others.
const PATIENCE: Duration = Duration::from_secs(15);
