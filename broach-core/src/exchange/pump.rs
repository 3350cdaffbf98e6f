//! [`Pump`]: moves the messages of a stream to where they go, as fast as that takes them.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::StreamExt;

use crate::exchange::Messages;
use crate::exchange::gate::SharedGate;
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
    /// Between this and the handler, if there is one.
    gate: Option<SharedGate>,
    /// The gate is shut.
    shut: bool,
}

impl Pump {
    /// A pump for the replies of a handler that knows this gate.
    pub(crate) const fn new(gate: Option<SharedGate>) -> Self {
        Self { hand: None, gate, shut: false }
    }

    fn shut(&mut self) {
        if let Some(gate) = &self.gate {
            gate.shut();
            self.shut = true;
        }
    }

    fn open(&mut self, now: Option<&Waker>) {
        if std::mem::take(&mut self.shut)
            && let Some(gate) = &self.gate
        {
            gate.open(now);
        }
    }

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
                (true, _) => {
                    self.open(Some(cx.waker()));
                    messages.poll_next_unpin(cx)
                }
                (false, None) => {
                    self.shut();
                    messages.poll_next_unpin(cx)
                }
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

impl Drop for Pump {
    /// Whoever goes on without it is not to wait.
    fn drop(&mut self) {
        self.open(None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures::FutureExt;
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

    /// A handler behind a gate: counts how often it is polled, and gives the count.
    fn behind(gate: &SharedGate) -> (Messages, Arc<AtomicUsize>) {
        let (gate, polls) = (Arc::clone(gate), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&polls);
        let messages = poll_fn(move |cx| {
            let count = counted.fetch_add(1, Relaxed) as u8;
            if gate.is_shut(cx) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Bytes::from(vec![count]))))
        });
        (messages.boxed(), polls)
    }

    #[test]
    fn whoever_makes_the_messages_goes_on_while_nobody_takes_them() {
        let cx = &mut Context::from_waker(Waker::noop());
        let gate = SharedGate::default();
        let (mut messages, polls) = behind(&gate);
        let (mut pump, mut taken) = (Pump::new(Some(gate)), Taken::default());
        for _ in 0..3 {
            assert!(pump.poll(cx, &mut messages, &mut taken).is_pending());
        }
        assert_eq!((polls.load(Relaxed), taken.messages.len()), (3, 0));
        taken.room = 2;
        assert!(pump.poll(cx, &mut messages, &mut taken).is_pending());
        assert_eq!(numbered(&taken.messages), [3, 4]);
    }

    #[test]
    fn a_layer_that_polls_by_wakers_of_its_own_is_woken_for_what_was_held_back() {
        let cx = &mut Context::from_waker(Waker::noop());
        let gate = SharedGate::default();
        let (messages, _) = behind(&gate);
        let mut messages: Messages = futures::stream::select_all([messages]).boxed();
        let (mut pump, mut taken) = (Pump::new(Some(gate)), Taken::default());
        for room in 0..4 {
            taken.room = room;
            assert!(pump.poll(cx, &mut messages, &mut taken).is_pending());
            assert_eq!(taken.messages.len(), room);
        }
        // And if nobody moves them any more.
        drop(pump);
        assert!(messages.next().now_or_never().is_some());
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
