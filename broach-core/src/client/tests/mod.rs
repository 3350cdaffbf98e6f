//! Channels over a directory.
