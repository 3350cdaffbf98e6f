//! The end of a link that serves.

use std::net::{IpAddr, SocketAddr};

use broach_core::{Context, Node, Receiver, Security, Sender, Status};
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::Error;
use crate::broach::thin::v1::{Load, Taken, Thin, ThinServer, Wanted};
use crate::thin::tcp;

struct Service;

#[broach_core::async_trait]
impl Thin for Service {
    async fn take(&self, _cx: Context, _load: Load) -> Result<Taken, Status> {
        Ok(Taken { loads: 1 })
    }

    async fn take_all(&self, _cx: Context, mut loads: Receiver<Load>) -> Result<Taken, Status> {
        let mut count = 0;
        while loads.message().await?.is_some() {
            count += 1;
        }
        Ok(Taken { loads: count })
    }

    async fn give(
        &self,
        _cx: Context,
        wanted: Wanted,
        mut loads: Sender<Load>,
    ) -> Result<(), Status> {
        let data = Bytes::from(vec![0x5a; wanted.bytes_each.min(EACH_MAX) as usize]);
        for _ in 0..wanted.loads {
            loads.send(Load { data: data.clone() }).await?;
        }
        Ok(())
    }
}

/// Serves Broach and TCP until the process is killed.
///
/// # Errors
///
/// If there is no such address.
pub(crate) async fn serve(ip: IpAddr) -> Result<(), Error> {
    let any = SocketAddr::new(ip, 0);
    let node = Node::builder()
        .bind(any)
        .security(Security::clear())
        .serve(ThinServer::new(Service))
        .start()
        .await?;
    let listener = TcpListener::bind(any).await?;
    println!("READY {} {}", node.local_addr(), listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(tcp::take(stream));
    }
}

/// Bytes of a load that is given, at most.
const EACH_MAX: u64 = 1 << 20;
