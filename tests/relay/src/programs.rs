//! The programs of `broach-interop`, each in a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Error;

/// A server that runs; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
}

/// How a client has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What it says of itself: its last line.
    pub(crate) line: String,
    pub(crate) stderr: String,
}

/// The program that is meant if none is named: the one beside this one.
pub(crate) fn beside() -> Result<PathBuf, Error> {
    let path = std::env::current_exe()?.with_file_name("broach-interop");
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "there is no {}: build it with `cargo build --release -p broach-interop`, or name it with \
         --program",
        path.display()
    )
    .into())
}

impl Server {
    /// Starts one that says to others that it has this address.
    ///
    /// # Errors
    ///
    /// If it does not say within a while that it serves.
    pub(crate) async fn start(
        program: &Path,
        listen: SocketAddr,
        advertise: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.args(["server", "--listen", &listen.to_string()]);
        if let Some(addr) = advertise {
            command.args(["--advertise", &addr.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_MAX, lines.next_line()).await.map_err(|_| NOT_STARTED)??;
        let addr = line.as_deref().and_then(|line| line.strip_prefix("READY "));
        let addr = addr.ok_or(NOT_STARTED)?.parse()?;
        Ok(Self { child, addr })
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    ///
    /// If it does not end as it should.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        let pid = self.child.id().ok_or("the server had ended before")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        let status = timeout(END_MAX, self.child.wait()).await;
        match status.map_err(|_| "the server did not end")?? {
            status if status.success() => Ok(()),
            status => Err(format!("the server ended with {status}").into()),
        }
    }
}

/// Runs a client to its end.
///
/// # Errors
///
/// If it cannot be run, or does not end.
pub(crate) async fn client(program: &Path, args: &[String]) -> Result<Ended, Error> {
    let mut command = Command::new(program);
    command.arg("client").args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(CASE_MAX, command.output()).await;
    let output = output.map_err(|_| format!("the client did not end within {CASE_MAX:?}"))??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stdout = text(&output.stdout);
    Ok(Ended {
        code: output.status.code(),
        line: stdout.lines().last().unwrap_or_default().to_owned(),
        stderr: text(&output.stderr),
    })
}

const NOT_STARTED: &str = "the server did not start";

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(10);

/// How long a server may take to end that has nothing to do: it drains for 10 s at most.
const END_MAX: Duration = Duration::from_secs(12);

/// How long a case may take, and a little more.
const CASE_MAX: Duration = Duration::from_secs(60);
