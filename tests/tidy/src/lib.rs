//! Tests of the sources themselves: who imports whom, how files look, and that
//! the README and the examples in the documentation are true.
//!
//! What rustc, rustfmt and clippy check is left to them.

#[cfg(test)]
mod examples;
#[cfg(test)]
mod ladder;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod sources;
