//! The program from outside: real processes on ports of the loopback interface.

#![cfg(unix)]

mod cases;
mod files;
mod load;
mod programs;
mod server;
mod usage;
