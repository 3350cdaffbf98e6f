//! [`IncomingStream`]: the bytes that one side receives in a call if they are a stream, taken apart
//! into records as they come.

use bytes::{Bytes, BytesMut};

use crate::config::Transport;
use crate::deadline::Time;
use crate::proto::budget::Budget;
use crate::proto::early::Early;
use crate::proto::grants::Grant;
use crate::proto::incoming::Incoming;
use crate::proto::pool::Full;
use crate::proto::share::{Needed, Owner, Purse, Share};
use crate::wire::{RecordHead, RecordKind};

/// The bytes of one direction of a call that is a stream there.
///
/// A record is handed on as soon as it is whole and all before it are; those that come in one piece
/// are handed on together, without a copy unless they would keep a much larger datagram in memory.
/// Nothing is allocated because of a length that the other side only claims.
///
/// The other side may send a window beyond what the user has taken. It begins small and becomes
/// wider as long as the user keeps up with a sender who makes use of it. For a record that is
/// larger than what is left of the window more is set aside: of what is for windows, if there is
/// room, or of what is for messages, once the user waits for it. Then it is the user's when it is
/// here, as a unary message is, so that nobody else waits until a user has time.
#[derive(Debug)]
pub(crate) struct IncomingStream {
    limits: RecordLimits,
    /// All bytes below have come.
    front: u64,
    /// Those of the last record, if it is not whole.
    partial: BytesMut,
    /// The head of that record, once it is here.
    head: Option<RecordHead>,
    /// Pieces beyond the first hole.
    early: Early,
    /// Where the bytes end, once that is known.
    end: Option<u64>,
    expected: Expected,
    /// What lies below has been handed on.
    handed: u64,
    /// What lies below has been taken by the user.
    consumed: u64,
    /// How many bytes beyond that may be sent, apart from a large record.
    window: u64,
    /// The record for which more was asked, until it is here.
    large: Option<Large>,
    /// A record that ends here was the user's as soon as it had come.
    handed_over: u64,
    share: Share,
}

/// A record for which more was asked.
#[derive(Clone, Copy, Debug)]
struct Large {
    end: u64,
    /// What was given, with the memory for all of it.
    grant: Option<Grant>,
}

/// The records of one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordLimits {
    /// Bytes of a message.
    pub(crate) message: usize,
    /// Bytes of metadata, as they are encoded.
    pub(crate) metadata: usize,
    /// Bytes of a status; 0 if there is none in this direction.
    pub(crate) status: usize,
}

impl RecordLimits {
    /// Of requests that this node serves.
    pub(crate) const fn of_requests(config: &Transport) -> Self {
        let metadata = config.metadata_bytes_max + STATUS_BYTES_MAX;
        Self { message: config.message_bytes_max, metadata, status: 0 }
    }

    /// Of replies to this node's calls.
    pub(crate) const fn of_replies(config: &Transport) -> Self {
        Self { status: call_bytes_max(config), ..Self::of_requests(config) }
    }
}

/// What one direction of a unary call may take: a message, metadata, and the heads of the records.
pub(crate) const fn call_bytes_max(config: &Transport) -> usize {
    config.message_bytes_max + config.metadata_bytes_max + STATUS_BYTES_MAX
}

/// Room for a status with its details, where there is no message, and for what metadata take beside
/// their names and values.
const STATUS_BYTES_MAX: usize = 64 << 10;

/// Which record may come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    /// Metadata, or the status of a call that was refused.
    First,
    /// A message, or the status.
    Any,
    /// None.
    Nothing,
}

/// Why no more can be made of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Broken {
    /// The pieces contradict each other about where the bytes end.
    Contradiction,
    /// There are too many holes in it; the piece may fit later.
    Scattered,
    /// They are not made of the records that make a stream.
    Malformed,
    /// A message is too large.
    TooLarge,
}

impl IncomingStream {
    /// A stream of which some pieces may have come before the first one.
    pub(crate) fn new(limits: RecordLimits, pieces: Incoming) -> Self {
        let (early, end, share) = pieces.into_parts();
        Self {
            limits,
            front: 0,
            partial: BytesMut::new(),
            head: None,
            early,
            end,
            expected: Expected::First,
            handed: 0,
            consumed: 0,
            window: 0,
            large: None,
            handed_over: 0,
            share,
        }
    }

