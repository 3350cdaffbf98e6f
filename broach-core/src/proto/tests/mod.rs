//! Two endpoints and the datagrams between them, step by step.

mod accounts;
mod closing;
mod congestion;
mod credit;
mod excess;
mod flow;
mod flow_sessions;
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
mod records;
mod streams;
mod traffic;
