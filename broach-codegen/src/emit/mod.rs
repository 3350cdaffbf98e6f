//! From the model to text: one module for each block of what is generated for a service.
//!
//! Everything is said by its absolute path, because any name may be a message's. The text is
//! formatted as it is written.

mod client;
mod server;
mod service_trait;
mod spec;
mod text;

use crate::model::{Method, Service};
use crate::names::ServiceNames;
use crate::options::Options;

/// Everything for one service.
pub(crate) fn service(service: &Service, options: &Options) -> String {
    let paths = Paths::new(options.runtime_of(&service.full_name));
    let mut items = vec![spec::emit(service, &paths)];
    if options.sides.has_server() {
        items.push(service_trait::emit(service, options, &paths));
        items.push(server::emit(service, options, &paths));
    }
    if options.sides.has_client() {
        items.push(client::emit(service, &paths));
    }
    items.join("\n")
}

/// Where the generated code finds what it uses.
struct Paths {
    /// The runtime's module for generated code.
    codegen: String,
}

impl Paths {
    fn new(runtime: &str) -> Self {
        let codegen = format!("{runtime}::codegen");
        Self { codegen }
    }

    /// The result of a handler that answers with `ok`.
    fn result(&self, ok: &str) -> String {
        format!("::core::result::Result<{ok}, {}::Status>", self.codegen)
    }
}

/// A doc comment of several paragraphs; a paragraph without lines is left out.
fn doc(paragraphs: &[&[String]]) -> String {
    let mut text = String::new();
    for lines in paragraphs.iter().filter(|lines| !lines.is_empty()) {
        if !text.is_empty() {
            text.push_str("///\n");
        }
        for line in *lines {
            text.push_str(format!("/// {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// The attribute of what is deprecated in the `.proto`.
const fn deprecated(deprecated: bool) -> &'static str {
    if deprecated { "#[deprecated]\n" } else { "" }
}

/// The attribute of an impl that has to name or call what is deprecated.
const fn allow_deprecated(any: bool) -> &'static str {
    if any { "#[allow(deprecated)]\n" } else { "" }
}

/// What is said of a method on both sides.
fn method_doc(method: &Method) -> String {
    let mut facts = vec![method.shape.words()];
    facts.extend(method.idempotency.words());
    let rpc = format!("RPC `{}`: {}.", method.full_name, facts.join(", "));
    let renamed = method.renamed.map(|why| format!("Named `{}` because {why}.", method.name));
    let about: Vec<String> = [Some(rpc), renamed].into_iter().flatten().collect();
    doc(&[&method.docs, &about])
}

/// A link to the trait of a service, whose static may have the same name: `T`.
fn trait_link(names: &ServiceNames) -> String {
    let ServiceNames { service, spec, .. } = names;
    if service == spec {
        format!("[`{service}`](trait@{service})")
    } else {
        format!("[`{service}`]")
    }
}

/// What is said of the names of a service that are not the usual ones.
fn renamed(service: &Service) -> Vec<String> {
    let renamed = service.names.renamed.as_ref();
    renamed.map(|why| vec![format!("Named with `Service` because {why}.")]).unwrap_or_default()
}
