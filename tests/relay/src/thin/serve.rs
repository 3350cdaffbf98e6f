//! The end of the link that serves.

use std::net::{IpAddr, SocketAddr};

use broach_core::{Context, Node, Security, Status};
use tokio::net::TcpListener;

use crate::Error;
use crate::broach::thin::v1::{Load, Taken, Thin, ThinServer};
use crate::thin::tcp;

struct Service;

#[broach_core::async_trait]
impl Thin for Service {
    async fn take(&self, _cx: Context, _load: Load) -> Result<Taken, Status> {
        Ok(Taken {})
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
