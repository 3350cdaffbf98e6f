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
