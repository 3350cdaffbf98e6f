/// The name and the methods of `awkward.comments.Comments`, in the order of its `.proto`.
pub static COMMENTS: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.comments.Comments",
    methods: &[
        ::broach_core::codegen::unary("awkward.comments.Comments/Leading", 0x9124_92cc_1d19_3c13),
        ::broach_core::codegen::unary("awkward.comments.Comments/Trailing", 0xfe85_0539_0226_a89f),
        ::broach_core::codegen::unary("awkward.comments.Comments/Both", 0xbf2c_3389_a849_8965),
        ::broach_core::codegen::unary("awkward.comments.Comments/Open", 0x979e_b2fa_79f4_3021),
    ],
};

/// A block comment. It says "*" "/" and looks like \[Markdown]:
///
/// ```text
/// let indented = code();
/// ```
///
/// ```text
/// let fenced = code();
/// ```
///
/// The service `awkward.comments.Comments`: implement it, and serve it with
/// [`CommentsServer`]; call it with [`CommentsClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Comments: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// See <https://example.com/a_b> (or \[the manual]\[manual]).
    /// Takes a Map<Key, Value>.
    ///
    ///   * list
    ///     goes on
    ///
    /// RPC `awkward.comments.Comments/Leading`: unary.
    async fn leading(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&COMMENTS.methods[0], (cx, request))
    }

    /// Stands behind.
    ///
    /// RPC `awkward.comments.Comments/Trailing`: unary.
    async fn trailing(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&COMMENTS.methods[1], (cx, request))
    }

    /// Before.
    ///
    /// And behind: [0, 1).
    ///
    /// RPC `awkward.comments.Comments/Both`: unary.
    async fn both(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&COMMENTS.methods[2], (cx, request))
    }

    /// ```text
    /// { "never": "closed" }
    /// ```
    ///
    /// RPC `awkward.comments.Comments/Open`: unary.
    async fn open(
        &self,
        cx: ::broach_core::codegen::Context,
        request: M,
    ) -> ::core::result::Result<M, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&COMMENTS.methods[3], (cx, request))
    }
}

/// A block comment. It says "*" "/" and looks like \[Markdown]:
///
/// ```text
/// let indented = code();
/// ```
///
/// ```text
/// let fenced = code();
/// ```
///
/// Serves `awkward.comments.Comments` with an implementation of [`Comments`].
#[derive(Debug)]
pub struct CommentsServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Comments + ?::core::marker::Sized> CommentsServer<T> {
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

impl<T: Comments + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for CommentsServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Comments + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for CommentsServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &COMMENTS
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
            0 => call.unary(async move |cx, request| T::leading(&service, cx, request).await),
            1 => call.unary(async move |cx, request| T::trailing(&service, cx, request).await),
            2 => call.unary(async move |cx, request| T::both(&service, cx, request).await),
            3 => call.unary(async move |cx, request| T::open(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// A block comment. It says "*" "/" and looks like \[Markdown]:
///
/// ```text
/// let indented = code();
/// ```
///
/// ```text
/// let fenced = code();
/// ```
///
/// Calls `awkward.comments.Comments` through a channel.
#[derive(Clone, Debug)]
pub struct CommentsClient {
    channel: ::broach_core::codegen::Channel,
}

impl CommentsClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// See <https://example.com/a_b> (or \[the manual]\[manual]).
    /// Takes a Map<Key, Value>.
    ///
    ///   * list
    ///     goes on
    ///
    /// RPC `awkward.comments.Comments/Leading`: unary.
    pub fn leading(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&COMMENTS.methods[0], request)
    }

    /// Stands behind.
    ///
    /// RPC `awkward.comments.Comments/Trailing`: unary.
    pub fn trailing(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&COMMENTS.methods[1], request)
    }

    /// Before.
    ///
    /// And behind: [0, 1).
    ///
    /// RPC `awkward.comments.Comments/Both`: unary.
    pub fn both(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&COMMENTS.methods[2], request)
    }

    /// ```text
    /// { "never": "closed" }
    /// ```
    ///
    /// RPC `awkward.comments.Comments/Open`: unary.
    pub fn open(&self, request: M) -> ::broach_core::codegen::Call<M, M> {
        self.channel.unary(&COMMENTS.methods[3], request)
    }
}
