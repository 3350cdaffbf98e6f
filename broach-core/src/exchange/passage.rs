//! The replies of a handler to a caller in the same process, where there is no network between.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;

use crate::code::Outcome;
use crate::exchange::Outlet;
use crate::exchange::queue::Queue;
use crate::status::Status;

/// The two ends of a passage, which holds no more than so many bytes and one message.
pub(crate) fn passage(bytes_max: usize) -> (Entrance, Exit) {
    let queue = Arc::new(Queue::new(usize::MAX, bytes_max.max(1)));
    (Entrance { queue: Arc::clone(&queue) }, Exit { queue })
}

/// Where messages go in.
pub(crate) struct Entrance {
    queue: Arc<Queue<Passing>>,
}

/// Where messages come out.
pub(crate) struct Exit {
    queue: Arc<Queue<Passing>>,
}

enum Passing {
    Message(Bytes),
    End(Result<(), Status>),
    /// A panic goes to whoever waits for the messages.
    Panic(Box<dyn Any + Send>),
}

impl Entrance {
    /// Nothing comes any more, for this reason.
    pub(crate) fn end(self, result: Result<(), Status>) {
        let _ = self.queue.push(Passing::End(result), 0);
    }

    /// Whoever makes the messages has panicked.
    pub(crate) fn panic(self, panic: Box<dyn Any + Send>) {
        let _ = self.queue.push(Passing::Panic(panic), 0);
    }
}

impl Outlet for Entrance {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let room = self.queue.poll_room(cx);
        room.map_err(|_| Status::cancelled("nobody waits for the replies any more"))
    }

    fn put(&mut self, message: Bytes) -> Result<(), Status> {
        // Also one without content takes memory.
        let bytes = message.len() + size_of::<Passing>();
        let _ = self.queue.push(Passing::Message(message), bytes);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context<'_>) -> Result<(), Status> {
        // Its task ends with the reader.
        Ok(())
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.queue.on_sender_gone();
    }
}

impl Stream for Exit {
    type Item = Result<Bytes, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.queue.poll_next(cx)) {
            Some(Passing::Message(message)) => Some(Ok(message)),
            Some(Passing::End(result)) => result.err().map(Err),
            Some(Passing::Panic(panic)) => std::panic::resume_unwind(panic),
            // It went without a word, as when the runtime shuts down.
            None => {
                let status = Status::unavailable("the handler's task has gone");
                Some(Err(status.with_outcome(Outcome::Unknown)))
            }
        })
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        self.queue.on_reader_gone();
    }
}
