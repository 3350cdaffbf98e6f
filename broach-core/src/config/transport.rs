//! Settings of the transport.
