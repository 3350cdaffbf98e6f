//! The server: from a call that has come in to the method of the trait.

use std::fmt::Write;

use crate::emit::{Paths, allow_deprecated, deprecated, doc, renamed, trait_link};
use crate::model::{Method, Service};

pub(super) fn emit(service: &Service, paths: &Paths) -> String {
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
    let from = format!("::core::convert::From<{arc}<{t}>>");
    let _ = writeln!(
        text,
        "#[derive(Debug)]
        pub struct {server}<{t}: ?{sized}> {{
            service: {arc}<{t}>,
            version: {string},
        }}

        {allow}impl<{t}: {service_name} + ?{sized}> {server}<{t}> {{
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

        {allow}impl<{t}: {service_name} + ?{sized}> {from} for {server}<{t}> {{
            fn from(service: {arc}<{t}>) -> Self {{
                Self {{ service, version: {string}::new() }}
            }}
        }}

        {allow_calls}impl<{t}: {service_name} + ?{sized}> {codegen}::Dispatch for {server}<{t}> {{
            fn spec(&self) -> &'static {codegen}::ServiceSpec {{
                &{}
            }}

            fn version(&self) -> &str {{
                &self.version
            }}

            fn dispatch(&self, call: {codegen}::Inbound) -> {codegen}::Handling {{",
        service.names.spec
    );
    if service.methods.is_empty() {
        text.push_str("call.unimplemented()\n");
    } else {
        let _ = writeln!(
            text,
            "let service = {arc}::clone(&self.service);
            match call.method() {{"
        );
        for (index, method) in service.methods.iter().enumerate() {
            let _ = writeln!(text, "{index} => {},", arm(method, t));
        }
        text.push_str("_ => call.unimplemented(),\n}\n");
    }
    text.push_str("}\n}\n");
    text
}

/// Hands the call over. The method is named by its type, not called on the value: `service.clone()`
/// would be the clone of the `Arc`.
fn arm(method: &Method, t: &str) -> String {
    let requests = if method.shape.streams_requests() { "requests" } else { "request" };
    let replies = if method.shape.streams_replies() { ", replies" } else { "" };
    format!(
        "call.{}(|cx, {requests}{replies}| async move {{
            {t}::{}(&service, cx, {requests}{replies}).await
        }})",
        method.shape.function(),
        method.name,
    )
}
