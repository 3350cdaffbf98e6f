//! The static that describes a service to the runtime.

use std::fmt::Write;

use crate::emit::{Paths, doc};
use crate::model::Service;

pub(super) fn emit(service: &Service, paths: &Paths) -> String {
    let Paths { codegen } = paths;
    let (spec, full_name) = (&service.names.spec, &service.full_name);
    let mut text = doc(&[&[format!(
        "The name and the methods of `{full_name}`, in the order of its `.proto`."
    )]]);
    let _ = writeln!(
        text,
        "pub static {spec}: {codegen}::ServiceSpec = {codegen}::ServiceSpec {{
            name: \"{full_name}\",
            methods: &["
    );
    for method in &service.methods {
        let _ = writeln!(
            text,
            "{codegen}::MethodSpec::new(
                \"{}\",
                {},
                {codegen}::Shape::{},
                {codegen}::Idempotency::{},
            ),",
            method.full_name,
            grouped(method.id),
            method.shape.variant(),
            method.idempotency.variant(),
        );
    }
    text.push_str("],\n};\n");
    text
}

/// A number as one can compare it: `0x392b_74ef_3119_fd7a`.
fn grouped(id: u64) -> String {
    let quarters = [id >> 48, id >> 32, id >> 16, id].map(|bits| format!("{:04x}", bits & 0xffff));
    format!("0x{}", quarters.join("_"))
}
