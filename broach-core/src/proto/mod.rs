//! The transport.
mod closed;
mod incoming;
mod link;
mod outgoing;
mod ranges;
mod received;
mod rtt;
mod seen;
mod sent;
mod token;
