//! Decodes and encodes messages of all types that were generated.
//!
//! In: the name of a type and how many messages follow, on a line; then each message, with its
//! length in 4 bytes in front. Out: the same messages, decoded and encoded again.

#![deny(warnings, missing_debug_implementations, unreachable_pub, rust_2018_idioms)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use broach_core::codegen::prost::{Message, Name};

/// A type of messages.
struct Type {
    name: String,
    again: fn(&[u8]) -> Vec<u8>,
}

impl Type {
    fn of<M: Message + Name + Default>() -> Self {
        Self { name: M::full_name(), again: again::<M> }
    }
}

fn again<M: Message + Default>(encoded: &[u8]) -> Vec<u8> {
    match M::decode(encoded) {
        Ok(message) => message.encode_to_vec(),
        Err(error) => panic!("{encoded:02x?} cannot be decoded: {error}"),
    }
}

fn main() -> std::io::Result<()> {
    let types: BTreeMap<String, fn(&[u8]) -> Vec<u8>> =
        TYPES.iter().map(|of| of()).map(|of| (of.name, of.again)).collect();
    if std::env::args().any(|argument| argument == "--list") {
        for name in types.keys() {
            println!("{name}");
        }
        return Ok(());
    }
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line)? != 0 {
        let (name, count) = line.trim().split_once(' ').expect("NAME COUNT");
        let again = types[name];
        for _ in 0..count.parse::<u32>().expect("a number") {
            let mut length = [0; 4];
            input.read_exact(&mut length)?;
            let mut message = vec![0; u32::from_le_bytes(length) as usize];
            input.read_exact(&mut message)?;
            let again = again(&message);
            let length = u32::try_from(again.len()).expect("it is not that large");
            output.write_all(&length.to_le_bytes())?;
            output.write_all(&again)?;
        }
        output.flush()?;
        line.clear();
    }
    Ok(())
}
