//! [`EncodedAdvert`]: an advert together with its bytes and the hash that names them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::advert::{Advert, Location, OfferedService, schema};
use crate::errors::debug_as_text;
use crate::method::hash64;

/// What names an advert: the first 8 bytes (big-endian) of the SHA-256 of its bytes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct AdvertHash(pub(crate) u64);

/// An advert, its bytes, and their hash. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct EncodedAdvert {
    hash: AdvertHash,
    bytes: Bytes,
    advert: Arc<Advert>,
}

/// Why something cannot be offered to other nodes.
#[derive(Clone, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertError {
    /// All of it together is too much.
    #[error(
        "what the node offers takes {bytes} bytes to say, but other nodes take at most \
         {ADVERT_BYTES_MAX}: it has to have fewer services or tags, or shorter ones"
    )]
    TooLarge {
        /// How much it is.
        bytes: usize,
    },
    /// There are too many services or tags.
    #[error("{count} {what} are offered, but other nodes take at most {limit}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A text is too long.
    #[error("{what} has {bytes} bytes, but at most {limit} are allowed: {start:?}...")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// How it begins.
        start: String,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A name is empty.
    #[error("{what} is empty")]
    Empty {
        /// What it is.
        what: &'static str,
    },
}

debug_as_text!(AdvertError);

/// Why an advert that another node sent is not taken.
#[derive(Clone, Eq, PartialEq, thiserror::Error)]
pub(crate) enum RefusedAdvert {
    #[error("its hash is {0}, and not the one that was asked for")]
    Hash(AdvertHash),
    #[error("it is no protobuf, or not of the schema's types")]
    Malformed,
    #[error("its {0} are not sorted, or one of them is in it twice")]
    Unsorted(&'static str),
    #[error("it names a place that there is not")]
    Location,
    #[error(transparent)]
    Limit(#[from] AdvertError),
}

debug_as_text!(RefusedAdvert);

impl AdvertHash {
    /// The hash of no advert at all: that of a member that offers nothing.
    pub(crate) const NONE: Self = Self(0);
}

impl EncodedAdvert {
    /// Encodes what this node offers. The same always gives the same bytes.
    ///
    /// # Errors
    ///
    /// If it is more than other nodes take.
    pub(crate) fn new(mut advert: Advert) -> Result<Self, AdvertError> {
        advert.services.sort_by(|one, other| one.name.cmp(&other.name));
        advert.services.dedup_by(|one, other| one.name == other.name);
        check(&advert)?;
        let services = advert.services.iter();
        let services = services.map(|OfferedService { name, version, .. }| schema::Service {
            name: name.clone(),
            version: version.clone(),
        });
        let tags = advert.tags.iter();
        let tags =
            tags.map(|(name, value)| schema::Tag { name: name.clone(), value: value.clone() });
        let location = advert.location.map(|location| {
            let (latitude, longitude) = location.parts();
            schema::Location { latitude, longitude }
        });
        let schema = schema::Advert {
            services: services.collect(),
            tags: tags.collect(),
            group: advert.group.clone(),
            location,
        };
        let bytes = schema.encode_to_vec();
        if ADVERT_BYTES_MAX < bytes.len() {
            return Err(AdvertError::TooLarge { bytes: bytes.len() });
        }
        if bytes.is_empty() {
            return Ok(Self::nothing());
        }
        let hash = AdvertHash(hash64(&bytes));
        Ok(Self { hash, bytes: bytes.into(), advert: Arc::new(advert) })
    }

    /// The advert of a node that offers nothing, which is never sent.
    pub(crate) fn nothing() -> Self {
        Self { hash: AdvertHash::NONE, bytes: Bytes::new(), advert: Arc::default() }
    }

    /// Takes in the advert that was asked for by this hash. Fields that are not known do no harm;
    /// they stay in the bytes.
    ///
    /// # Errors
    ///
    /// If it is not the one, or none that this node takes.
    pub(crate) fn decode(asked: AdvertHash, bytes: &[u8]) -> Result<Self, RefusedAdvert> {
        if ADVERT_BYTES_MAX < bytes.len() {
            return Err(AdvertError::TooLarge { bytes: bytes.len() }.into());
        }
        let hash = AdvertHash(hash64(bytes));
        if hash != asked {
            return Err(RefusedAdvert::Hash(hash));
        }
        let schema = schema::Advert::decode(bytes).map_err(|_| RefusedAdvert::Malformed)?;
        if !schema.services.is_sorted_by(|one, other| one.name < other.name) {
            return Err(RefusedAdvert::Unsorted(SERVICES));
        }
        if !schema.tags.is_sorted_by(|one, other| one.name < other.name) {
            return Err(RefusedAdvert::Unsorted(TAGS));
        }
        let services = schema.services.into_iter();
        let services = services
            .map(|schema::Service { name, version }| OfferedService::new(name, version))
            .collect();
        let tags = schema.tags.into_iter().map(|schema::Tag { name, value }| (name, value));
        let location = match schema.location {
            None => None,
            Some(schema::Location { latitude, longitude }) => {
                let location = Location::of_parts(latitude, longitude);
                Some(location.ok_or(RefusedAdvert::Location)?)
            }
        };
        let advert = Advert { services, tags: tags.collect(), group: schema.group, location };
        check(&advert)?;
        // Copied, because they may be a piece of something larger that they would keep alive.
        let bytes = Bytes::copy_from_slice(bytes);
        Ok(Self { hash, bytes, advert: Arc::new(advert) })
    }

    /// What names it in gossip; [`AdvertHash::NONE`] if nothing is offered.
    pub(crate) const fn hash(&self) -> AdvertHash {
        self.hash
    }

    /// What other nodes are sent.
    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What it says.
    pub(crate) const fn advert(&self) -> &Arc<Advert> {
        &self.advert
    }
}

/// Checks everything but the size of the whole.
fn check(Advert { services, tags, group, location: _ }: &Advert) -> Result<(), AdvertError> {
    for (what, count, limit) in
        [(SERVICES, services.len(), SERVICES_MAX), (TAGS, tags.len(), TAGS_MAX)]
    {
        if limit < count {
            return Err(AdvertError::TooMany { what, count, limit });
        }
    }
    for OfferedService { name, version, .. } in services {
        check_name("the name of a service", name)?;
        check_length("the version of a service", version, NAME_BYTES_MAX)?;
    }
    for (name, value) in tags {
        check_name("the name of a tag", name)?;
        check_length("the value of a tag", value, VALUE_BYTES_MAX)?;
    }
    check_length("the group", group, NAME_BYTES_MAX)
}

fn check_name(what: &'static str, name: &str) -> Result<(), AdvertError> {
    if name.is_empty() {
        return Err(AdvertError::Empty { what });
    }
    check_length(what, name, NAME_BYTES_MAX)
}

fn check_length(what: &'static str, text: &str, limit: usize) -> Result<(), AdvertError> {
    if text.len() <= limit {
        return Ok(());
    }
    let start = text.chars().take(START_CHARS).collect();
    Err(AdvertError::TooLong { what, start, bytes: text.len(), limit })
}

impl fmt::Display for AdvertHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for AdvertHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdvertHash({self})")
    }
}

