//! What a call is made of, shared by the side that makes it and the side that serves it.
//!
//! ```text
//!  caller:   message -> Request { method, metadata, deadline, Body } -> layers -> transport
//!  handler:  Request -> Inbound -> Context + message -> the user's function -> Reply { Body }
//! ```
//!
//! Both sides see the same [`Request`] and [`Reply`] of encoded bytes; only the two ends know the
//! types of the messages. A call within the process goes from one end to the other without more.

mod body;
mod context;
mod dispatch;
mod failing;
mod gate;
mod local;
mod parts;
mod passage;
mod pump;
mod queue;
mod records;
mod replies;
mod shapes;
mod sink;
mod source;
mod stream;

pub(crate) use body::decode_reply;
pub use body::{Body, Messages};
pub use context::Context;
pub(crate) use dispatch::unimplemented;
pub use dispatch::{Dispatch, Handling, Inbound};
pub(crate) use gate::SharedGate;
pub(crate) use local::Local;
pub(crate) use parts::{Origin, code_of};
pub use parts::{Reply, Request};
pub(crate) use passage::{Entrance, Exit, passage};
pub(crate) use pump::{Outlet, Pump};
pub(crate) use records::{
    RequestRecords, message_bytes, metadata_record, read_reply, read_reply_metadata, read_request,
    read_request_metadata, read_status, status_bytes, status_record,
};
pub(crate) use shapes::{check_shape, streams_of};
pub(crate) use sink::{SharedSink, Sink};
pub use source::RequestStream;
pub(crate) use source::{Filled, SharedSource, Source, put_message_record};
pub use stream::{Feed, Receiver, Sender, channel};
