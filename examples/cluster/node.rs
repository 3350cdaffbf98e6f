//! A node: the process that counts words.

use std::io::Write;

use broach_core::{Context, Node, Status};
use tokio::io::{copy, sink, stdin};

use crate::Error;
use crate::wordcount::v1::{CountReply, CountRequest, WordCount, WordCountServer};
use crate::words::Tally;

struct Counter;

#[broach_core::async_trait]
impl WordCount for Counter {
    async fn count(&self, _cx: Context, request: CountRequest) -> Result<CountReply, Status> {
        let tally = if request.text.len() <= AT_ONCE_BYTES_MAX {
            Tally::of(&request.text)
        } else {
            let counted = tokio::task::spawn_blocking(move || Tally::of(&request.text)).await;
            counted.map_err(|error| Status::internal("counting failed").with_source(error))?
        };
        Ok(CountReply { counts: tally.into_counts() })
    }
}

/// Serves on a port that is free, and says which, until the process that started this one is gone.
pub(crate) async fn serve() -> Result<(), Error> {
    let node = Node::builder().serve(WordCountServer::new(Counter)).start().await?;
    writeln!(std::io::stdout(), "{READY}{}", node.local_addr())?;
    // The other end closes when its process ends, however it ends.
    copy(&mut stdin(), &mut sink()).await?;
    // Whoever called is gone, so there is nobody to finish for: the node is dropped, not shut down.
    Ok(())
}

/// What a node says before its address, once it can be called.
pub(crate) const READY: &str = "READY ";

/// Counting this much takes about half a millisecond. What takes longer must not keep a thread of
/// the runtime from what else there is to do, such as answering other nodes.
const AT_ONCE_BYTES_MAX: usize = 64 << 10;
