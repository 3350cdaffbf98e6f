//! [`Pump`]: moves the messages of a stream to where they go, as fast as that takes them.

use std::cell::Cell;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;

use crate::exchange::Messages;
use crate::status::Status;

/// Where messages go.
pub(crate) trait Outlet {
    /// Waits until it takes a message.
    ///
    /// # Errors
    ///
    /// If it takes no more, because the call has ended.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>>;

    /// Takes a message.
    ///
    /// # Errors
    ///
    /// If the message must not go there.
    fn put(&mut self, message: Bytes) -> Result<(), Status>;

    /// No more come for now: what is there goes on, and the task is woken when the call ends.
    ///
    /// # Errors
    ///
    /// If it has ended.
    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), Status>;
}

/// Moves the messages of a stream to an outlet.
///
/// While the outlet takes none, whoever makes the messages is polled all the same: a handler that
/// waits for its caller to read may have other things to do, or an end to its patience.
#[derive(Default)]
pub(crate) struct Pump {
    /// A message that the outlet has to take first.
    hand: Option<Bytes>,
}

impl Pump {
    /// Moves messages until there is nothing to do for now, or they have ended.
    ///
    /// # Errors
    ///
    /// The stream's own error, or that of the outlet.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut Messages,
        outlet: &mut impl Outlet,
    ) -> Poll<Result<(), Status>> {
        for _ in 0..AT_ONCE_MAX {
            let has_room = outlet.poll_room(cx)?.is_ready();
            if has_room && let Some(message) = self.hand.take() {
                outlet.put(message)?;
                continue;
            }
            let next = match (has_room, &self.hand) {
                (true, _) => messages.poll_next_unpin(cx),
                (false, None) => held(|| messages.poll_next_unpin(cx)),
                (false, Some(_)) => Poll::Pending,
            };
            match next {
                Poll::Pending => {
                    outlet.flush(cx)?;
                    return Poll::Pending;
                }
                Poll::Ready(Some(message)) if has_room => outlet.put(message?)?,
                Poll::Ready(Some(message)) => self.hand = Some(message?),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
            }
        }
        // Others have their turn.
        outlet.flush(cx)?;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// So many steps are made in a row.
const AT_ONCE_MAX: usize = 256;

thread_local! {
    /// Whoever polls a stream of messages wants none of them for now.
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// Polls a stream that need not give anything, but may go on with its work.
fn held<T>(poll: impl FnOnce() -> T) -> T {
    let _before = Held::replace(true);
    poll()
}

/// Whether no message is wanted for now. As long as this lives, that is forgotten: it is not meant
/// for other streams that are polled meanwhile.
pub(super) struct Held {
    pub(super) held: bool,
}

impl Held {
    pub(super) fn take() -> Self {
        Self::replace(false)
    }

    fn replace(held: bool) -> Self {
        Self { held: HELD.replace(held) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(self.held);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures::stream::poll_fn;

    use super::*;

    /// Takes as many messages as there is room for.
    #[derive(Default)]
    struct Taken {
        room: usize,
        messages: Vec<Bytes>,
        flushed: usize,
    }

    impl Outlet for Taken {
        fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
            if self.messages.len() < self.room { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn put(&mut self, message: Bytes) -> Result<(), Status> {
            self.messages.push(message);
            Ok(())
        }

        fn flush(&mut self, _: &mut Context<'_>) -> Result<(), Status> {
            self.flushed += 1;
            Ok(())
        }
    }

    fn numbered(messages: &[Bytes]) -> Vec<u8> {
        messages.iter().map(|message| message[0]).collect()
    }

    #[test]
    fn whoever_makes_the_messages_goes_on_while_nobody_takes_them() {
        let cx = &mut Context::from_waker(Waker::noop());
        let (polls, counted) = (Cell::new(0), Cell::new(0));
        let count = std::rc::Rc::new((polls, counted));
        let seen = std::rc::Rc::clone(&count);
        let mut stream = poll_fn(move |_| {
            let asked = Held::take();
            seen.0.set(seen.0.get() + 1);
            assert!(!Held::take().held, "it is said once");
            if asked.held {
                return Poll::Pending;
            }
            seen.1.set(seen.1.get() + 1);
            Poll::Ready(Some(Ok::<_, Status>(Bytes::from(vec![seen.1.get()]))))
        });
        // A pump wants streams that can go to other threads; this one is polled by itself.
        assert!(held(|| stream.poll_next_unpin(cx)).is_pending());
        assert_eq!((count.0.get(), count.1.get()), (1, 0));
        assert!(stream.poll_next_unpin(cx).is_ready());
        assert_eq!((count.0.get(), count.1.get()), (2, 1));
    }

    #[test]
    fn a_message_that_comes_unasked_is_kept_and_goes_first() {
        let cx = &mut Context::from_waker(Waker::noop());
        let all = (0..5_u8).map(|number| Ok(Bytes::from(vec![number])));
        let mut messages: Messages = futures::stream::iter(all).boxed();
        let (mut pump, mut taken) = (Pump::default(), Taken::default());
        for room in [0, 0, 2, 3] {
            taken.room = room;
            assert!(pump.poll(cx, &mut messages, &mut taken).is_pending());
            assert_eq!(taken.messages.len(), room);
        }
        taken.room = 9;
        assert!(matches!(pump.poll(cx, &mut messages, &mut taken), Poll::Ready(Ok(()))));
        assert_eq!(numbered(&taken.messages), [0, 1, 2, 3, 4]);
        assert_eq!(taken.flushed, 4, "once each time that it has to wait");
    }

    #[test]
    fn an_endless_stream_lets_others_have_their_turn() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut messages: Messages =
            futures::stream::repeat_with(|| Ok(Bytes::from_static(b"x"))).boxed();
        let mut taken = Taken { room: usize::MAX, ..Taken::default() };
        assert!(Pump::default().poll(cx, &mut messages, &mut taken).is_pending());
        assert_eq!((taken.messages.len(), taken.flushed), (AT_ONCE_MAX, 1));
    }
}
