//! The two programs of the greeter, run against each other.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SERVER: &str = env!("CARGO_BIN_EXE_greeter-server");
const CLIENT: &str = env!("CARGO_BIN_EXE_greeter-client");

#[test]
fn the_client_prints_the_greeting_and_signals_end_the_server() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (mut server, addr) = server(&["127.0.0.1:0"]);
        let addr = addr.as_str();

        let answered = client(&[addr]);
        assert_eq!(text(&answered.stdout), "Hello Ada!\n");
        assert!(answered.status.success());
        assert_eq!(text(&client(&[addr, "Bob"]).stdout), "Hello Bob!\n");

        let refused = client(&[addr, ""]);
        assert!(text(&refused.stderr).starts_with("INVALID_ARGUMENT: "), "{refused:?}");
        assert_eq!(refused.status.code(), Some(1));

        let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
        kill(pid, signal).unwrap();
        assert!(server.wait().unwrap().success());
    }
}

#[test]
fn a_greeter_is_found_through_any_node_of_its_cluster() {
    let (mut one, seed) = server(&["127.0.0.1:0"]);
    let (mut two, addr) = server(&["127.0.0.1:0", "--join", &seed]);
    for addr in [&seed, &addr] {
        assert_eq!(text(&client(&["--join", addr, "Bob"]).stdout), "Hello Bob!\n");
    }
    for server in [&mut one, &mut two] {
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

#[test]
fn an_address_that_cannot_be_used_is_explained() {
    for program in [SERVER, CLIENT] {
        let output = Command::new(program).arg("nowhere").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("it must read host:port"), "{output:?}");
    }
}

#[test]
fn help_is_no_address() {
    for program in [SERVER, CLIENT] {
        for (args, code) in [(vec!["--help"], 0), (vec!["-x"], 2), (vec!["one"; 3], 2)] {
            let output = Command::new(program).args(args).output().unwrap();
            assert_eq!(output.status.code(), Some(code));
            assert!(text(&output.stderr).starts_with("usage: greeter-"), "{output:?}");
        }
    }
}

/// A server, and the address that it says.
fn server(args: &[&str]) -> (Child, String) {
    let mut server = Command::new(SERVER).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.strip_prefix("serving on ").and_then(|rest| rest.split(',').next());
    (server, addr.unwrap().to_owned())
}

fn client(args: &[&str]) -> Output {
    Command::new(CLIENT).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
