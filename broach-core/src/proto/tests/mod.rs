//! Two endpoints and the datagrams between them, step by step.

mod accounts;
mod closing;
mod credit;
mod flow;
mod guide;
mod hostile;
mod labels;
mod limits;
mod model;
mod opening;
mod pair;
mod records;
mod streams;
mod traffic;
