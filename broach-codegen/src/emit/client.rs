//! The client: from a method call to a call through a channel.

use crate::emit::text::{indented, listed};
use crate::emit::{Paths, allow_deprecated, deprecated, doc, method_doc, renamed};
use crate::model::{Method, Service};

pub(super) fn emit(service: &Service, paths: &Paths) -> String {
    let Paths { codegen } = paths;
    let client = &service.names.client;
    let allow = allow_deprecated(service.deprecated);
    let about = format!("Calls `{}` through a channel.", service.full_name);
    let mut text = doc(&[&service.docs, &[about], &renamed(service)]);
    text.push_str(deprecated(service.deprecated));
    text.push_str(&format!(
        "#[derive(Clone, Debug)]
pub struct {client} {{
    channel: {codegen}::Channel,
}}

{allow}impl {client} {{
    /// Calls through this channel.
    pub fn new(channel: {codegen}::Channel) -> Self {{
        Self {{ channel }}
    }}
"
    ));
    for (index, method) in service.methods.iter().enumerate() {
        text.push('\n');
        text.push_str(&indented(&method_doc(method), 4));
        if method.shape.streams_requests() && method.shape.streams_replies() {
            text.push_str(AWAITED);
        }
        text.push_str(&indented(deprecated(method.deprecated), 4));
        text.push_str(&call(service, index, method, codegen));
    }
    text.push_str("}\n");
    text
}

fn call(service: &Service, index: usize, method: &Method, codegen: &str) -> String {
    let Method { name, request, reply, shape, .. } = method;
    let (argument, taken, sent) = if shape.streams_requests() {
        let bounds =
            format!("{codegen}::Stream<Item = {request}> + ::core::marker::Send + 'static");
        let sent = format!("{codegen}::RequestStream<{request}>");
        ("requests", format!("impl {bounds}"), sent)
    } else {
        ("request", request.clone(), request.clone())
    };
    let received = if shape.streams_replies() {
        format!("{codegen}::Receiver<{reply}>")
    } else {
        reply.clone()
    };
    let parameters = ["&self".to_owned(), format!("{argument}: {taken}")];
    let tail = format!(") -> {codegen}::Call<{sent}, {received}> {{");
    let mut text = listed(4, &format!("pub fn {name}("), &parameters, &tail);
    text.push_str(&format!(
        "        self.channel.{}(&{}.methods[{index}], {argument})\n    }}\n",
        shape.function(),
        service.names.spec,
    ));
    text
}

/// What a caller of a chat has to know.
const AWAITED: &str = "    ///
    /// The call is done when the handler begins its reply. Whoever sends the first request only
    /// then waits for ever, if the handler waits for that request.
";
