//! A node: the process that counts words.

use std::io::Write;
use std::net::SocketAddr;

use broach_core::{Context, MemberEvent, MemberEvents, MemberState, Members, Node, Status};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::Error;
use crate::process::END;
use crate::said::Said;
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

/// Serves on a port that is free, joins the others through the seeds, and tells what it sees of
/// them, until the process that started this one is gone.
pub(crate) async fn serve(seeds: Vec<String>, bind: Option<SocketAddr>) -> Result<(), Error> {
    let builder = Node::builder().join(seeds).serve(WordCountServer::new(Counter));
    let builder = match bind {
        Some(bind) => builder.bind(bind),
        None => builder,
    };
    let node = builder.start().await?;
    // From now on, so that none is missed.
    let events = node.events();
    tell(Said::Ready(node.advertised_addr()));
    let mut lines = BufReader::new(stdin()).lines();
    let asked = tokio::select! {
        // The other end closes when its process ends, however it ends.
        line = lines.next_line() => line?,
        () = watch(&node, events, tell) => None,
    };
    if asked.as_deref() == Some(END) {
        node.shutdown().await?;
    }
    // Else whoever called is gone, so there is nobody to finish for: the node is dropped, not shut
    // down.
    Ok(())
}

/// Tells how many members there are, and who has died.
pub(crate) async fn watch(node: &Node, mut events: MemberEvents, tell: impl Fn(Said)) {
    let mut told = 0;
    loop {
        let count = callable(&node.members());
        if count != told {
            tell(Said::Members(count));
            told = count;
        }
        match events.next().await {
            Some(MemberEvent::Died(peer)) => tell(Said::Died(peer.addr)),
            // The table of the members has it.
            Some(_) => {}
            None => return,
        }
    }
}

/// How many members are well, as far as is known, and known to serve something.
fn callable(members: &Members) -> usize {
    let serves = members.iter().filter(|member| {
        member.state() == MemberState::Alive
            && member.services().is_some_and(|services| !services.is_empty())
    });
    serves.count()
}

fn tell(said: Said) {
    // Whoever read it may be gone. The end of standard input says so.
    let _ = writeln!(std::io::stdout(), "{said}");
}

/// Counting this much takes about half a millisecond. What takes longer must not keep a thread of
/// the runtime from what else there is to do, such as answering other nodes.
const AT_ONCE_BYTES_MAX: usize = 64 << 10;
