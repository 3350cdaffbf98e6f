//! [`Nodes`]: the processes of the cluster, from their start to their end.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Error;
use crate::node::READY;

/// The nodes, each a process that ends when this one does, in whatever way.
#[derive(Debug)]
pub(crate) struct Nodes(Vec<NodeProcess>);

#[derive(Debug)]
struct NodeProcess {
    addr: SocketAddr,
    /// Holds the other end of its standard input, which the node ends with.
    child: Child,
    killed: bool,
}

impl Nodes {
    /// Starts so many, and waits until all can be called.
    ///
    /// # Errors
    ///
    /// If one does not start.
    pub(crate) async fn start(count: usize) -> Result<Self, Error> {
        let nodes = try_join_all((1..=count).map(start)).await?;
        Ok(Self(nodes))
    }

    /// The addresses, in the order of the nodes.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|node| node.addr).collect()
    }

    /// Ends a node with SIGKILL: it can do nothing about it, and tells nobody. Returns when that
    /// was.
    ///
    /// # Errors
    ///
    /// If it has ended already.
    pub(crate) async fn kill(&mut self, index: usize) -> Result<Instant, Error> {
        let NodeProcess { child, killed, .. } = &mut self.0[index];
        if let Some(status) = child.try_wait()? {
            return Err(ended_early(index, status).into());
        }
        let at = Instant::now();
        // This also waits for its end, so that no zombie is left.
        child.kill().await?;
        *killed = true;
        Ok(at)
    }

    /// Ends all nodes that are left, and says which had ended before.
    ///
    /// # Errors
    ///
    /// If the operating system does not say what became of one.
    pub(crate) async fn stop(self) -> Result<Vec<String>, Error> {
        let mut problems = Vec::new();
        let mut left = Vec::new();
        for (index, mut node) in self.0.into_iter().enumerate() {
            if node.killed {
                continue;
            }
            match node.child.try_wait()? {
                Some(status) => problems.push(ended_early(index, status)),
                None => {
                    drop(node.child.stdin.take());
                    left.push(node.child);
                }
            }
        }
        for mut child in left {
            if let Ok(status) = timeout(PATIENCE, child.wait()).await {
                status?;
            } else {
                child.kill().await?;
            }
        }
        Ok(problems)
    }
}

/// Starts a process of this program that serves, and waits for its address.
async fn start(number: usize) -> Result<NodeProcess, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C is for the process that started the nodes, which then ends them.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("a node has no standard output")?;
    let mut line = String::new();
    let read = timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await;
    read.map_err(|_| format!("node {number} has not started within {PATIENCE:?}"))??;
    let Some(addr) = line.strip_prefix(READY) else {
        let status = child.wait().await?;
        return Err(format!("node {number} did not start: {status}").into());
    };
    let addr = addr.trim().parse()?;
    Ok(NodeProcess { addr, child, killed: false })
}

fn ended_early(index: usize, status: ExitStatus) -> String {
    format!("node {} ended before its time: {status}", index + 1)
}

/// The hidden subcommand that makes a process of this program a node.
pub(crate) const SUBCOMMAND: &str = "node";

/// How long a node may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
