//! The static that describes a service to the runtime.

use crate::emit::text::{WIDTH_MAX, listed};
use crate::emit::{Paths, doc};
use crate::model::{Method, Service};

pub(super) fn emit(service: &Service, paths: &Paths) -> String {
    let Paths { codegen } = paths;
    let (spec, full_name) = (&service.names.spec, &service.full_name);
    let mut text = doc(&[&[format!(
        "The name and the methods of `{full_name}`, in the order of its `.proto`."
    )]]);
    let declared = format!("pub static {spec}: {codegen}::ServiceSpec =");
    let value = format!("{codegen}::ServiceSpec {{");
    let one_line = format!("{declared} {value}");
    if one_line.chars().count() <= WIDTH_MAX {
        text.push_str(&format!("{one_line}\n"));
    } else {
        text.push_str(&format!("{declared}\n    {value}\n"));
    }
    text.push_str(&format!("    name: \"{full_name}\",\n"));
    if service.methods.is_empty() {
        text.push_str("    methods: &[],\n");
    } else {
        let methods = service.methods.iter().map(|method| entry(method, codegen));
        text.push_str(&format!("    methods: &[\n{}    ],\n", methods.collect::<String>()));
    }
    text.push_str("};\n");
    text
}

fn entry(method: &Method, codegen: &str) -> String {
    let arguments = [format!("\"{}\"", method.full_name), grouped(method.id)];
    let head = format!("{codegen}::{}(", method.shape.function());
    let modifier = method.idempotency.modifier();
    let line = listed(8, &head, &arguments, &format!("){modifier},"));
    if modifier.is_empty() || line.lines().count() == 1 {
        return line;
    }
    let call = listed(8, &head, &arguments, ")");
    match call.lines().count() {
        1 => format!("{call}            {modifier},\n"),
        _ => line,
    }
}

/// A number as one can compare it: `0x392b_74ef_3119_fd7a`.
fn grouped(id: u64) -> String {
    let quarters = [id >> 48, id >> 32, id >> 16, id].map(|bits| format!("{:04x}", bits & 0xffff));
    format!("0x{}", quarters.join("_"))
}
