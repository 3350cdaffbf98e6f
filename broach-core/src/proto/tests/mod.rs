//! Two endpoints and the datagrams between them, step by step.

mod closing;
mod goaway;
mod guide;
mod hostile;
mod labels;
mod limits;
mod model;
mod opening;
mod pair;
mod streams;
mod traffic;
