//! What a service and its methods are called, and how a method may be called.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::ids::MethodId;

/// A service as its `.proto` declares it; generated code holds one per service.
#[derive(Debug)]
pub struct ServiceSpec {
    /// The full name, such as `greeter.v1.Greeter`.
    pub name: &'static str,
    /// The methods, in the order of the `.proto`.
    pub methods: &'static [MethodSpec],
}

/// A method as its `.proto` declares it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MethodSpec {
    full_name: Cow<'static, str>,
    id: MethodId,
    shape: Shape,
    idempotency: Idempotency,
}

/// How many messages go each way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shape {
    /// One request, one reply.
    Unary,
    /// One request, any number of replies.
    ServerStreaming,
    /// Any number of requests, one reply.
    ClientStreaming,
    /// Any number of requests and replies, in any order.
    Bidirectional,
}

/// What making a call twice does: the `idempotency_level` of the `.proto`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Idempotency {
    /// It may do its work twice. The framework then makes sure that it runs at most once.
    #[default]
    None,
    /// It changes something, but twice is the same as once.
    Idempotent,
    /// It changes nothing.
    NoSideEffects,
}

impl MethodSpec {
    /// A method of generated code. `full_name` is `package.Service/Method` and `id` the one that
    /// [`MethodId::of`] gives for it, computed by the generator.
    pub const fn new(
        full_name: &'static str,
        id: u64,
        shape: Shape,
        idempotency: Idempotency,
    ) -> Self {
        Self { full_name: Cow::Borrowed(full_name), id: MethodId(id), shape, idempotency }
    }

    /// The same method, but calling it twice is the same as calling it once.
    pub const fn idempotent(mut self) -> Self {
        self.idempotency = Idempotency::Idempotent;
        self
    }

    /// The same method, but it changes nothing.
    pub const fn no_side_effects(mut self) -> Self {
        self.idempotency = Idempotency::NoSideEffects;
        self
    }

    /// A unary method known by its name only.
    ///
    /// # Errors
    ///
    /// If `full_name` is not of the form `package.Service/Method`.
    pub fn named(full_name: impl Into<Cow<'static, str>>) -> Result<Self, MethodNameError> {
        let full_name = full_name.into();
        let parts: Vec<&str> = full_name.split('/').collect();
        if parts.len() != 2 || parts.contains(&"") {
            return Err(MethodNameError { name: full_name.into_owned() });
        }
        let id = MethodId::of(&full_name);
        Ok(Self { full_name, id, shape: Shape::Unary, idempotency: Idempotency::None })
    }

    /// `package.Service/Method`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// `package.Service`.
    pub fn service(&self) -> &str {
        self.full_name.split_once('/').map_or("", |(service, _)| service)
    }

    /// The method's name within its service.
    pub fn name(&self) -> &str {
        self.full_name.split_once('/').map_or(&*self.full_name, |(_, name)| name)
    }

    /// The number that stands for the method on the wire.
    pub const fn id(&self) -> MethodId {
        self.id
    }

    /// How many messages go each way.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// What making a call twice does.
    pub const fn idempotency(&self) -> Idempotency {
        self.idempotency
    }
}

impl MethodId {
    /// The id of `package.Service/Method`.
    pub fn of(full_name: &str) -> Self {
        Self(hash64(full_name))
    }
}

impl Shape {
    /// The name as people say it: `server streaming`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server streaming",
            Self::ClientStreaming => "client streaming",
            Self::Bidirectional => "bidirectional streaming",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A [`MethodSpec`] that is cheap to copy, whether it is part of the program or made at run time.
#[derive(Clone)]
pub struct Method(Source);

#[derive(Clone)]
enum Source {
    Generated(&'static MethodSpec),
    Named(Arc<MethodSpec>),
}

impl Deref for Method {
    type Target = MethodSpec;

    fn deref(&self) -> &MethodSpec {
        match &self.0 {
            Source::Generated(spec) => spec,
            Source::Named(spec) => spec,
        }
    }
}

impl From<&'static MethodSpec> for Method {
    fn from(spec: &'static MethodSpec) -> Self {
        Self(Source::Generated(spec))
    }
}

impl From<MethodSpec> for Method {
    fn from(spec: MethodSpec) -> Self {
        Self(Source::Named(Arc::new(spec)))
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.full_name()).finish()
    }
}

/// A method's name that is not of the form `package.Service/Method`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{name:?} is no method: it must read package.Service/Method, like greeter.v1.Greeter/SayHello"
)]
pub struct MethodNameError {
    name: String,
}

/// The first 8 bytes (big-endian) of the SHA-256 of a name, or of any other bytes.
pub(crate) fn hash64(bytes: impl AsRef<[u8]>) -> u64 {
    let digest: [u8; 32] = Sha256::digest(bytes.as_ref()).into();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_head_of_the_sha256() {
        // printf 'greeter.v1.Greeter/SayHello' | sha256sum
        assert_eq!(MethodId::of("greeter.v1.Greeter/SayHello").to_string(), "392b74ef3119fd7a");
    }

    #[test]
    fn a_full_name_has_two_parts() {
        let spec = MethodSpec::named("greeter.v1.Greeter/SayHello").unwrap();
        assert_eq!(spec.service(), "greeter.v1.Greeter");
        assert_eq!(spec.name(), "SayHello");
        for wrong in ["", "SayHello", "/SayHello", "greeter.v1.Greeter/", "a/b/c"] {
            let error = MethodSpec::named(wrong).unwrap_err();
            assert!(error.to_string().contains("package.Service/Method"), "{error}");
        }
    }
}
