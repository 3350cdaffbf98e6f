//! Processes: the one that serves, and on which processor both run.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::{Common, Error};

/// A server in a process of its own; it ends when this is dropped, or when this process does.
pub(crate) struct Server {
    child: Child,
    /// The server ends once this is closed.
    stdin: Option<ChildStdin>,
    pub(crate) addr: SocketAddr,
}

impl Server {
    pub(crate) fn start(common: &Common) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(["--workers", &common.workers.to_string()]);
        command.args(["--datagram", &common.datagram.to_string()]);
        if let Some(cpu) = common.pin {
            command.args(["--pin", &cpu.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.strip_prefix("READY ").ok_or("the server did not start")?;
        let addr = addr.trim().parse()?;
        Ok(Self { child, stdin, addr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// Ends this process once whoever started it closes its standard input.
pub(crate) fn exit_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

pub(crate) fn runtime(workers: usize) -> Result<Runtime, Error> {
    Ok(Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}

/// Keeps this process, and those that it starts later, on one processor.
pub(crate) fn pin(cpu: Option<usize>) -> Result<(), Error> {
    cpu.map_or(Ok(()), system::pin)
}

/// The processor time, user and system, that a process has used so far; `None` where the operating
/// system does not tell.
pub(crate) fn cpu_time(pid: u32) -> Result<Option<Duration>, Error> {
    system::cpu_time(pid)
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::time::clock_getcpuclockid;
    use nix::unistd::Pid;

    use crate::Error;

    pub(super) fn pin(cpu: usize) -> Result<(), Error> {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
    }

    pub(super) fn cpu_time(pid: u32) -> Result<Option<Duration>, Error> {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
        Ok(Some(clock.now()?.into()))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    use crate::Error;

    pub(super) fn pin(_: usize) -> Result<(), Error> {
        Err("processes can be kept on one processor on Linux only".into())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
    pub(super) fn cpu_time(_: u32) -> Result<Option<Duration>, Error> {
        Ok(None)
    }
}