    /// Begins with a window as small as may be.
    ///
    /// # Errors
    ///
    /// If there is not enough memory for that.
    pub(crate) fn open(&mut self, purse: &mut Purse<'_>) -> Result<(), Full> {
        self.window = purse.allowance();
        self.share.widen(self.window as usize, purse)?;
        self.share.advance(self.window);
        Ok(())
    }

    /// Whether it has a window.
    pub(crate) const fn is_open(&self) -> bool {
        self.window != 0
    }

    /// Takes in a piece that came in a datagram of so many bytes; records that are whole now go to
    /// `records`, of which each element is one of them or several.
    ///
    /// # Errors
    ///
    /// If it does not fit to what came before, or is not what a stream is made of.
    pub(crate) fn insert(
        &mut self,
        offset: u64,
        piece: Bytes,
        fin: bool,
        datagram_bytes: usize,
        records: &mut Vec<Bytes>,
    ) -> Result<(), Broken> {
        let piece_end = offset.checked_add(piece.len() as u64).ok_or(Broken::Contradiction)?;
        if fin {
            let highest = self.early.end().max(self.front);
            if self.end.is_some_and(|end| end != piece_end) || piece_end < highest {
                return Err(Broken::Contradiction);
            }
            self.end = Some(piece_end);
        }
        if self.end.is_some_and(|end| end < piece_end) {
            return Err(Broken::Contradiction);
        }
        if self.front < offset {
            if self.early.is_scattered(offset) {
                return Err(Broken::Scattered);
            }
            self.early.insert(offset, &piece);
            return Ok(());
        }
        self.append(offset, piece, datagram_bytes, records)?;
        while let Some((start, piece)) = self.early.pop(self.front) {
            let bytes = piece.len();
            self.append(start, piece, bytes, records)?;
        }
        // It begins with a record, and does not end within one.
        let cut = self.expected == Expected::First || !self.partial.is_empty();
        if self.has_ended() && cut { Err(Broken::Malformed) } else { Ok(()) }
    }

