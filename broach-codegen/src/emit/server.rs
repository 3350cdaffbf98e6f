//! The server: from a call that has come in to the method of the trait.

use crate::emit::text::{WIDTH_MAX, impl_for};
use crate::emit::{Paths, allow_deprecated, deprecated, doc, renamed, trait_link};
use crate::model::{Method, Service};
use crate::options::Options;

pub(super) fn emit(service: &Service, options: &Options, paths: &Paths) -> String {
    let Paths { codegen } = paths;
    let (server, service_name) = (&service.names.server, &service.names.service);
    let trait_link = trait_link(&service.names);
    let about = format!("Serves `{}` with an implementation of {trait_link}.", service.full_name);
    let allow = allow_deprecated(service.deprecated);
    let calls_deprecated = service.methods.iter().any(|method| method.deprecated);
    let allow_calls = allow_deprecated(service.deprecated || calls_deprecated);
    let mut text = doc(&[&service.docs, &[about], &renamed(service)]);
    text.push_str(deprecated(service.deprecated));
    // A service may be called `T` too.
    let t = if service_name == "T" { "S" } else { "T" };
    let (arc, sized) = ("::std::sync::Arc", "::core::marker::Sized");
    let string = "::std::string::String";
    let generics = format!("<{t}: {service_name} + ?{sized}>");
    let served = format!("{server}<{t}>");
    let from = format!("::core::convert::From<{arc}<{t}>>");
    let impl_from = impl_for(&generics, &from, &served);
    let impl_dispatch = impl_for(&generics, &format!("{codegen}::Dispatch"), &served);
    let spec = &service.names.spec;
    text.push_str(&format!(
        "#[derive(Debug)]
pub struct {server}<{t}: ?{sized}> {{
    service: {arc}<{t}>,
    version: {string},
}}

{allow}impl{generics} {server}<{t}> {{
    /// Serves with this implementation.
    pub fn new(service: {t}) -> Self
    where
        {t}: {sized},
    {{
        Self {{ service: {arc}::new(service), version: {string}::new() }}
    }}

    /// Says which version of the service this is, such as `1.4.0`, for other nodes to see.
    /// A node does not start with one that Semantic Versioning does not know.
    pub fn version(mut self, version: impl ::core::convert::Into<{string}>) -> Self {{
        self.version = version.into();
        self
    }}
}}

{allow}{impl_from}    fn from(service: {arc}<{t}>) -> Self {{
        Self {{ service, version: {string}::new() }}
    }}
}}

{allow_calls}{impl_dispatch}    fn spec(&self) -> &'static {codegen}::ServiceSpec {{
        &{spec}
    }}

    fn version(&self) -> &str {{
        &self.version
    }}
{}
    fn dispatch(&self, call: {codegen}::Inbound) -> {codegen}::Handling {{\n",
        descriptors(service, options),
    ));
    if service.methods.is_empty() {
        text.push_str("        call.unimplemented()\n");
    } else {
        let arms = service.methods.iter().enumerate().map(|(index, method)| arm(index, method, t));
        text.push_str(&format!(
            "        let service = {arc}::clone(&self.service);
        match call.method() {{
{}            _ => call.unimplemented(),
        }}\n",
            arms.collect::<String>()
        ));
    }
    text.push_str("    }\n}\n");
    text
}

/// Where the runtime finds the service's `.proto`: in the static at the root of the modules.
fn descriptors(service: &Service, options: &Options) -> String {
    let Some(name) = &options.file_descriptor_set else {
        return String::new();
    };
    let root = "super::".repeat(service.depth);
    format!(
        "
    fn file_descriptor_set(&self) -> &'static [u8] {{
        {root}{name}
    }}\n"
    )
}

/// Hands the call over. The method is named by its type, not called on the value: `service.clone()`
/// would be the clone of the `Arc`.
fn arm(index: usize, method: &Method, t: &str) -> String {
    let requests = if method.shape.streams_requests() { "requests" } else { "request" };
    let replies = if method.shape.streams_replies() { ", replies" } else { "" };
    let function = method.shape.function();
    let name = &method.name;
    let head =
        format!("            {index} => call.{function}(async move |cx, {requests}{replies}|");
    let body = format!("{t}::{name}(&service, cx, {requests}{replies}).await");
    let line = format!("{head} {body}),\n");
    if line.chars().count() <= WIDTH_MAX + 1 {
        return line;
    }
    format!("{head} {{\n                {body}\n            }}),\n")
}
