//! [`NodeProcess`]: a node in a process of its own, and what it says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Error;
use crate::said::Said;

/// A process of this program that serves.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    pub(crate) addr: SocketAddr,
    pub(crate) started: Instant,
    /// Holds the other end of its standard input, which the node ends with.
    pub(crate) child: Child,
    pub(crate) killed: bool,
    number: usize,
    seen: watch::Receiver<Seen>,
}

/// What a node has said of the others.
#[derive(Debug, Default)]
struct Seen {
    members: usize,
    /// Who died, and when it said so.
    dead: HashMap<SocketAddr, Instant>,
}

impl NodeProcess {
    /// Starts a process, which joins through the seed, and waits for its address.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub(crate) async fn start(number: usize, seed: Option<SocketAddr>) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(SUBCOMMAND).args(seed.map(|seed| format!("--join={seed}")));
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
        let (sender, seen) = watch::channel(Seen::default());
        tokio::spawn(listen(lines, sender));
        Ok(Self { addr, started, child, killed: false, number, seen })
    }

    /// Waits until it sees so many members.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub(crate) async fn sees(&mut self, count: usize) -> Result<(), Error> {
        let Self { number, seen, .. } = self;
        let reached = async { seen.wait_for(|seen| seen.members == count).await.is_ok() };
        if timeout(PATIENCE, reached).await == Ok(true) {
            return Ok(());
        }
        let members = seen.borrow().members;
        Err(format!("node {number} sees {members} of {count} nodes after {PATIENCE:?}").into())
    }

    /// Waits until it calls the node at this address dead, and says when it did. What it said of
    /// it before `since` does not count. `None` if it has ended.
    pub(crate) async fn calls_dead(&mut self, addr: SocketAddr, since: Instant) -> Option<Instant> {
        let dead = |seen: &Seen| seen.dead.get(&addr).copied().filter(|&at| since <= at);
        let seen = self.seen.wait_for(|seen| dead(seen).is_some()).await;
        seen.ok().and_then(|seen| dead(&seen))
    }
}

/// Takes in what a node says until it ends.
async fn listen(mut lines: Lines<BufReader<ChildStdout>>, seen: watch::Sender<Seen>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let now = Instant::now();
        match line.parse() {
            Ok(Said::Members(count)) => seen.send_modify(|seen| seen.members = count),
            Ok(Said::Died(addr)) => seen.send_modify(|seen| {
                seen.dead.insert(addr, now);
            }),
            // Of no use here.
            Ok(Said::Ready(_)) | Err(_) => {}
        }
    }
}

/// The hidden subcommand that makes a process of this program a node.
pub(crate) const SUBCOMMAND: &str = "node";

/// How long a node may take to start, and to find the others.
const PATIENCE: Duration = Duration::from_secs(15);