    /// Whether all has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.end == Some(self.front)
    }

    /// The user has taken so many bytes of records.
    pub(crate) fn on_consumed(&mut self, bytes: usize) {
        self.consumed = self.handed.min(self.consumed.saturating_add(bytes as u64));
    }

    /// Up to where the other side may send.
    pub(crate) const fn granted(&self) -> u64 {
        self.share.granted()
    }

    /// More was set aside for a large record.
    pub(crate) fn on_grant(&mut self, grant: Grant) {
        self.share.on_grant(grant);
        if let Some(large) = &mut self.large {
            large.grant.get_or_insert(grant);
        }
    }

    /// The user waits for the next record.
    pub(crate) fn set_awaited(&self, budget: &mut Budget) {
        self.share.set_awaited(budget);
    }

    /// Lets the other side send more, if it may and if that is worth to be told, and gives back
    /// what is not needed. Tells whether the other side has to be told.
    ///
    /// # Errors
    ///
    /// If there is not enough memory for what has come unasked.
    pub(crate) fn settle(
        &mut self,
        now: Time,
        owner: Owner,
        window_max: u64,
        purse: &mut Purse<'_>,
    ) -> Result<bool, Full> {
        self.share.expect(self.front.max(self.early.end()), purse)?;
        self.share.on_received(now, self.front, purse);
        if let Some(large) = self.large.take_if(|large| large.end <= self.front) {
            self.share.on_complete(purse);
            if large.grant.is_some_and(|grant| grant.awaited) {
                self.handed_over = large.end;
            }
        }
        if let Some(end) = self.end {
            self.share.shrink((end - self.taken()) as usize, purse);
            return Ok(false);
        }
        let used = self.granted() < self.front + self.window / 2;
        let keeps_up = self.handed - self.consumed <= self.window / 2;
        let more = self.window.min(window_max.saturating_sub(self.window));
        if used && keeps_up && 0 < more && self.share.widen(more as usize, purse).is_ok() {
            self.window += more;
        }
        let wanted = self.consumed + self.window;
        let tell = self.granted() + self.window / 4 <= wanted;
        if tell {
            self.share.advance(wanted);
        }
        if let Some(head) = self.head {
            let end = self.handed + head.wire_len();
            let needed = Needed { received: self.front, end, awaited: false };
            if self.share.want(now, owner, needed, purse) {
                self.large = Some(Large { end, grant: None });
                purse.budget.large.push((owner.session, owner.call));
            }
        }
        // Memory that was set aside for a large record is needed before there is credit for it.
        let large_end = self.large.filter(|large| large.grant.is_some()).map(|large| large.end);
        let reach = self.granted().max(large_end.unwrap_or(0));
        let needed = self.window.max(reach - self.taken());
        self.share.shrink(needed as usize, purse);
        Ok(tell)
    }

    /// Gives back all that is set aside.
    pub(crate) fn release(&mut self, purse: &mut Purse<'_>) {
        self.share.release(purse);
    }

    /// For what lies below, no memory need be set aside.
    const fn taken(&self) -> u64 {
        if self.consumed < self.handed_over { self.handed_over } else { self.consumed }
    }

    /// What is set aside, and how much of it is needed.
    #[cfg(test)]
    pub(crate) fn account(&self) -> (usize, u64) {
        let granted = self.granted().min(self.end.unwrap_or(u64::MAX));
        (self.share.bytes(), granted - self.taken())
    }

    /// Takes in what is new of a piece that begins within the front or right behind it.
    fn append(
        &mut self,
        offset: u64,
        mut piece: Bytes,
        datagram_bytes: usize,
        records: &mut Vec<Bytes>,
    ) -> Result<(), Broken> {
        let known = self.front - offset;
        if piece.len() as u64 <= known {
            return Ok(());
        }
        let mut piece = piece.split_off(known as usize);
        self.front += piece.len() as u64;
        while !piece.is_empty() {
            if self.partial.is_empty() {
                let whole = self.take_whole(&piece)?;
                if 0 < whole {
                    let mut bytes = piece.split_to(whole);
                    if bytes.len() * PINNED_MAX < datagram_bytes {
                        bytes = Bytes::copy_from_slice(&bytes);
                    }
                    records.push(bytes);
                    continue;
                }
            }
            let missing = match self.head {
                Some(head) => head.wire_len() - self.partial.len() as u64,
                None => 1,
            };
            let part = piece.split_to(missing.min(piece.len() as u64) as usize);
            self.partial.extend_from_slice(&part);
            if self.head.is_none() {
                self.head = self.read_head(&self.partial)?;
            }
            if let Some(head) = self.head
                && head.wire_len() == self.partial.len() as u64
            {
                records.push(std::mem::take(&mut self.partial).freeze());
                self.on_whole(head);
            }
        }
        Ok(())
    }

    /// Takes in the whole records that these bytes begin with; tells how many bytes they are. The
    /// head of the next record is known then, if it is here.
    fn take_whole(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut whole = 0;
        loop {
            let rest = &bytes[whole..];
            self.head = if rest.is_empty() { None } else { self.read_head(rest)? };
            match self.head {
                Some(head) if head.wire_len() <= rest.len() as u64 => {
                    whole += head.wire_len() as usize;
                    self.on_whole(head);
                }
                _ => return Ok(whole),
            }
        }
    }

    /// The head that these bytes begin with, if it is here whole and the record may come.
    fn read_head(&self, bytes: &[u8]) -> Result<Option<RecordHead>, Broken> {
        let Some(head) = RecordHead::read(bytes).map_err(|_| Broken::Malformed)? else {
            return Ok(None);
        };
        let max = match (head.kind, self.expected) {
            (RecordKind::Metadata, Expected::First) => self.limits.metadata,
            (RecordKind::Message, Expected::Any) => self.limits.message,
            (RecordKind::Status, Expected::First | Expected::Any) if self.limits.status != 0 => {
                self.limits.status
            }
            _ => return Err(Broken::Malformed),
        };
        if (max as u64) < head.len { Err(Broken::TooLarge) } else { Ok(Some(head)) }
    }

    /// A record is whole, and is handed on.
    fn on_whole(&mut self, head: RecordHead) {
        self.handed += head.wire_len();
        self.head = None;
        self.expected = match head.kind {
            RecordKind::Status => Expected::Nothing,
            _ => Expected::Any,
        };
    }
}

/// Records that together are smaller than their datagram by this factor are copied: whoever holds
/// them would hold the whole datagram.
const PINNED_MAX: usize = 4;
