//! Messages of many megabytes, a stream of large ones, and what happens above the limit.
//!
//! ```text
//! cargo run --release -p broach-examples --bin large-messages
//! ```
//!
//! Nothing has to be done for large messages: they are cut into datagrams, and small calls go past
//! them. What has to be known are the limits, which both sides have.

// What the build script made of `store.proto`.
broach_core::include_protos!();

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use broach_core::{Channel, Context, Node, Sender, Status, config};
use store::v1::{Blob, Store, StoreClient, StoreServer, Wish};

#[derive(Default)]
struct Shelf {
    /// How many chunks have been handed to the sender so far.
    sent: AtomicU32,
}

#[broach_core::async_trait]
impl Store for Shelf {
    async fn echo(&self, _cx: Context, blob: Blob) -> Result<Blob, Status> {
        Ok(blob)
    }

    async fn download(
        &self,
        _cx: Context,
        wish: Wish,
        mut replies: Sender<Blob>,
    ) -> Result<(), Status> {
        for number in 0..wish.chunks {
            // It waits here while the other side is behind. So a chunk is made when there is room
            // for it, and there are never more than a few of them in memory.
            replies.send(blob(wish.chunk_bytes as usize, number as u8)).await?;
            self.sent.fetch_add(1, SeqCst);
        }
        Ok(())
    }
}

/// A message of 16 MiB goes there and comes back.
async fn there_and_back(store: &StoreClient) -> Result<(), Box<dyn Error>> {
    // The limit is on the whole message: the bytes, and five more that say how many they are.
    let request = blob((16 << 20) - 5, 7);
    let begun = Instant::now();
    let reply = store.echo(request.clone()).await?;
    if reply != request {
        return Err("what came back is not what went there".into());
    }
    println!("{} there and back in {:.0?}", mebibytes(request.data.len()), begun.elapsed());
    Ok(())
}

/// Many chunks come one after the other, and are taken slowly.
async fn download(store: &StoreClient, shelf: &Shelf) -> Result<(), Box<dyn Error>> {
    let wish = Wish { chunks: 24, chunk_bytes: 1 << 20 };
    let (mut taken, mut bytes, mut ahead) = (0, 0, 0);
    let mut chunks = store.download(wish).await?;
    while let Some(chunk) = chunks.message().await? {
        taken += 1;
        bytes += chunk.data.len();
        // Something is done with it, which takes time. The other side could send on meanwhile.
        tokio::time::sleep(Duration::from_millis(10)).await;
        ahead = ahead.max(shelf.sent.load(SeqCst) - taken);
    }
    println!(
        "{} in {taken} chunks; the sender was never more than {ahead} ahead",
        mebibytes(bytes)
    );
    Ok(())
}

/// A message above the limit is refused before it is sent, with a status that names the limit.
async fn too_large(store: &StoreClient) -> Result<(), Box<dyn Error>> {
    match store.echo(blob(17 << 20, 7)).await {
        Ok(_) => Err("17 MiB were taken".into()),
        Err(status) => {
            println!("{}: {}", status.code(), status.message());
            Ok(())
        }
    }
}

/// With a higher limit on both sides it is taken.
async fn with_another_limit() -> Result<(), Box<dyn Error>> {
    let mut transport = config::Transport::default();
    transport.message_bytes_max = 32 << 20;
    let service = StoreServer::new(Shelf::default());
    let node = Node::builder().transport(transport.clone()).serve(service).start().await?;
    let channel = Channel::builder().transport(transport).connect(node.local_addr()).await?;
    let reply = StoreClient::new(channel).echo(blob(17 << 20, 7)).await?;
    println!("{} there and back with a limit of 32 MiB", mebibytes(reply.data.len()));
    node.shutdown().await?;
    Ok(())
}

fn blob(bytes: usize, filling: u8) -> Blob {
    Blob { data: vec![filling; bytes] }
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

async fn run() -> Result<(), Box<dyn Error>> {
    let shelf = Arc::new(Shelf::default());
    let node = Node::builder().serve(StoreServer::from(Arc::clone(&shelf))).start().await?;
    let store = StoreClient::new(Channel::connect(node.local_addr()).await?);
    there_and_back(&store).await?;
    download(&store, &shelf).await?;
    too_large(&store).await?;
    with_another_limit().await?;
    node.shutdown().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `#` asks for the long form, which tells what was tried.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
