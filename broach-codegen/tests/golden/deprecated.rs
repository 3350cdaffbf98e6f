/// The name and the methods of `awkward.old.Partly`, in the order of its `.proto`.
pub static PARTLY: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.old.Partly",
    methods: &[
        ::broach_core::codegen::unary("awkward.old.Partly/Current", 0xb9b1_0a35_0f6c_7f60),
        ::broach_core::codegen::unary("awkward.old.Partly/Old", 0x2c5a_5b63_c0c3_f0b6),
    ],
};

/// The service `awkward.old.Partly`: implement it, and serve it with
/// [`PartlyServer`]; call it with [`PartlyClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Partly: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.old.Partly/Current`: unary.
    async fn current(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&PARTLY.methods[0], (cx, request))
    }

    /// RPC `awkward.old.Partly/Old`: unary.
    #[deprecated]
    async fn old(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&PARTLY.methods[1], (cx, request))
    }
}

/// Serves `awkward.old.Partly` with an implementation of [`Partly`].
#[derive(Debug)]
pub struct PartlyServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Partly + ?::core::marker::Sized> PartlyServer<T> {
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

impl<T: Partly + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for PartlyServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

#[allow(deprecated)]
impl<T: Partly + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for PartlyServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &PARTLY
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn file_descriptor_set(&self) -> &'static [u8] {
        super::super::FILE_DESCRIPTOR_SET
    }

    fn dispatch(&self, call: ::broach_core::codegen::Inbound) -> ::broach_core::codegen::Handling {
        let service = ::std::sync::Arc::clone(&self.service);
        match call.method() {
            0 => call.unary(async move |cx, request| T::current(&service, cx, request).await),
            1 => call.unary(async move |cx, request| T::old(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.old.Partly` through a channel.
#[derive(Clone, Debug)]
pub struct PartlyClient {
    channel: ::broach_core::codegen::Channel,
}

impl PartlyClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.old.Partly/Current`: unary.
    pub fn current(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&PARTLY.methods[0], request)
    }

    /// RPC `awkward.old.Partly/Old`: unary.
    #[deprecated]
    pub fn old(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&PARTLY.methods[1], request)
    }
}

/// The name and the methods of `awkward.old.Wholly`, in the order of its `.proto`.
pub static WHOLLY: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.old.Wholly",
    methods: &[
        ::broach_core::codegen::bidirectional("awkward.old.Wholly/Old", 0x9705_9dfa_8b63_c7c5),
    ],
};

/// The service `awkward.old.Wholly`: implement it, and serve it with
/// [`WhollyServer`]; call it with [`WhollyClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[deprecated]
#[::broach_core::codegen::async_trait]
pub trait Wholly: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.old.Wholly/Old`: bidirectional streaming.
    async fn old(
        &self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<M>,
        replies: ::broach_core::codegen::Sender<M>,
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&WHOLLY.methods[0], (cx, requests, replies))
    }
}

/// Serves `awkward.old.Wholly` with an implementation of [`Wholly`].
#[deprecated]
#[derive(Debug)]
pub struct WhollyServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

#[allow(deprecated)]
impl<T: Wholly + ?::core::marker::Sized> WhollyServer<T> {
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

#[allow(deprecated)]
impl<T: Wholly + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for WhollyServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

#[allow(deprecated)]
impl<T: Wholly + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for WhollyServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &WHOLLY
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn file_descriptor_set(&self) -> &'static [u8] {
        super::super::FILE_DESCRIPTOR_SET
    }

    fn dispatch(&self, call: ::broach_core::codegen::Inbound) -> ::broach_core::codegen::Handling {
        let service = ::std::sync::Arc::clone(&self.service);
        match call.method() {
            0 => call.bidirectional(async move |cx, requests, replies| {
                T::old(&service, cx, requests, replies).await
            }),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.old.Wholly` through a channel.
#[deprecated]
#[derive(Clone, Debug)]
pub struct WhollyClient {
    channel: ::broach_core::codegen::Channel,
}

#[allow(deprecated)]
impl WhollyClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.old.Wholly/Old`: bidirectional streaming.
    ///
    /// The call is done when the handler begins its reply. Whoever sends the first request only
    /// then waits for ever, if the handler waits for that request.
    pub fn old(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = M> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<M>, ::broach_core::codegen::Receiver<M>> {
        self.channel.bidirectional(&WHOLLY.methods[0], requests)
    }
}
