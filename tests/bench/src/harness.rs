//! Processes: the one that serves, and on which processor both run.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::Error;
use crate::cli::Common;

/// A server in a process of its own; it ends when this is dropped, or when this process does.
pub(crate) struct Server {
    child: Child,
    /// The server ends once this is closed.
    stdin: Option<ChildStdin>,
    /// One for each of its nodes.
    pub(crate) addrs: Vec<SocketAddr>,
}

impl Server {
    /// Starts a process in which so many nodes serve; at least one.
    pub(crate) fn start(common: &Common, nodes: usize) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(["--nodes", &nodes.to_string()]);
        command.args(["--workers", &common.workers.to_string()]);
        command.args(["--datagram", &common.datagram.to_string()]);
        if let Some(cpu) = common.pin {
            command.args(["--pin", &cpu.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let addrs = line.strip_prefix("READY ").ok_or("the server did not start")?;
        let addrs: Vec<SocketAddr> =
            addrs.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        if addrs.is_empty() {
            return Err("the server has no address".into());
        }
        Ok(Self { child, stdin, addrs })
    }

    /// The address of its first node.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addrs[0]
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

pub(crate) fn runtime(workers: NonZeroUsize) -> Result<Runtime, Error> {
    Ok(Builder::new_multi_thread().worker_threads(workers.get()).enable_all().build()?)
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

/// How much memory a process has at present, in KiB; `None` where the operating system does not
/// tell.
pub(crate) fn resident_kib(pid: u32) -> Result<Option<f64>, Error> {
    system::resident_kib(pid)
}

/// Lets this process, and those that it starts later, open as many files as it may ask for.
pub(crate) fn allow_many_files() -> Result<(), Error> {
    system::allow_many_files()
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
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

    pub(super) fn resident_kib(pid: u32) -> Result<Option<f64>, Error> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|line| line.split_whitespace().next()).ok_or("there is no VmRSS")?;
        Ok(Some(kib.parse()?))
    }

    pub(super) fn allow_many_files() -> Result<(), Error> {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
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

    #[expect(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
    pub(super) fn resident_kib(_: u32) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
    pub(super) fn allow_many_files() -> Result<(), Error> {
        Ok(())
    }
}
