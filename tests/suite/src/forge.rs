//! Datagrams written by hand, byte by byte after the specification, without any of the code under
//! test.

use broach_core::MethodId;
use broach_core::codegen::prost::Message;

/// The upper half of a datagram's second byte.
pub const DATA: u8 = 0;
/// Opens a session.
pub const INIT: u8 = 1;
/// "Show this token."
pub const RETRY: u8 = 2;
/// "I have no such session."
pub const RESET: u8 = 3;
/// "I speak these versions."
pub const VERSIONS: u8 = 4;
/// Something for the membership.
pub const GOSSIP: u8 = 5;

/// Bytes before the body of all but INIT.
pub const HEADER: usize = 20;
/// Bytes of the checksum.
pub const TRAILER: usize = 4;
/// To what size a caller's first datagrams are filled up.
pub const BASE: usize = 1200;

/// A datagram in its parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forged {
    /// The wire version.
    pub version: u8,
    /// What it is.
    pub kind: u8,
    /// The lower half of the second byte.
    pub flags: u8,
    /// The key; 0 for none.
    pub key: u8,
    /// The session, as the receiver numbers it.
    pub to: u64,
    /// The packet number.
    pub number: u64,
    /// What only an INIT has.
    pub init: Option<Init>,
    /// Protobuf.
    pub body: Vec<u8>,
}

/// What an INIT has more than others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Init {
    /// The session, as the sender numbers it.
    pub from: u64,
    /// The sender's life.
    pub instance: u64,
    /// The receiver's life, 0 for unknown.
    pub meant: u64,
    /// The hash of the cluster's name.
    pub cluster: u64,
    /// What proves that it is fresh.
    pub token: Vec<u8>,
}

impl Forged {
    /// A datagram of version 1 with this body.
    pub fn new(kind: u8, to: u64, number: u64, body: &impl Message) -> Self {
        let body = body.encode_to_vec();
        Self { version: 1, kind, flags: 0, key: 0, to, number, init: None, body }
    }

    /// The first datagram of a caller: an INIT of a stranger of the cluster `default`.
    pub fn init(number: u64, body: &impl Message) -> Self {
        let cluster = hash("default");
        let init = Init { from: 0x1100, instance: 0x22, meant: 0, cluster, token: Vec::new() };
        Self { init: Some(init), ..Self::new(INIT, 0, number, body) }
    }

    /// The bytes, with their checksum.
    pub fn bytes(&self) -> Vec<u8> {
        let first = 0xb0 | self.version;
        let mut bytes = vec![first, self.kind << 4 | self.flags, self.key, 0];
        bytes.extend(self.to.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        if let Some(init) = &self.init {
            for number in [init.from, init.instance, init.meant, init.cluster] {
                bytes.extend(number.to_be_bytes());
            }
            bytes.push(init.token.len() as u8);
            bytes.extend(&init.token);
        }
        bytes.extend(&self.body);
        bytes.extend([0; TRAILER]);
        seal(&mut bytes);
        bytes
    }

    /// The bytes, filled up with the schema's padding to the size that opens a session.
    pub fn padded(&self) -> Vec<u8> {
        let mut padded = self.clone();
        let missing = BASE.saturating_sub(self.bytes().len() + 3);
        // Field 15, a length of two bytes, zeros.
        padded.body.extend([15 << 3 | 2, 0x80 | missing as u8, (missing >> 7) as u8]);
        padded.body.resize(padded.body.len() + missing, 0);
        padded.bytes()
    }

    /// The parts of a datagram; `None` if it is none or its checksum is wrong.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER)?)?;
        if crc32c::crc32c(content).to_be_bytes() != checksum {
            return None;
        }
        let (head, mut rest) = content.split_at_checked(HEADER)?;
        let number =
            |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().unwrap_or_default());
        let kind = head[1] >> 4;
        let init = if kind == INIT {
            let (init, after) = Init::read(rest)?;
            rest = after;
            Some(init)
        } else {
            None
        };
        Some(Self {
            version: head[0] & 0xf,
            kind,
            flags: head[1] & 0xf,
            key: head[2],
            to: number(4),
            number: number(12),
            init,
            body: rest.to_vec(),
        })
    }
}

impl Init {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (numbers, rest) = bytes.split_at_checked(4 * 8)?;
        let (&len, rest) = rest.split_first()?;
        let (token, rest) = rest.split_at_checked(usize::from(len))?;
        let number =
            |at: usize| u64::from_be_bytes(numbers[at..at + 8].try_into().unwrap_or_default());
        let [from, instance, meant, cluster] = [0, 8, 16, 24].map(number);
        Some((Self { from, instance, meant, cluster, token: token.to_vec() }, rest))
    }
}

/// Makes the checksum of a datagram right again.
pub fn seal(bytes: &mut [u8]) {
    if let Some(end) = bytes.len().checked_sub(TRAILER) {
        let checksum = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// The number that stands for a name on the wire. Methods and clusters are hashed alike.
pub fn hash(name: &str) -> u64 {
    MethodId::of(name).0
}
