/// The name and the methods of `awkward.boxes.Boxes`, in the order of its `.proto`.
pub static BOXES: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.boxes.Boxes",
    methods: &[
        ::broach_core::codegen::unary("awkward.boxes.Boxes/One", 0xb306_015b_c99b_23b5),
        ::broach_core::codegen::bidirectional("awkward.boxes.Boxes/Many", 0x0398_bf55_6f22_86cd),
    ],
};

/// Moves boxes.
///
/// The service `awkward.boxes.Boxes`: implement it, and serve it with
/// [`BoxesServer`]; call it with [`BoxesClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
pub trait Boxes: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Moves one box.
    ///
    /// RPC `awkward.boxes.Boxes/One`: unary.
    fn one<'life0, 'async_trait>(
        &'life0 self,
        cx: ::broach_core::codegen::Context,
        request: Box,
    ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = ::core::result::Result<Box, ::broach_core::codegen::Status>> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        ::std::boxed::Box::pin(async move { ::broach_core::codegen::left_out(&BOXES.methods[0], (cx, request)) })
    }

    /// RPC `awkward.boxes.Boxes/Many`: bidirectional streaming.
    fn many<'life0, 'async_trait>(
        &'life0 self,
        cx: ::broach_core::codegen::Context,
        requests: ::broach_core::codegen::Receiver<Box>,
        replies: ::broach_core::codegen::Sender<Box>,
    ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = ::core::result::Result<(), ::broach_core::codegen::Status>> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        ::std::boxed::Box::pin(async move { ::broach_core::codegen::left_out(&BOXES.methods[1], (cx, requests, replies)) })
    }
}

/// Moves boxes.
///
/// Serves `awkward.boxes.Boxes` with an implementation of [`Boxes`].
#[derive(Debug)]
pub struct BoxesServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Boxes + ?::core::marker::Sized> BoxesServer<T> {
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

impl<T: Boxes + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for BoxesServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Boxes + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for BoxesServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &BOXES
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
            0 => call.unary(async move |cx, request| T::one(&service, cx, request).await),
            1 => call.bidirectional(async move |cx, requests, replies| {
                T::many(&service, cx, requests, replies).await
            }),
            _ => call.unimplemented(),
        }
    }
}

/// Moves boxes.
///
/// Calls `awkward.boxes.Boxes` through a channel.
#[derive(Clone, Debug)]
pub struct BoxesClient {
    channel: ::broach_core::codegen::Channel,
}

impl BoxesClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// Moves one box.
    ///
    /// RPC `awkward.boxes.Boxes/One`: unary.
    pub fn one(&self, request: Box) -> ::broach_core::codegen::Call<Box, Box> {
        self.channel.unary(&BOXES.methods[0], request)
    }

    /// RPC `awkward.boxes.Boxes/Many`: bidirectional streaming.
    ///
    /// The call is done when the handler begins its reply. Whoever sends the first request only
    /// then waits for ever, if the handler waits for that request.
    pub fn many(
        &self,
        requests: impl ::broach_core::codegen::Stream<Item = Box> + ::core::marker::Send + 'static,
    ) -> ::broach_core::codegen::Call<::broach_core::codegen::RequestStream<Box>, ::broach_core::codegen::Receiver<Box>> {
        self.channel.bidirectional(&BOXES.methods[1], requests)
    }
}
