//! Two endpoints and the datagrams between them, step by step.

mod closing;
mod congestion;
mod guide;
mod hostile;
mod labels;
mod limits;
mod opening;
mod pair;
mod path;
mod path_mtu;
mod traffic;
