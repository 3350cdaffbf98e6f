//! Between the vocabulary of calls and the messages of the schema that stand for it.

use bytes::Bytes;
use prost::Message;
use std::time::Duration;

use crate::code::{Code, Outcome};
use crate::metadata::{Metadata, Value};
use crate::observe::{DropReason, TraceContext};
use crate::status::{Detail, Status};
use crate::wire::schema;

/// The schema's `Metadata` for what goes with a message; `None` if nothing does.
pub(crate) fn metadata_to_wire(
    metadata: &Metadata,
    trace: Option<TraceContext>,
) -> Option<schema::Metadata> {
    if metadata.is_empty() && trace.is_none() {
        return None;
    }
    Some(schema::Metadata {
        entries: entries_to_wire(metadata),
        trace: trace.map(|trace| schema::TraceContext {
            trace_id_high: (trace.trace_id >> 64) as u64,
            trace_id_low: trace.trace_id as u64,
            span_id: trace.span_id,
            flags: u32::from(trace.flags),
        }),
    })
}

/// What goes with a message, from the bytes of the schema's `Metadata`.
///
/// # Errors
///
/// [`DropReason::Malformed`] if the bytes are none, or an entry is not allowed.
pub(crate) fn metadata_from_wire(
    bytes: Bytes,
) -> Result<(Metadata, Option<TraceContext>), DropReason> {
    let wire = schema::Metadata::decode(bytes).map_err(|_| DropReason::Malformed)?;
    let trace = wire.trace.and_then(|trace| {
        let (high, low) = (u128::from(trace.trace_id_high), u128::from(trace.trace_id_low));
        let trace_id = high << 64 | low;
        let valid = trace_id != 0 && trace.span_id != 0;
        // Flags beyond the first byte belong to versions to come.
        valid.then_some(TraceContext { trace_id, span_id: trace.span_id, flags: trace.flags as u8 })
    });
    Ok((entries_from_wire(wire.entries)?, trace))
}

/// The bytes of the schema's `Status`.
pub(crate) fn status_to_wire(status: &Status) -> schema::Status {
    let outcome = match status.outcome() {
        Outcome::NotExecuted => schema::Outcome::NotExecuted,
        Outcome::Unknown => schema::Outcome::Unknown,
        Outcome::Executed => schema::Outcome::Executed,
    };
    schema::Status {
        code: status.code().number(),
        outcome: outcome.into(),
        message: status.message().to_owned(),
        details: status
            .details()
            .iter()
            .map(|detail| schema::Detail {
                type_url: detail.type_url.clone(),
                value: detail.value.clone(),
            })
            .collect(),
        metadata: entries_to_wire(status.metadata()),
        retry_after_us: status.retry_after().map_or(0, |wait| micros(wait).max(1)),
    }
}

/// A status from the bytes of the schema's `Status`.
///
/// # Errors
///
/// [`DropReason::Malformed`] if the bytes are none, or an entry of the metadata is not allowed.
pub(crate) fn status_from_wire(bytes: Bytes) -> Result<Status, DropReason> {
    let wire = schema::Status::decode(bytes).map_err(|_| DropReason::Malformed)?;
    let outcome = match wire.outcome() {
        schema::Outcome::NotExecuted => Outcome::NotExecuted,
        schema::Outcome::Unknown => Outcome::Unknown,
        schema::Outcome::Executed => Outcome::Executed,
    };
    let details = wire.details.into_iter();
    let details =
        details.map(|schema::Detail { type_url, value }| Detail { type_url, value }).collect();
    let mut status = Status::new(Code::from_number(wire.code), wire.message)
        .with_outcome(outcome)
        .with_details(details)
        .with_metadata(entries_from_wire(wire.metadata)?);
    if wire.retry_after_us != 0 {
        status = status.with_retry_after(Duration::from_micros(wire.retry_after_us));
    }
    Ok(status)
}

/// Whole microseconds, as durations travel.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn entries_to_wire(metadata: &Metadata) -> Vec<schema::MetadataEntry> {
    let entry = |entry: &crate::metadata::Entry| schema::MetadataEntry {
        key: entry.key().to_owned(),
        persistent: entry.is_persistent(),
        value: Some(match entry.value() {
            Value::Text(text) => schema::metadata_entry::Value::Text(text.clone()),
            Value::Binary(bytes) => schema::metadata_entry::Value::Binary(bytes.clone()),
        }),
    };
    metadata.iter().map(entry).collect()
}

fn entries_from_wire(entries: Vec<schema::MetadataEntry>) -> Result<Metadata, DropReason> {
    let mut metadata = Metadata::new();
    for entry in entries {
        let value = match entry.value {
            Some(schema::metadata_entry::Value::Text(text)) => Value::Text(text),
            Some(schema::metadata_entry::Value::Binary(bytes)) => Value::Binary(bytes),
            // Text that is empty.
            None => Value::Text(String::new()),
        };
        let pushed = metadata.push(&entry.key, value, entry.persistent);
        pushed.map_err(|_| DropReason::Malformed)?;
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_goes_there_and_back() {
        let mut metadata = Metadata::new();
        metadata.insert("text", "a\tb").unwrap();
        metadata.insert("bytes", vec![0, 255]).unwrap();
        metadata.insert_persistent("tenant", "acme").unwrap();
        metadata.insert("empty", "").unwrap();
        let trace = TraceContext { trace_id: 1 << 100 | 5, span_id: 9, flags: 1 };
        let wire = metadata_to_wire(&metadata, Some(trace)).unwrap();
        let back = metadata_from_wire(wire.encode_to_vec().into()).unwrap();
        assert_eq!(back, (metadata, Some(trace)));
        assert_eq!(metadata_to_wire(&Metadata::new(), None), None);
    }

    #[test]
    fn a_status_goes_there_and_back() {
        let mut metadata = Metadata::new();
        metadata.insert("k", "v").unwrap();
        let detail = Detail { type_url: "t/a.B".into(), value: Bytes::from_static(b"x") };
        for outcome in Outcome::ALL {
            let status = Status::not_found("tabs\t, lines\r\n, ü and 😈")
                .with_outcome(outcome)
                .with_details(vec![detail.clone()])
                .with_metadata(metadata.clone())
                .with_retry_after(Duration::from_micros(7));
            let back = status_from_wire(status_to_wire(&status).encode_to_vec().into()).unwrap();
            assert_eq!(format!("{back:?}"), format!("{status:?}"));
        }
    }

    #[test]
    fn what_is_not_allowed_in_metadata_is_refused() {
        let entry = schema::MetadataEntry { key: "Not Allowed".into(), ..Default::default() };
        let wire = schema::Metadata { entries: vec![entry], trace: None };
        assert!(metadata_from_wire(wire.encode_to_vec().into()).is_err());
    }
}
