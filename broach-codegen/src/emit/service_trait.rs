//! The trait that a user implements.

use std::fmt::Write;

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
        let _ = writeln!(text, "#[{}::async_trait]", paths.codegen);
    }
    let _ = writeln!(
        text,
        "pub trait {}: ::core::marker::Send + ::core::marker::Sync + 'static {{",
        names.service
    );
    for (index, method) in service.methods.iter().enumerate() {
        text.push_str(&method_doc(method));
        text.push_str(deprecated(method.deprecated));
        let default = Default::new(service, index, method, paths);
        text.push_str(&if names.box_is_hidden {
            desugared(method, &default)
        } else {
            sugared(method, &default)
        });
    }
    text.push_str("}\n");
    text
}

/// The parts of a method with a default body.
struct Default {
    parameters: String,
    result: String,
    body: String,
}

impl Default {
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
            "let _ = ({});
            ::core::result::Result::Err({codegen}::unimplemented(&{}.methods[{index}]))",
            unused.join(", "),
            service.names.spec,
        );
        let typed = parameters.iter().map(|(name, kind)| format!("{name}: {kind}"));
        Self { parameters: typed.collect::<Vec<_>>().join(", "), result: paths.result(ok), body }
    }
}

fn sugared(method: &Method, default: &Default) -> String {
    let Default { parameters, result, body } = default;
    format!(
        "async fn {}(&self, {parameters}) -> {result} {{
            {body}
        }}\n",
        method.name
    )
}

/// What `async_trait` makes of the method, spelt out.
///
/// It says `Box` where we would say `::std::boxed::Box`, and in a package with a message of that
/// name this would be the message. Implementations elsewhere use `async_trait` as always.
fn desugared(method: &Method, default: &Default) -> String {
    let Default { parameters, result, body } = default;
    let future = format!("dyn ::core::future::Future<Output = {result}>");
    format!(
        "fn {}<'life0, 'async_trait>(
            &'life0 self,
            {parameters}
        ) -> ::core::pin::Pin<::std::boxed::Box<{future} + ::core::marker::Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {{
            ::std::boxed::Box::pin(async move {{
                {body}
            }})
        }}\n",
        method.name
    )
}
