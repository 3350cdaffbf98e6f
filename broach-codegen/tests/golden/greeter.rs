/// The name and the methods of `greeter.v1.Greeter`, in the order of its `.proto`.
pub static GREETER: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "greeter.v1.Greeter",
    methods: &[
        ::broach_core::codegen::unary("greeter.v1.Greeter/SayHello", 0x392b_74ef_3119_fd7a)
            .no_side_effects(),
        ::broach_core::codegen::server_streaming(
            "greeter.v1.Greeter/Languages",
            0x7b62_ee73_c411_070f,
        ).idempotent(),
        ::broach_core::codegen::client_streaming(
            "greeter.v1.Greeter/Everyone",
            0xfefd_ec72_834b_c31f,
        ),
        ::broach_core::codegen::bidirectional("greeter.v1.Greeter/Door", 0x1cc6_7b42_75fa_b44c),
    ],
};

/// Greets people, one at a time or many.
///
/// The service `greeter.v1.Greeter`: implement it, and serve it with
/// [`GreeterServer`]; call it with [`GreeterClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Greeter: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Greets one person.
    ///
    /// RPC `greeter.v1.Greeter/SayHello`: unary, no side effects.
    async fn say_hello(
        &self,
        cx: ::broach_core::codegen::Context,
        request: HelloRequest,
    ) -> ::core::result::Result<HelloReply, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&GREETER.methods[0], (cx, request))
    }

    /// Greets one person in several languages.
    ///
    /// RPC `greeter.v1.Greeter/Languages`: server streaming, idempotent.
    async fn languages(
        &self,
        cx: ::broach_core::codegen::Context,
        request: HelloRequest,
        replies: ::broach_core::codegen::Sender<HelloReply>,
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&GREETER.methods[1], (cx, request, replies))
    }

    /// Greets everyone on the list at once.
    ///
    /// RPC `greeter.v1.Greeter/Everyone`: client streaming.
    async fn everyone(
        &self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<HelloRequest>,
    ) -> ::core::result::Result<HelloReply, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&GREETER.methods[2], (cx, requests))
    }

    /// Greets people as they arrive.
    ///
    /// RPC `greeter.v1.Greeter/Door`: bidirectional streaming.
    async fn door(
        &self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<HelloRequest>,
        replies: ::broach_core::codegen::Sender<HelloReply>,
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&GREETER.methods[3], (cx, requests, replies))
    }
}

/// Greets people, one at a time or many.
///
/// Serves `greeter.v1.Greeter` with an implementation of [`Greeter`].
#[derive(Debug)]
pub struct GreeterServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Greeter + ?::core::marker::Sized> GreeterServer<T> {
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

impl<T: Greeter + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for GreeterServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Greeter + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for GreeterServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &GREETER
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
            0 => call.unary(async move |cx, request| T::say_hello(&service, cx, request).await),
            1 => call.server_streaming(async move |cx, request, replies| {
                T::languages(&service, cx, request, replies).await
            }),
            2 => call.client_streaming(async move |cx, requests| {
                T::everyone(&service, cx, requests).await
            }),
            3 => call.bidirectional(async move |cx, requests, replies| {
                T::door(&service, cx, requests, replies).await
            }),
            _ => call.unimplemented(),
        }
    }
}

/// Greets people, one at a time or many.
///
/// Calls `greeter.v1.Greeter` through a channel.
#[derive(Clone, Debug)]
pub struct GreeterClient {
    channel: ::broach_core::codegen::Channel,
}

impl GreeterClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// Greets one person.
    ///
    /// RPC `greeter.v1.Greeter/SayHello`: unary, no side effects.
    pub fn say_hello(
        &self,
        request: HelloRequest,
    ) -> ::broach_core::codegen::Call<HelloRequest, HelloReply> {
        self.channel.unary(&GREETER.methods[0], request)
    }

    /// Greets one person in several languages.
    ///
    /// RPC `greeter.v1.Greeter/Languages`: server streaming, idempotent.
    pub fn languages(
        &self,
        request: HelloRequest,
    ) -> ::broach_core::codegen::Call<HelloRequest, ::broach_core::codegen::Receiver<HelloReply>> {
        self.channel.server_streaming(&GREETER.methods[1], request)
    }

    /// Greets everyone on the list at once.
    ///
    /// RPC `greeter.v1.Greeter/Everyone`: client streaming.
    pub fn everyone(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = HelloRequest> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<HelloRequest>, HelloReply> {
        self.channel.client_streaming(&GREETER.methods[2], requests)
    }

    /// Greets people as they arrive.
    ///
    /// RPC `greeter.v1.Greeter/Door`: bidirectional streaming.
    ///
    /// The call is done when the handler begins its reply. Whoever sends the first request only
    /// then waits for ever, if the handler waits for that request.
    pub fn door(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = HelloRequest> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<HelloRequest>, ::broach_core::codegen::Receiver<HelloReply>> {
        self.channel.bidirectional(&GREETER.methods[3], requests)
    }
}
