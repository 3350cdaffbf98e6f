//! Two endpoints and the datagrams between them, step by step.

mod closing;
mod congestion;
mod goaway;
mod guide;
mod hostile;
mod labels;
mod limits;
mod model;
mod opening;
mod pair;
mod path;
mod path_mtu;
mod streams;
mod traffic;
