//! A flow of TCP to compare with: as many bytes as get through, and word of how many came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpCongestion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::interval;

use crate::Error;

/// Takes all that comes, and tells every now and then how much that is.
pub(super) async fn take(stream: TcpStream) {
    let (mut reader, mut writer) = stream.into_split();
    let total = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&total);
    let tell = async move {
        let mut ticks = interval(TOLD_EVERY);
        loop {
            ticks.tick().await;
            if writer.write_u64(counted.load(Relaxed)).await.is_err() {
                return;
            }
        }
    };
    let read = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(bytes @ 1..) = reader.read(&mut buffer).await {
            total.fetch_add(bytes as u64, Relaxed);
        }
    };
    tokio::select! {
        () = tell => {}
        () = read => {}
    }
}

/// Sends without an end; `arrived` is how many bytes the other side has said that it has.
pub(super) async fn send(
    addr: String,
    congestion: String,
    arrived: Arc<AtomicU64>,
) -> Result<(), Error> {
    let stream = TcpStream::connect(addr).await?;
    setsockopt(&stream, TcpCongestion, &congestion.into())
        .map_err(|error| format!("its congestion control cannot be set: {error}"))?;
    let (reader, mut writer) = stream.into_split();
    tokio::spawn(listen(reader, arrived));
    let data = vec![0x5a; 64 << 10];
    loop {
        writer.write_all(&data).await?;
    }
}

async fn listen(mut reader: OwnedReadHalf, arrived: Arc<AtomicU64>) {
    while let Ok(total) = reader.read_u64().await {
        arrived.store(total, Relaxed);
    }
}

/// Some of what a second brings may be missing from what is told, but no more than this brings.
const TOLD_EVERY: Duration = Duration::from_millis(20);
