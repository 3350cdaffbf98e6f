/// The name and the methods of `awkward.methods.Methods`, in the order of its `.proto`.
pub static METHODS: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.methods.Methods",
    methods: &[
        ::broach_core::codegen::unary("awkward.methods.Methods/New", 0x6122_1cbb_d623_f28d),
        ::broach_core::codegen::unary("awkward.methods.Methods/Into", 0xf811_fe13_92ac_6409),
        ::broach_core::codegen::unary("awkward.methods.Methods/Version", 0x17e5_8d26_0803_6363),
        ::broach_core::codegen::unary("awkward.methods.Methods/Clone", 0xb817_8edf_9396_2903),
        ::broach_core::codegen::unary("awkward.methods.Methods/Drop", 0x1550_db70_69ec_d35c),
        ::broach_core::codegen::unary("awkward.methods.Methods/Channel", 0x7d7d_222b_6115_6d49),
        ::broach_core::codegen::server_streaming(
            "awkward.methods.Methods/Move",
            0x924d_50f7_824c_5fa2,
        ),
        ::broach_core::codegen::client_streaming(
            "awkward.methods.Methods/Self",
            0x0285_7304_a2ca_d6be,
        ),
        ::broach_core::codegen::bidirectional("awkward.methods.Methods/Gen", 0xa598_3c57_6279_f50e),
        ::broach_core::codegen::unary("awkward.methods.Methods/HTTPGet2", 0x2880_d1fe_6626_9c03),
        ::broach_core::codegen::unary("awkward.methods.Methods/lower_case", 0x000f_7e90_2fe6_b2fa),
    ],
};

/// The service `awkward.methods.Methods`: implement it, and serve it with
/// [`MethodsServer`]; call it with [`MethodsClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Methods: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// `new` makes a client.
    ///
    /// RPC `awkward.methods.Methods/New`: unary.
    /// Named `new_` because `new` makes a client.
    async fn new_(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[0], (cx, request))
    }

    /// Every type has `into`.
    ///
    /// RPC `awkward.methods.Methods/Into`: unary.
    /// Named `into_` because every type has a method of this name.
    async fn into_(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[1], (cx, request))
    }

    /// A server is given a version.
    ///
    /// RPC `awkward.methods.Methods/Version`: unary.
    async fn version(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[2], (cx, request))
    }

    /// RPC `awkward.methods.Methods/Clone`: unary.
    async fn clone(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[3], (cx, request))
    }

    /// RPC `awkward.methods.Methods/Drop`: unary.
    async fn drop(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[4], (cx, request))
    }

    /// RPC `awkward.methods.Methods/Channel`: unary.
    async fn channel(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[5], (cx, request))
    }

    /// RPC `awkward.methods.Methods/Move`: server streaming.
    async fn r#move(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
        replies: ::broach_core::codegen::Sender<M>,
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[6], (cx, request, replies))
    }

    /// RPC `awkward.methods.Methods/Self`: client streaming.
    async fn self_(
        &self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<M>,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[7], (cx, requests))
    }

    /// RPC `awkward.methods.Methods/Gen`: bidirectional streaming.
    async fn r#gen(
        &self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<M>,
        replies: ::broach_core::codegen::Sender<M>,
    ) -> ::core::result::Result<(), ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[8], (cx, requests, replies))
    }

    /// RPC `awkward.methods.Methods/HTTPGet2`: unary.
    async fn http_get2(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[9], (cx, request))
    }

    /// RPC `awkward.methods.Methods/lower_case`: unary.
    async fn lower_case(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&METHODS.methods[10], (cx, request))
    }
}

