//! Fetching adverts in virtual time, from nodes that do not always do what they should.

mod rules;
mod sim;
