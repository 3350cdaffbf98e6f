//! [`Link`]: two network namespaces with a thin link between them.

use std::process::Stdio;

use tokio::process::Command;

use crate::Error;
use crate::cli::Thin;

/// The link, which is there until it is taken down.
pub(super) struct Link(());

/// What a queue has let through and what it has not, in datagrams.
#[derive(Clone, Copy)]
pub(super) struct Dropped {
    sent: u64,
    dropped: u64,
}

impl Link {
    /// # Errors
    ///
    /// If a command fails; nothing is left then.
    pub(super) async fn set_up(options: &Thin) -> Result<Self, Error> {
        let link = Self(());
        // One that was left behind, if the last run was killed.
        link.take_down().await;
        for command in commands(options) {
            if let Err(error) = run(&command).await {
                link.take_down().await;
                return Err(error);
            }
        }
        Ok(link)
    }

    pub(super) async fn take_down(&self) {
        for namespace in [CLIENT, SERVER] {
            // It is no failure if it is not there. With a namespace goes what is in it.
            let _ = run(&format!("ip netns delete {namespace}")).await;
        }
    }

    /// What the client's queue has done so far.
    pub(super) async fn dropped(&self) -> Result<Dropped, Error> {
        let text =
            run(&format!("ip netns exec {CLIENT} tc -s qdisc show dev {CLIENT_DEV}")).await?;
        // Sent 1234 bytes 56 pkt (dropped 7, overlimits 8 requeues 9)
        let words: Vec<&str> = text.split([' ', ',']).collect();
        let number = |at: Option<usize>| words.get(at?).and_then(|word| word.parse().ok());
        let place = |word: &str| words.iter().position(|other| *other == word);
        let sent = number(place("pkt").and_then(|at| at.checked_sub(1)));
        let dropped = number(place("(dropped").map(|at| at + 1));
        let counts = sent.zip(dropped).ok_or_else(|| format!("tc says {text:?}"))?;
        Ok(Dropped { sent: counts.0, dropped: counts.1 })
    }
}

impl Dropped {
    /// In percent.
    pub(super) fn share(self) -> f64 {
        100.0 * self.dropped as f64 / (self.sent + self.dropped).max(1) as f64
    }
}

impl std::ops::Sub for Dropped {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { sent: self.sent - before.sent, dropped: self.dropped - before.dropped }
    }
}

fn commands(options: &Thin) -> Vec<String> {
    let mut commands = vec![
        format!("ip netns add {CLIENT}"),
        format!("ip netns add {SERVER}"),
        format!("ip link add {CLIENT_DEV} type veth peer name {SERVER_DEV}"),
    ];
    let ends = [(CLIENT, CLIENT_DEV, CLIENT_IP), (SERVER, SERVER_DEV, SERVER_IP)];
    for (namespace, device, ip) in ends {
        let (rate, queue) = (options.rate_mbit, options.queue_ms);
        commands.extend([
            format!("ip link set {device} netns {namespace}"),
            format!("ip -n {namespace} addr add {ip}/24 dev {device}"),
            format!("ip -n {namespace} link set {device} mtu {}", options.mtu),
            format!("ip -n {namespace} link set {device} up"),
            format!("ip -n {namespace} link set lo up"),
            format!(
                "ip netns exec {namespace} tc qdisc add dev {device} root tbf \
                 rate {rate}mbit burst 16kb latency {queue}ms"
            ),
        ]);
    }
    commands
}

async fn run(command: &str) -> Result<String, Error> {
    let mut words = command.split_whitespace();
    let program = words.next().ok_or("there is no command")?;
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command}: {} (it takes root)", said.trim()).into())
}

pub(super) const CLIENT: &str = "broach-thin-a";
pub(super) const SERVER: &str = "broach-thin-b";

// Names of devices have 15 letters at most.
const CLIENT_DEV: &str = "broach-a";
const SERVER_DEV: &str = "broach-b";

const CLIENT_IP: &str = "10.99.77.1";
pub(super) const SERVER_IP: &str = "10.99.77.2";
