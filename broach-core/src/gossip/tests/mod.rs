//! Clusters of many in virtual time, and what is asked of them.

mod clusters;
mod faults;
mod goals;
mod hostile;
mod rules;
mod sim;
mod views;