/// Bytes of an advert: room for thousands of services, and little enough that every node can keep
/// those of a whole cluster.
pub(crate) const ADVERT_BYTES_MAX: usize = 256 * 1024;

/// How many services there may be, so that many tiny ones do not take much more memory than bytes.
const SERVICES_MAX: usize = 4096;

/// How many tags there may be.
const TAGS_MAX: usize = 1024;

/// Bytes of a name or a version.
const NAME_BYTES_MAX: usize = 512;

/// Bytes of a tag's value.
const VALUE_BYTES_MAX: usize = 4096;

/// How much of a text that is too long is shown.
const START_CHARS: usize = 40;

const SERVICES: &str = "services";
const TAGS: &str = "tags";

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, version: &str) -> OfferedService {
        OfferedService::new(name.to_owned(), version.to_owned())
    }

    fn advert(services: &[(&str, &str)], tags: &[(&str, &str)]) -> Advert {
        let services = services.iter().map(|(name, version)| service(name, version));
        let tags = tags.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Advert { services: services.collect(), tags: tags.collect(), ..Advert::default() }
    }

    fn refused(schema: &schema::Advert) -> RefusedAdvert {
        let bytes = schema.encode_to_vec();
        EncodedAdvert::decode(AdvertHash(hash64(&bytes)), &bytes).unwrap_err()
    }

    #[test]
    fn the_same_offers_are_the_same_bytes_and_one_hash() {
        let one = advert(&[("a.One", "1.4.0"), ("a.Two", "")], &[("gpu", "no")]);
        let other = advert(&[("a.Two", ""), ("a.One", "1.4.0")], &[("gpu", "no")]);
        let (one, other) = (EncodedAdvert::new(one).unwrap(), EncodedAdvert::new(other).unwrap());
        // guide::wire has this example.
        let bytes = b"\n\x0e\n\x05a.One\x12\x051.4.0\n\x07\n\x05a.Two\x12\x09\n\x03gpu\x12\x02no";
        assert_eq!(one.bytes()[..], bytes[..]);
        assert_eq!(one.bytes(), other.bytes());
        assert_eq!(one.hash(), other.hash());
        assert_eq!(one.hash().to_string(), "caba994b6704461f");
        let different = EncodedAdvert::new(advert(&[("a.One", "1.4.1")], &[])).unwrap();
        assert_ne!(one.hash(), different.hash());
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let sent = EncodedAdvert::new(advert(&[("a.One", "1.4.0")], &[("x", "")])).unwrap();
        let got = EncodedAdvert::decode(sent.hash(), sent.bytes()).unwrap();
        assert_eq!(got.advert(), sent.advert());
        assert_eq!(got.bytes(), sent.bytes());
    }

    #[test]
    fn group_and_place_come_last_and_only_if_they_were_given() {
        let (group, location) = ("blue".to_owned(), Some(Location::new(52.52, -13.405).unwrap()));
        let sent = EncodedAdvert::new(Advert { group, location, ..Advert::default() }).unwrap();
        // guide::wire_gossip has this example.
        assert_eq!(
            sent.bytes()[..],
            b"\x1a\x04blue\x22\x0b\x08\x80\xaa\xef\xf4\x03\x10\x9f\xc3\xeb\x7f"[..]
        );
        let got = EncodedAdvert::decode(sent.hash(), sent.bytes()).unwrap();
        assert_eq!(got.advert(), sent.advert());
        let origin = Advert { location: Location::new(0.0, 0.0).ok(), ..Advert::default() };
        assert_eq!(EncodedAdvert::new(origin).unwrap().bytes()[..], b"\x22\0"[..]);
        let nowhere = schema::Location { latitude: 900_000_001, longitude: 0 };
        let nowhere = schema::Advert { location: Some(nowhere), ..Default::default() };
        assert_eq!(refused(&nowhere), RefusedAdvert::Location);
    }

    #[test]
    fn nothing_offered_is_no_advert() {
        let nothing = EncodedAdvert::new(Advert::default()).unwrap();
        assert_eq!((nothing.hash(), nothing.bytes().len()), (AdvertHash::NONE, 0));
    }

    #[test]
    fn unknown_fields_do_no_harm_and_stay_in_the_bytes() {
        let known = EncodedAdvert::new(advert(&[("a.One", "")], &[])).unwrap();
        let bytes = Bytes::from([known.bytes().as_ref(), b"\x9a\x06\x02hi"].concat());
        let got = EncodedAdvert::decode(AdvertHash(hash64(&bytes)), &bytes).unwrap();
        assert_eq!(got.advert(), known.advert());
        assert_eq!(got.bytes(), &bytes);
    }

    #[test]
    fn bytes_of_another_hash_are_refused() {
        let sent = EncodedAdvert::new(advert(&[("a.One", "")], &[])).unwrap();
        let refused = EncodedAdvert::decode(AdvertHash(7), sent.bytes()).unwrap_err();
        assert_eq!(refused, RefusedAdvert::Hash(sent.hash()));
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let named = |name: &str| schema::Service { name: name.to_owned(), ..Default::default() };
        let tag = |name: &str| schema::Tag { name: name.to_owned(), ..Default::default() };
        let of = |names: &[&str]| schema::Advert {
            services: names.iter().map(|name| named(name)).collect(),
            ..Default::default()
        };
        let tagged = |names: &[&str]| schema::Advert {
            tags: names.iter().map(|name| tag(name)).collect(),
            ..Default::default()
        };
        assert_eq!(refused(&of(&["b", "a"])), RefusedAdvert::Unsorted(SERVICES));
        assert_eq!(refused(&of(&["a", "a"])), RefusedAdvert::Unsorted(SERVICES));
        assert_eq!(refused(&tagged(&["a", "a"])), RefusedAdvert::Unsorted(TAGS));
        for wrong in
            [of(&[""]), of(&[&"a".repeat(513)]), tagged(&[""]), tagged(&[&"é".repeat(300)])]
        {
            let refused = refused(&wrong);
            assert!(matches!(refused, RefusedAdvert::Limit(_)), "{refused}");
        }
        let many: Vec<String> = (0..5000).map(|number| format!("s{number:04}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = refused(&of(&many)).to_string();
        assert_eq!(text, "5000 services are offered, but other nodes take at most 4096");
    }

    #[test]
    fn what_is_no_protobuf_or_not_utf_8_is_refused() {
        for bytes in [&b"\xff"[..], b"\n\x03\n\x01\xff"] {
            let refused = EncodedAdvert::decode(AdvertHash(hash64(bytes)), bytes).unwrap_err();
            assert_eq!(refused, RefusedAdvert::Malformed);
        }
    }

    #[test]
    fn offers_beyond_the_limit_say_how_large_they_are() {
        let value = "v".repeat(4000);
        let tags = (0..70).map(|number| (number.to_string(), value.clone()));
        let advert = Advert { tags: tags.collect(), ..Advert::default() };
        let error = EncodedAdvert::new(advert).unwrap_err();
        let AdvertError::TooLarge { bytes } = error else { panic!("{error}") };
        assert!(280_000 < bytes && error.to_string().contains("at most 262144"), "{error}");
        let received = vec![0; ADVERT_BYTES_MAX + 1];
        assert!(EncodedAdvert::decode(AdvertHash(hash64(&received)), &received).is_err());
    }

    #[test]
    fn garbage_never_panics() {
        let mut rng = crate::rng::Rng::from_seed(11);
        let good = EncodedAdvert::new(advert(&[("a.One", "1.0.0"), ("b", "")], &[("x", "y")]));
        let good = good.unwrap().bytes().to_vec();
        for _ in 0..5_000 {
            let mut bytes = good.clone();
            for _ in 0..=rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            let hash = AdvertHash(hash64(&bytes));
            let _ = EncodedAdvert::decode(hash, &bytes);
        }
    }
}
