//! The trait that a user implements.

use crate::emit::text::{indented, listed};
use crate::emit::{Paths, deprecated, doc, method_doc, renamed};
use crate::model::{Method, Service};
use crate::options::{Options, Sides};

pub(super) fn emit(service: &Service, options: &Options, paths: &Paths) -> String {
    let names = &service.names;
    let mut about = vec![
        format!("The service `{}`: implement it, and serve it with", service.full_name),
        format!("[`{}`].", names.server),
    ];
    if options.sides == Sides::Both {
        about.pop();
        about.push(format!("[`{}`]; call it with [`{}`].", names.server, names.client));
    }
    let left_out =
        vec!["A method that an implementation leaves out answers `Unimplemented`.".to_owned()];
    let mut text = doc(&[&service.docs, &about, &left_out, &renamed(service)]);
    text.push_str(deprecated(service.deprecated));
    if !names.box_is_hidden {
        text.push_str(&format!("#[{}::async_trait]\n", paths.codegen));
    }
    let name = &names.service;
    let bounds = "::core::marker::Send + ::core::marker::Sync + 'static";
    if service.methods.is_empty() {
        text.push_str(&format!("pub trait {name}: {bounds} {{}}\n"));
        return text;
    }
    text.push_str(&format!("pub trait {name}: {bounds} {{\n"));
    for (index, method) in service.methods.iter().enumerate() {
        if index != 0 {
            text.push('\n');
        }
        text.push_str(&indented(&method_doc(method), 4));
        text.push_str(&indented(deprecated(method.deprecated), 4));
        let parts = Parts::new(service, index, method, paths);
        text.push_str(&if names.box_is_hidden {
            desugared(method, &parts)
        } else {
            sugared(method, &parts)
        });
    }
    text.push_str("}\n");
    text
}

/// The parts of a method, and the one statement of its default body.
struct Parts {
    parameters: Vec<String>,
    result: String,
    body: String,
}

impl Parts {
    fn new(service: &Service, index: usize, method: &Method, paths: &Paths) -> Self {
        let Paths { codegen } = paths;
        let Method { request, reply, shape, .. } = method;
        let mut parameters = vec![("cx", format!("{codegen}::Context"))];
        if shape.streams_requests() {
            parameters.push(("requests", format!("{codegen}::Receiver<{request}>")));
        } else {
            parameters.push(("request", request.clone()));
        }
        if shape.streams_replies() {
            parameters.push(("replies", format!("{codegen}::Sender<{reply}>")));
        }
        let ok = if shape.streams_replies() { "()" } else { reply };
        let unused: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
        let body = format!(
            "{codegen}::left_out(&{}.methods[{index}], ({}))",
            service.names.spec,
            unused.join(", "),
        );
        let typed = parameters.iter().map(|(name, kind)| format!("{name}: {kind}"));
        Self { parameters: typed.collect(), result: paths.result(ok), body }
    }
}

fn sugared(method: &Method, parts: &Parts) -> String {
    let Parts { parameters, result, body } = parts;
    let parameters = [&["&self".to_owned()], &parameters[..]].concat();
    let head = format!("async fn {}(", method.name);
    let signature = listed(4, &head, &parameters, &format!(") -> {result} {{"));
    format!("{signature}        {body}\n    }}\n")
}

/// What `async_trait` makes of the method, spelt out.
///
/// It says `Box` where we would say `::std::boxed::Box`, and in a package with a message of that
/// name this would be the message. Implementations elsewhere use `async_trait` as always.
fn desugared(method: &Method, parts: &Parts) -> String {
    let Parts { parameters, result, body } = parts;
    let parameters = [&["&'life0 self".to_owned()], &parameters[..]].concat();
    let head = format!("fn {}<'life0, 'async_trait>(", method.name);
    let future = format!("dyn ::core::future::Future<Output = {result}>");
    let boxed = format!("::std::boxed::Box<{future} + ::core::marker::Send + 'async_trait>");
    let mut text = listed(4, &head, &parameters, &format!(") -> ::core::pin::Pin<{boxed}>"));
    text.push_str("    where\n        'life0: 'async_trait,\n        Self: 'async_trait,\n    {\n");
    text.push_str(&format!("        ::std::boxed::Box::pin(async move {{ {body} }})\n    }}\n"));
    text
}
