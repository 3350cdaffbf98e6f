//! [`Nodes`]: the processes of the cluster, from their start to their end.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::Error;
use crate::process::{END, NodeProcess};

/// The nodes, each a process that ends when this one does, in whatever way. They are counted from
/// 0 here, and from 1 in what people read.
#[derive(Debug)]
pub(crate) struct Nodes(Vec<NodeProcess>);

/// A node that was killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Killed {
    pub(crate) index: usize,
    pub(crate) at: Instant,
}

/// When a node noticed that another is dead; `None` if it did not while somebody waited for it.
#[derive(Clone, Debug)]
pub(crate) struct Noticed {
    pub(crate) by: String,
    pub(crate) at: Option<Instant>,
}

impl Nodes {
    /// Starts so many, of which the first is the seed of the others, and waits until all see all.
    ///
    /// # Errors
    ///
    /// If one does not start, or does not see the others.
    pub(crate) async fn start(count: usize) -> Result<Self, Error> {
        let mut nodes = Self(vec![NodeProcess::start(1, None).await?]);
        let seed = nodes.0[0].addr;
        let others = (2..=count).map(|number| NodeProcess::start(number, Some(seed)));
        nodes.0.extend(try_join_all(others).await?);
        nodes.see(count).await?;
        Ok(nodes)
    }

    /// Starts another node, which joins through one that lives. Returns its number.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub(crate) async fn add(&mut self) -> Result<usize, Error> {
        let index = self.0.len();
        let node = NodeProcess::start(index + 1, Some(self.a_live_one())).await?;
        self.0.push(node);
        Ok(index)
    }

    /// Waits until all that live see so many that do.
    ///
    /// # Errors
    ///
    /// If one does not.
    pub(crate) async fn see(&mut self, count: usize) -> Result<(), Error> {
        let live = self.0.iter_mut().filter(|node| !node.killed);
        try_join_all(live.map(|node| node.sees(count))).await?;
        Ok(())
    }

    /// The address of a node that lives: any of them will do to join through. Not that of the
    /// first, to which nothing is special once others have joined.
    pub(crate) fn a_live_one(&self) -> SocketAddr {
        let live = self.0.iter().rfind(|node| !node.killed);
        live.map_or(self.0[0].addr, |node| node.addr)
    }

    pub(crate) fn addr(&self, index: usize) -> SocketAddr {
        self.0[index].addr
    }

    /// The addresses, in the order of the nodes.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|node| node.addr).collect()
    }

    /// Ends a node with SIGKILL: it can do nothing about it, and tells nobody.
    ///
    /// # Errors
    ///
    /// If it has ended already.
    pub(crate) async fn kill(&mut self, index: usize) -> Result<Killed, Error> {
        let NodeProcess { child, killed, .. } = &mut self.0[index];
        if let Some(status) = child.try_wait()? {
            return Err(ended_early(index, status).into());
        }
        let at = Instant::now();
        // Whether or not its end is waited for.
        *killed = true;
        // This waits for it, so that no zombie is left.
        child.kill().await?;
        Ok(Killed { index, at })
    }

    /// Asks a node to end in good order, waits until it has, and starts it again at its address.
    /// Returns how long it took to end.
    ///
    /// # Errors
    ///
    /// If it does not end well, or does not start again.
    pub(crate) async fn restart(&mut self, index: usize) -> Result<Duration, Error> {
        let node = &mut self.0[index];
        let addr = node.addr;
        let asked = Instant::now();
        let mut stdin = node.child.stdin.take().ok_or("a node has no standard input")?;
        stdin.write_all(format!("{END}\n").as_bytes()).await?;
        let ended = timeout(PATIENCE, node.child.wait()).await;
        let status = ended.map_err(|_| format!("node {} does not end", index + 1))??;
        if !status.success() {
            return Err(format!("node {} did not end well: {status}", index + 1).into());
        }
        let took = asked.elapsed();
        node.killed = true;
        let seed = self.a_live_one();
        self.0[index] = NodeProcess::start_at(index + 1, Some(seed), Some(addr)).await?;
        Ok(took)
    }

    /// Waits until all that live and were there before call a node dead, or for as long as is
    /// given.
    pub(crate) async fn notice(&mut self, killed: Killed, wait: Duration) -> Vec<Noticed> {
        let addr = self.addr(killed.index);
        let witnesses = self.0.iter_mut().enumerate().filter(|(_, node)| {
            // One that came later may never have heard of it.
            !node.killed && node.started < killed.at
        });
        let notice = witnesses.map(|(by, node)| async move {
            let at = timeout(wait, node.view.calls_dead(addr, killed.at)).await;
            Noticed { by: format!("node {}", by + 1), at: at.ok().flatten() }
        });
        join_all(notice).await
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

fn ended_early(index: usize, status: ExitStatus) -> String {
    format!("node {} ended before its time: {status}", index + 1)
}

/// How long a node may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
