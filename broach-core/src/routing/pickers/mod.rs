//! The pickers that there are, each in a file of its own.

mod by_key;
mod consistent_hash;
mod least_in_flight;
mod nearest;
mod network_quality;
mod power_of_two;
mod random;
mod round_robin;
mod sticky;
mod weighted_round_robin;
mod zone_first;

pub(crate) use by_key::ByKey;
pub use consistent_hash::ConsistentHash;
pub use least_in_flight::LeastInFlight;
pub use nearest::Nearest;
pub use network_quality::NetworkQuality;
pub use power_of_two::PowerOfTwoChoices;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use sticky::Sticky;
pub use weighted_round_robin::WeightedRoundRobin;
pub use zone_first::ZoneFirst;
