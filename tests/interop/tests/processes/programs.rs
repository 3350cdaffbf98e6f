//! [`Server`] and [`Client`]: the program as a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// A server, which is killed when this is dropped. Its files are named after it.
pub(crate) struct Server {
    process: Process,
    pub(crate) addr: String,
    folder: PathBuf,
    name: String,
}

/// A client that runs one test case.
pub(crate) struct Client {
    process: Process,
    pub(crate) history: PathBuf,
}

/// What came of a client.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) code: Option<i32>,
    /// The last line.
    pub(crate) line: Value,
    /// All lines before.
    pub(crate) said: Vec<String>,
    /// The lines of the history, each in its parts.
    pub(crate) history: Vec<Vec<String>>,
}

/// A process, and what it has said so far.
struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: PathBuf,
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_broach-interop"))
}

impl Server {
    /// Starts a server on a port that is free, and waits until it is ready.
    pub(crate) fn start(folder: &TempDir, name: &str, args: &[&str]) -> Self {
        Self::start_at(folder, name, "127.0.0.1:0", args)
    }

    pub(crate) fn start_at(folder: &TempDir, name: &str, addr: &str, args: &[&str]) -> Self {
        let folder = folder.path().to_owned();
        let mut command = program();
        command.args(["server", "--listen", addr]).args(args);
        for kind in ["exec-log", "members", "stats"] {
            command.arg(format!("--{kind}")).arg(folder.join(format!("{name}.{kind}")));
        }
        let mut process = Process::start(command, folder.join(format!("{name}.err")));
        let line = process.line();
        let Some(addr) = line.strip_prefix("READY ") else {
            panic!("{name} says {line:?}: {}", process.errors());
        };
        Self { addr: addr.to_owned(), process, folder, name: name.to_owned() }
    }

    /// The text of one of its files.
    pub(crate) fn file(&self, kind: &str) -> String {
        let path = self.path(kind);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }

    /// The lines of one of its files, each in its parts.
    pub(crate) fn lines(&self, kind: &str) -> Vec<Vec<String>> {
        parts(&self.file(kind))
    }

    pub(crate) fn stats(&self) -> Value {
        serde_json::from_str(&self.file("stats")).unwrap()
    }

    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        assert_eq!(self.process.child.wait().unwrap().code(), None);
    }

    /// Waits for its end; gives the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut rest = String::new();
        self.process.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "it says that it is ready, and nothing else");
        self.process.end()
    }
}

impl Client {
    /// Starts a client that calls these servers.
    pub(crate) fn start(folder: &TempDir, servers: &[&Server], args: &[&str]) -> Self {
        let addrs: Vec<&str> = servers.iter().map(|server| &*server.addr).collect();
        Self::start_for(folder, &addrs.join(","), args)
    }

    pub(crate) fn start_for(folder: &TempDir, servers: &str, args: &[&str]) -> Self {
        let history = folder.path().join("history");
        let mut command = program();
        command.args(["client", "--servers", servers]).args(args).arg("--history").arg(&history);
        Self { process: Process::start(command, folder.path().join("client.err")), history }
    }

    /// Waits until it says when it starts; gives the time.
    pub(crate) fn started(&mut self) -> u64 {
        let line = self.process.line();
        let start = line.strip_prefix("START ").and_then(|time| time.parse().ok());
        start.unwrap_or_else(|| panic!("{line:?}: {}", self.process.errors()))
    }

    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// Waits for its end; checks what is always so.
    pub(crate) fn wait(mut self) -> Result {
        let mut said = String::new();
        self.process.stdout.read_to_string(&mut said).unwrap();
        let code = self.process.end();
        let mut said: Vec<String> = said.lines().map(str::to_owned).collect();
        let last = said.pop().unwrap_or_else(|| panic!("{}", self.process.errors()));
        let line: Value = serde_json::from_str(&last).unwrap();
        let history = parts(&std::fs::read_to_string(&self.history).unwrap());
        let sum = |field: &str| -> u64 {
            line[field].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
        };
        let calls = line["calls"].as_u64().unwrap();
        assert_eq!(calls, line["ok"].as_u64().unwrap() + sum("errors"), "{line}");
        assert_eq!(calls, sum("outcomes"), "{line}");
        assert_eq!(calls, history.len() as u64, "{line}");
        assert_eq!(code, Some(i32::from(line["pass"] != true)), "{}", self.process.errors());
        Result { code, line, said, history }
    }
}

impl Process {
    fn start(mut command: Command, stderr: PathBuf) -> Self {
        let file = File::create(&stderr).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// The next line that it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end; gives the exit code.
    fn end(&mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        let errors = self.errors();
        assert!(!errors.contains("panicked at") && !errors.contains('\u{1b}'), "{errors}");
        code
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }
}

impl Drop for Server {
    /// If a test fails, this may say why.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let members = std::fs::read_to_string(self.path("members")).unwrap_or_default();
            eprintln!("{} at {} has seen:\n{members}", self.name, self.addr);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long since.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it is so: for what processes write into files.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "this never came to be: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn parts(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

const PATIENCE: Duration = Duration::from_secs(20);
