//! [`Link`]: two network namespaces, and between them a third that passes on no more than a thin
//! link carries.
//!
//! The queue must not be in a namespace that sends: there TCP sees it, and holds back before
//! anything is lost.

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
        for namespace in [CLIENT, ROUTER, SERVER] {
            // It is no failure if it is not there. With a namespace goes what is in it.
            let _ = run(&format!("ip netns delete {namespace}")).await;
        }
    }

    /// What the queue towards the server has done so far.
    pub(super) async fn dropped(&self) -> Result<Dropped, Error> {
        let device = ENDS[1].hop;
        let text = run(&format!("ip netns exec {ROUTER} tc -s qdisc show dev {device}")).await?;
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
    let mut commands: Vec<String> =
        [CLIENT, ROUTER, SERVER].iter().map(|name| format!("ip netns add {name}")).collect();
    commands.push(format!("ip netns exec {ROUTER} sysctl -q net.ipv4.ip_forward=1"));
    for End { namespace, device, ip, gateway, hop } in ENDS {
        let (rate, queue, mtu) = (options.rate_mbit, options.queue_ms, options.mtu);
        commands.push(format!("ip link add {device} type veth peer name {hop}"));
        for (namespace, device, ip) in [(namespace, device, ip), (ROUTER, hop, gateway)] {
            commands.extend([
                format!("ip link set {device} netns {namespace}"),
                format!("ip -n {namespace} addr add {ip}/24 dev {device}"),
                format!("ip -n {namespace} link set {device} mtu {mtu}"),
                format!("ip -n {namespace} link set {device} up"),
                format!("ip -n {namespace} link set lo up"),
            ]);
        }
        commands.extend([
            format!("ip -n {namespace} route add default via {gateway}"),
            format!(
                "ip netns exec {ROUTER} tc qdisc add dev {hop} root tbf \
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

/// A namespace at an end of the link, and the way from there to the one in the middle.
struct End {
    namespace: &'static str,
    // Names of devices have 15 letters at most.
    device: &'static str,
    ip: &'static str,
    gateway: &'static str,
    /// The other end of the device.
    hop: &'static str,
}

const ENDS: [End; 2] = [
    End {
        namespace: CLIENT,
        device: "broach-a",
        ip: "10.99.77.1",
        gateway: "10.99.77.2",
        hop: "broach-to-a",
    },
    End {
        namespace: SERVER,
        device: "broach-b",
        ip: SERVER_IP,
        gateway: "10.99.78.1",
        hop: "broach-to-b",
    },
];

pub(super) const CLIENT: &str = "broach-thin-a";
pub(super) const SERVER: &str = "broach-thin-b";
pub(super) const SERVER_IP: &str = "10.99.78.2";

const ROUTER: &str = "broach-thin-hop";
