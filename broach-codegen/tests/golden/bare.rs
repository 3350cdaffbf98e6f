/// The name and the methods of `Bare`, in the order of its `.proto`.
pub static BARE: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "Bare",
    methods: &[
        ::broach_core::codegen::unary("Bare/Do", 0x723c_6705_b719_758f),
    ],
};

/// The service `Bare`: implement it, and serve it with
/// [`BareServer`]; call it with [`BareClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Bare: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `Bare/Do`: unary.
    async fn r#do(
        &self,
        cx: ::broach_core::codegen::Context,
        request: Request,
    ) -> ::core::result::Result<Request, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&BARE.methods[0], (cx, request))
    }
}

/// Serves `Bare` with an implementation of [`Bare`].
#[derive(Debug)]
pub struct BareServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Bare + ?::core::marker::Sized> BareServer<T> {
    /// Serves with this implementation.
    pub fn new(service: T) -> Self
    where
        T: ::core::marker::Sized,
    {
        Self { service: ::std::sync::Arc::new(service), version: ::std::string::String::new() }
    }

    /// Says which version of the service this is, such as `1.4.0`, for other nodes to see.
    /// A node does not start with one that Semantic Versioning does not know.
    pub fn version(mut self, version: impl ::core::convert::Into<::std::string::String>) -> Self {
        self.version = version.into();
        self
    }
}

impl<T: Bare + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for BareServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Bare + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for BareServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &BARE
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn file_descriptor_set(&self) -> &'static [u8] {
        super::FILE_DESCRIPTOR_SET
    }

    fn dispatch(&self, call: ::broach_core::codegen::Inbound) -> ::broach_core::codegen::Handling {
        let service = ::std::sync::Arc::clone(&self.service);
        match call.method() {
            0 => call.unary(async move |cx, request| T::r#do(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `Bare` through a channel.
#[derive(Clone, Debug)]
pub struct BareClient {
    channel: ::broach_core::codegen::Channel,
}

impl BareClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `Bare/Do`: unary.
    pub fn r#do(&self, request: Request) -> ::broach_core::codegen::Call<Request, Request> {
        self.channel.unary(&BARE.methods[0], request)
    }
}

/// The name and the methods of `Nothing`, in the order of its `.proto`.
pub static NOTHING: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "Nothing",
    methods: &[],
};

/// Has no methods yet.
///
/// The service `Nothing`: implement it, and serve it with
/// [`NothingServer`]; call it with [`NothingClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Nothing: ::core::marker::Send + ::core::marker::Sync + 'static {}

/// Has no methods yet.
///
/// Serves `Nothing` with an implementation of [`Nothing`].
#[derive(Debug)]
pub struct NothingServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Nothing + ?::core::marker::Sized> NothingServer<T> {
    /// Serves with this implementation.
    pub fn new(service: T) -> Self
    where
        T: ::core::marker::Sized,
    {
        Self { service: ::std::sync::Arc::new(service), version: ::std::string::String::new() }
    }

    /// Says which version of the service this is, such as `1.4.0`, for other nodes to see.
    /// A node does not start with one that Semantic Versioning does not know.
    pub fn version(mut self, version: impl ::core::convert::Into<::std::string::String>) -> Self {
        self.version = version.into();
        self
    }
}

impl<T: Nothing + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for NothingServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Nothing + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for NothingServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &NOTHING
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn file_descriptor_set(&self) -> &'static [u8] {
        super::FILE_DESCRIPTOR_SET
    }

    fn dispatch(&self, call: ::broach_core::codegen::Inbound) -> ::broach_core::codegen::Handling {
        call.unimplemented()
    }
}

/// Has no methods yet.
///
/// Calls `Nothing` through a channel.
#[derive(Clone, Debug)]
pub struct NothingClient {
    channel: ::broach_core::codegen::Channel,
}

impl NothingClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }
}
