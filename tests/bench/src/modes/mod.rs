//! What is measured: a file for each way to measure.

pub(crate) mod cold;
pub(crate) mod idle;
pub(crate) mod mixed;
pub(crate) mod streams;
pub(crate) mod unary;
