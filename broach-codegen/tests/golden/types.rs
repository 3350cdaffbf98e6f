/// The name and the methods of `awkward.types.v1.Types`, in the order of its `.proto`.
pub static TYPES: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.types.v1.Types",
    methods: &[
        ::broach_core::codegen::unary("awkward.types.v1.Types/Empty", 0xcbf4_e7ed_9c4c_29a0),
        ::broach_core::codegen::server_streaming(
            "awkward.types.v1.Types/Wrapped",
            0x0da3_714c_a4be_8c0d,
        ),
        ::broach_core::codegen::client_streaming(
            "awkward.types.v1.Types/Number",
            0x4fb3_34ca_fd93_32af,
        ),
        ::broach_core::codegen::unary("awkward.types.v1.Types/Times", 0xcea2_b1b7_f4da_b78d),
        ::broach_core::codegen::unary("awkward.types.v1.Types/Imported", 0x703e_dc16_37fc_480f),
        ::broach_core::codegen::unary("awkward.types.v1.Types/Nested", 0x146a_b9cd_4765_4961),
    ],
};

/// The service `awkward.types.v1.Types`: implement it, and serve it with
/// [`TypesServer`]; call it with [`TypesClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Types: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.types.v1.Types/Empty`: unary.
    async fn empty(
        &self,
        cx: ::broach_core::codegen::Context,
        request: (),
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TYPES.methods[0], (cx, request))
    }

    /// RPC `awkward.types.v1.Types/Wrapped`: server streaming.
    async fn wrapped(
        &self,
        cx: ::broach_core::codegen::Context,
        request: ::broach_core::codegen::prost::alloc::string::String,
        replies: ::broach_core::codegen::Sender<::broach_core::codegen::prost::alloc::vec::Vec<u8>>,
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TYPES.methods[1], (cx, request, replies))
    }

    /// RPC `awkward.types.v1.Types/Number`: client streaming.
    async fn number(
        &self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<i64>,
    ) -> ::core::result::Result<bool, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TYPES.methods[2], (cx, requests))
    }

    /// RPC `awkward.types.v1.Types/Times`: unary.
    async fn times(
        &self,
        cx: ::broach_core::codegen::Context,
        request: ::broach_core::codegen::prost_types::Timestamp,
    ) -> ::core::result::Result<::broach_core::codegen::prost_types::Any, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TYPES.methods[3], (cx, request))
    }

    /// RPC `awkward.types.v1.Types/Imported`: unary.
    async fn imported(
        &self,
        cx: ::broach_core::codegen::Context,
        request: super::super::r#type::r#match::Outer,
    ) -> ::core::result::Result<super::super::r#type::r#match::outer::Inner, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TYPES.methods[4], (cx, request))
    }

    /// RPC `awkward.types.v1.Types/Nested`: unary.
    async fn nested(
        &self,
        cx: ::broach_core::codegen::Context,
        request: Outer,
    ) -> ::core::result::Result<outer::Inner, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TYPES.methods[5], (cx, request))
    }
}

/// Serves `awkward.types.v1.Types` with an implementation of [`Types`].
#[derive(Debug)]
pub struct TypesServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Types + ?::core::marker::Sized> TypesServer<T> {
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

impl<T: Types + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for TypesServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Types + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for TypesServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &TYPES
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn file_descriptor_set(&self) -> &'static [u8] {
        super::super::super::FILE_DESCRIPTOR_SET
    }

    fn dispatch(&self, call: ::broach_core::codegen::Inbound) -> ::broach_core::codegen::Handling {
        let service = ::std::sync::Arc::clone(&self.service);
        match call.method() {
            0 => call.unary(async move |cx, request| T::empty(&service, cx, request).await),
            1 => call.server_streaming(async move |cx, request, replies| {
                T::wrapped(&service, cx, request, replies).await
            }),
            2 => call.client_streaming(async move |cx, requests| {
                T::number(&service, cx, requests).await
            }),
            3 => call.unary(async move |cx, request| T::times(&service, cx, request).await),
            4 => call.unary(async move |cx, request| T::imported(&service, cx, request).await),
            5 => call.unary(async move |cx, request| T::nested(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.types.v1.Types` through a channel.
#[derive(Clone, Debug)]
pub struct TypesClient {
    channel: ::broach_core::codegen::Channel,
}

impl TypesClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.types.v1.Types/Empty`: unary.
    pub fn empty(&self, request: ()) -> ::broach_core::codegen::Call<(), ()> {
        self.channel.unary(&TYPES.methods[0], request)
    }

    /// RPC `awkward.types.v1.Types/Wrapped`: server streaming.
    pub fn wrapped(
        &self,
        request: ::broach_core::codegen::prost::alloc::string::String,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::prost::alloc::string::String, ::broach_core::codegen::Receiver<::broach_core::codegen::prost::alloc::vec::Vec<u8>>> {
        self.channel.server_streaming(&TYPES.methods[1], request)
    }

    /// RPC `awkward.types.v1.Types/Number`: client streaming.
    pub fn number(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = i64> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<i64>, bool> {
        self.channel.client_streaming(&TYPES.methods[2], requests)
    }

    /// RPC `awkward.types.v1.Types/Times`: unary.
    pub fn times(
        &self,
        request: ::broach_core::codegen::prost_types::Timestamp,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::prost_types::Timestamp, ::broach_core::codegen::prost_types::Any> {
        self.channel.unary(&TYPES.methods[3], request)
    }

    /// RPC `awkward.types.v1.Types/Imported`: unary.
    pub fn imported(
        &self,
        request: super::super::r#type::r#match::Outer,
    ) -> ::broach_core::codegen::Call<super::super::r#type::r#match::Outer, super::super::r#type::r#match::outer::Inner> {
        self.channel.unary(&TYPES.methods[4], request)
    }

    /// RPC `awkward.types.v1.Types/Nested`: unary.
    pub fn nested(&self, request: Outer) -> ::broach_core::codegen::Call<Outer, outer::Inner> {
        self.channel.unary(&TYPES.methods[5], request)
    }
}
