//! [`Service`] and [`Method`]: what is to be generated, with every name and type settled, so that
//! writing it down is all that is left.

use prost_build::{Comments, Module};
use prost_types::method_options::IdempotencyLevel;

use crate::docs;
use crate::ids::method_id;
use crate::names::{Names, ServiceNames, join, method_name};

/// A service to generate.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) names: ServiceNames,
    /// `greeter.v1.Greeter`, or `Greeter` without a package.
    pub(crate) full_name: String,
    /// How many modules lie around its code.
    pub(crate) depth: usize,
    /// The comment, as lines of a doc comment.
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
    pub(crate) methods: Vec<Method>,
}

/// A method to generate.
#[derive(Debug)]
pub(crate) struct Method {
    /// The name on the trait and on the client.
    pub(crate) name: String,
    /// Why it is not the usual one, if it is not.
    pub(crate) renamed: Option<&'static str>,
    /// `greeter.v1.Greeter/SayHello`.
    pub(crate) full_name: String,
    pub(crate) id: u64,
    pub(crate) shape: Shape,
    pub(crate) idempotency: Idempotency,
    /// The Rust type of a request's message.
    pub(crate) request: String,
    /// The Rust type of a reply's message.
    pub(crate) reply: String,
    pub(crate) docs: Vec<String>,
    pub(crate) deprecated: bool,
}

/// How many messages go each way; named as in the runtime.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    Unary,
    ServerStreaming,
    ClientStreaming,
    Bidirectional,
}

/// What a second call does; named as in the runtime.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Idempotency {
    None,
    Idempotent,
    NoSideEffects,
}

impl Service {
    pub(crate) fn new(service: &prost_build::Service, names: &Names) -> Self {
        let full_name = join(&service.package, &service.proto_name);
        let methods = service.methods.iter();
        Self {
            names: names.service(service),
            depth: Module::from_protobuf_package_name(&service.package).len().max(1),
            docs: doc_lines(&service.comments),
            deprecated: service.options.deprecated(),
            methods: methods.map(|method| Method::new(&full_name, method)).collect(),
            full_name,
        }
    }
}

impl Method {
    fn new(service: &str, method: &prost_build::Method) -> Self {
        let full_name = format!("{service}/{}", method.proto_name);
        let (name, renamed) = method_name(&method.name);
        Self {
            name,
            renamed,
            id: method_id(&full_name),
            full_name,
            shape: Shape::new(method),
            idempotency: Idempotency::new(&method.options),
            request: method.input_type.clone(),
            reply: method.output_type.clone(),
            docs: doc_lines(&method.comments),
            deprecated: method.options.deprecated(),
        }
    }
}

impl Shape {
    const fn new(method: &prost_build::Method) -> Self {
        match (method.client_streaming, method.server_streaming) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::Bidirectional,
        }
    }

    /// The runtime's functions for it: that of the module `codegen`, of the channel, and of the
    /// inbound call.
    pub(crate) const fn function(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server_streaming",
            Self::ClientStreaming => "client_streaming",
            Self::Bidirectional => "bidirectional",
        }
    }

    /// As people say it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server streaming",
            Self::ClientStreaming => "client streaming",
            Self::Bidirectional => "bidirectional streaming",
        }
    }

    pub(crate) const fn streams_requests(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidirectional)
    }

    pub(crate) const fn streams_replies(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidirectional)
    }
}

impl Idempotency {
    fn new(options: &prost_types::MethodOptions) -> Self {
        match options.idempotency_level() {
            IdempotencyLevel::IdempotencyUnknown => Self::None,
            IdempotencyLevel::Idempotent => Self::Idempotent,
            IdempotencyLevel::NoSideEffects => Self::NoSideEffects,
        }
    }

    /// The runtime's function that says it of a method.
    pub(crate) const fn modifier(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Idempotent => ".idempotent()",
            Self::NoSideEffects => ".no_side_effects()",
        }
    }

    /// What to say of a method, if there is something to say.
    pub(crate) const fn words(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Idempotent => Some("idempotent"),
            Self::NoSideEffects => Some("no side effects"),
        }
    }
}

/// The comments before and behind an element, in this order.
fn doc_lines(comments: &Comments) -> Vec<String> {
    let leading = docs::clean(&comments.leading.join("\n"));
    let trailing = docs::clean(&comments.trailing.join("\n"));
    let parts = [leading, trailing];
    let mut parts: Vec<Vec<String>> = parts.into_iter().filter(|lines| !lines.is_empty()).collect();
    if let [_, trailing] = &mut parts[..] {
        trailing.insert(0, String::new());
    }
    parts.concat()
}