/// Serves `awkward.methods.Methods` with an implementation of [`Methods`].
#[derive(Debug)]
pub struct MethodsServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Methods + ?::core::marker::Sized> MethodsServer<T> {
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

impl<T: Methods + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for MethodsServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Methods + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for MethodsServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &METHODS
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
            0 => call.unary(async move |cx, request| T::new_(&service, cx, request).await),
            1 => call.unary(async move |cx, request| T::into_(&service, cx, request).await),
            2 => call.unary(async move |cx, request| T::version(&service, cx, request).await),
            3 => call.unary(async move |cx, request| T::clone(&service, cx, request).await),
            4 => call.unary(async move |cx, request| T::drop(&service, cx, request).await),
            5 => call.unary(async move |cx, request| T::channel(&service, cx, request).await),
            6 => call.server_streaming(async move |cx, request, replies| {
                T::r#move(&service, cx, request, replies).await
            }),
            7 => call.client_streaming(async move |cx, requests| {
                T::self_(&service, cx, requests).await
            }),
            8 => call.bidirectional(async move |cx, requests, replies| {
                T::r#gen(&service, cx, requests, replies).await
            }),
            9 => call.unary(async move |cx, request| T::http_get2(&service, cx, request).await),
            10 => call.unary(async move |cx, request| T::lower_case(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.methods.Methods` through a channel.
#[derive(Clone, Debug)]
pub struct MethodsClient {
    channel: ::broach_core::codegen::Channel,
}

impl MethodsClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// `new` makes a client.
    ///
    /// RPC `awkward.methods.Methods/New`: unary.
    /// Named `new_` because `new` makes a client.
    pub fn new_(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[0], request)
    }

    /// Every type has `into`.
    ///
    /// RPC `awkward.methods.Methods/Into`: unary.
    /// Named `into_` because every type has a method of this name.
    pub fn into_(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[1], request)
    }

    /// A server is given a version.
    ///
    /// RPC `awkward.methods.Methods/Version`: unary.
    pub fn version(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[2], request)
    }

    /// RPC `awkward.methods.Methods/Clone`: unary.
    pub fn clone(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[3], request)
    }

    /// RPC `awkward.methods.Methods/Drop`: unary.
    pub fn drop(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[4], request)
    }

    /// RPC `awkward.methods.Methods/Channel`: unary.
    pub fn channel(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[5], request)
    }

    /// RPC `awkward.methods.Methods/Move`: server streaming.
    pub fn r#move(
        &self,
        request: M,
    ) -> ::broach_core::codegen::Call<M, ::broach_core::codegen::Receiver<M>> {
        self.channel.server_streaming(&METHODS.methods[6], request)
    }

    /// RPC `awkward.methods.Methods/Self`: client streaming.
    pub fn self_(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = M> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<M>, M> {
        self.channel.client_streaming(&METHODS.methods[7], requests)
    }

    /// RPC `awkward.methods.Methods/Gen`: bidirectional streaming.
    ///
    /// The call is done when the handler begins its reply. Whoever sends the first request only
    /// then waits for ever, if the handler waits for that request.
    pub fn r#gen(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = M> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<M>, ::broach_core::codegen::Receiver<M>> {
        self.channel.bidirectional(&METHODS.methods[8], requests)
    }

    /// RPC `awkward.methods.Methods/HTTPGet2`: unary.
    pub fn http_get2(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[9], request)
    }

    /// RPC `awkward.methods.Methods/lower_case`: unary.
    pub fn lower_case(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&METHODS.methods[10], request)
    }
}

/// The name and the methods of `awkward.methods.T`, in the order of its `.proto`.
pub static T: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.methods.T",
    methods: &[
        ::broach_core::codegen::unary("awkward.methods.T/T", 0x695e_8e5e_0928_8636),
    ],
};

/// The service `awkward.methods.T`: implement it, and serve it with
/// [`TServer`]; call it with [`TClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait T: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.methods.T/T`: unary.
    async fn t(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&T.methods[0], (cx, request))
    }
}

/// Serves `awkward.methods.T` with an implementation of [`T`](trait@T).
#[derive(Debug)]
pub struct TServer<S: ?::core::marker::Sized> {
    service: ::std::sync::Arc<S>,
    version: ::std::string::String,
}

impl<S: T + ?::core::marker::Sized> TServer<S> {
    /// Serves with this implementation.
    pub fn new(service: S) -> Self
    where
        S: ::core::marker::Sized,
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

impl<S: T + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<S>> for TServer<S> {
    fn from(service: ::std::sync::Arc<S>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<S: T + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for TServer<S> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &T
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
            0 => call.unary(async move |cx, request| S::t(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.methods.T` through a channel.
#[derive(Clone, Debug)]
pub struct TClient {
    channel: ::broach_core::codegen::Channel,
}

impl TClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.methods.T/T`: unary.
    pub fn t(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&T.methods[0], request)
    }
}

/// The name and the methods of `awkward.methods.self`, in the order of its `.proto`.
pub static SELF: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.methods.self",
    methods: &[
        ::broach_core::codegen::unary("awkward.methods.self/Await", 0x4f68_ceb6_1a65_3b92),
    ],
};

/// The service `awkward.methods.self`: implement it, and serve it with
/// [`SelfServer`]; call it with [`SelfClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Self_: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.methods.self/Await`: unary.
    async fn r#await(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&SELF.methods[0], (cx, request))
    }
}

/// Serves `awkward.methods.self` with an implementation of [`Self_`].
#[derive(Debug)]
pub struct SelfServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Self_ + ?::core::marker::Sized> SelfServer<T> {
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

impl<T: Self_ + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for SelfServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Self_ + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for SelfServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &SELF
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
            0 => call.unary(async move |cx, request| T::r#await(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.methods.self` through a channel.
#[derive(Clone, Debug)]
pub struct SelfClient {
    channel: ::broach_core::codegen::Channel,
}

impl SelfClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.methods.self/Await`: unary.
    pub fn r#await(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&SELF.methods[0], request)
    }
}
