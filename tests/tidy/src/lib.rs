//! Tests of the sources themselves: who imports whom, and how files look.
//!
//! What rustc, rustfmt and clippy check is left to them.

#[cfg(test)]
mod ladder;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod sources;
