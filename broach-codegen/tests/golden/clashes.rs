/// The name and the methods of `awkward.clashes.Lamp`, in the order of its `.proto`.
pub static LAMP_SERVICE: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.clashes.Lamp",
    methods: &[
        ::broach_core::codegen::unary("awkward.clashes.Lamp/Light", 0x57c2_36be_dbd9_7a93),
    ],
};

/// The service `awkward.clashes.Lamp`: implement it, and serve it with
/// [`LampServiceServer`]; call it with [`LampServiceClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
///
/// Named with `Service` because `LampClient` is message `awkward.clashes.LampClient`.
#[::broach_core::codegen::async_trait]
pub trait LampService: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.clashes.Lamp/Light`: unary.
    async fn light(
        &self,
        cx: ::broach_core::codegen::Context,
        request: LampClient,
    ) -> ::core::result::Result<LampClient, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&LAMP_SERVICE.methods[0], (cx, request))
    }
}

/// Serves `awkward.clashes.Lamp` with an implementation of [`LampService`].
///
/// Named with `Service` because `LampClient` is message `awkward.clashes.LampClient`.
#[derive(Debug)]
pub struct LampServiceServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: LampService + ?::core::marker::Sized> LampServiceServer<T> {
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

impl<T: LampService + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for LampServiceServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: LampService + ?::core::marker::Sized> ::broach_core::codegen::Dispatch
    for LampServiceServer<T>
{
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &LAMP_SERVICE
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
            0 => call.unary(async move |cx, request| T::light(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.clashes.Lamp` through a channel.
///
/// Named with `Service` because `LampClient` is message `awkward.clashes.LampClient`.
#[derive(Clone, Debug)]
pub struct LampServiceClient {
    channel: ::broach_core::codegen::Channel,
}

impl LampServiceClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.clashes.Lamp/Light`: unary.
    pub fn light(
        &self,
        request: LampClient,
    ) -> ::broach_core::codegen::Call<LampClient, LampClient> {
        self.channel.unary(&LAMP_SERVICE.methods[0], request)
    }
}

/// The name and the methods of `awkward.clashes.Tpu`, in the order of its `.proto`.
pub static TPU_SERVICE: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.clashes.Tpu",
    methods: &[
        ::broach_core::codegen::unary("awkward.clashes.Tpu/Run", 0x32a4_0e3a_214a_567f),
    ],
};

/// The service `awkward.clashes.Tpu`: implement it, and serve it with
/// [`TpuServiceServer`]; call it with [`TpuServiceClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
///
/// Named with `Service` because `Tpu` is message `awkward.clashes.TPU`.
#[::broach_core::codegen::async_trait]
pub trait TpuService: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.clashes.Tpu/Run`: unary.
    async fn run(
        &self,
        cx: ::broach_core::codegen::Context,
        request: Tpu,
    ) -> ::core::result::Result<Tpu, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&TPU_SERVICE.methods[0], (cx, request))
    }
}

/// Serves `awkward.clashes.Tpu` with an implementation of [`TpuService`].
///
/// Named with `Service` because `Tpu` is message `awkward.clashes.TPU`.
#[derive(Debug)]
pub struct TpuServiceServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: TpuService + ?::core::marker::Sized> TpuServiceServer<T> {
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

impl<T: TpuService + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for TpuServiceServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: TpuService + ?::core::marker::Sized> ::broach_core::codegen::Dispatch
    for TpuServiceServer<T>
{
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &TPU_SERVICE
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
            0 => call.unary(async move |cx, request| T::run(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.clashes.Tpu` through a channel.
///
/// Named with `Service` because `Tpu` is message `awkward.clashes.TPU`.
#[derive(Clone, Debug)]
pub struct TpuServiceClient {
    channel: ::broach_core::codegen::Channel,
}

impl TpuServiceClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.clashes.Tpu/Run`: unary.
    pub fn run(&self, request: Tpu) -> ::broach_core::codegen::Call<Tpu, Tpu> {
        self.channel.unary(&TPU_SERVICE.methods[0], request)
    }
}

/// The name and the methods of `awkward.clashes.Door`, in the order of its `.proto`.
pub static DOOR: ::broach_core::codegen::ServiceSpec = ::broach_core::codegen::ServiceSpec {
    name: "awkward.clashes.Door",
    methods: &[
        ::broach_core::codegen::unary("awkward.clashes.Door/Open", 0x37b1_41f1_5f8a_8241),
    ],
};

/// The service `awkward.clashes.Door`: implement it, and serve it with
/// [`DoorServer`]; call it with [`DoorClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
#[::broach_core::codegen::async_trait]
pub trait Door: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.clashes.Door/Open`: unary.
    async fn open(
        &self,
        cx: ::broach_core::codegen::Context,
        request: Tpu,
    ) -> ::core::result::Result<Tpu, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&DOOR.methods[0], (cx, request))
    }
}

/// Serves `awkward.clashes.Door` with an implementation of [`Door`].
#[derive(Debug)]
pub struct DoorServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: Door + ?::core::marker::Sized> DoorServer<T> {
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

impl<T: Door + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for DoorServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: Door + ?::core::marker::Sized> ::broach_core::codegen::Dispatch for DoorServer<T> {
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &DOOR
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
            0 => call.unary(async move |cx, request| T::open(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Calls `awkward.clashes.Door` through a channel.
#[derive(Clone, Debug)]
pub struct DoorClient {
    channel: ::broach_core::codegen::Channel,
}

impl DoorClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.clashes.Door/Open`: unary.
    pub fn open(&self, request: Tpu) -> ::broach_core::codegen::Call<Tpu, Tpu> {
        self.channel.unary(&DOOR.methods[0], request)
    }
}

/// The name and the methods of `awkward.clashes.DoorServer`, in the order of its `.proto`.
pub static DOOR_SERVER_SERVICE: ::broach_core::codegen::ServiceSpec =
    ::broach_core::codegen::ServiceSpec {
    name: "awkward.clashes.DoorServer",
    methods: &[
        ::broach_core::codegen::unary("awkward.clashes.DoorServer/Close", 0xd304_a21f_a62e_cade),
    ],
};

/// Has the name of the server of the service Door.
///
/// The service `awkward.clashes.DoorServer`: implement it, and serve it with
/// [`DoorServerServiceServer`]; call it with [`DoorServerServiceClient`].
///
/// A method that an implementation leaves out answers `Unimplemented`.
///
/// Named with `Service` because `DoorServer` is the server of service `awkward.clashes.Door`.
#[::broach_core::codegen::async_trait]
pub trait DoorServerService: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// RPC `awkward.clashes.DoorServer/Close`: unary.
    async fn close(
        &self,
        cx: ::broach_core::codegen::Context,
        request: Tpu,
    ) -> ::core::result::Result<Tpu, ::broach_core::codegen::Status> {
        ::broach_core::codegen::left_out(&DOOR_SERVER_SERVICE.methods[0], (cx, request))
    }
}

/// Has the name of the server of the service Door.
///
/// Serves `awkward.clashes.DoorServer` with an implementation of [`DoorServerService`].
///
/// Named with `Service` because `DoorServer` is the server of service `awkward.clashes.Door`.
#[derive(Debug)]
pub struct DoorServerServiceServer<T: ?::core::marker::Sized> {
    service: ::std::sync::Arc<T>,
    version: ::std::string::String,
}

impl<T: DoorServerService + ?::core::marker::Sized> DoorServerServiceServer<T> {
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

impl<T: DoorServerService + ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<T>>
    for DoorServerServiceServer<T>
{
    fn from(service: ::std::sync::Arc<T>) -> Self {
        Self { service, version: ::std::string::String::new() }
    }
}

impl<T: DoorServerService + ?::core::marker::Sized> ::broach_core::codegen::Dispatch
    for DoorServerServiceServer<T>
{
    fn spec(&self) -> &'static ::broach_core::codegen::ServiceSpec {
        &DOOR_SERVER_SERVICE
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
            0 => call.unary(async move |cx, request| T::close(&service, cx, request).await),
            _ => call.unimplemented(),
        }
    }
}

/// Has the name of the server of the service Door.
///
/// Calls `awkward.clashes.DoorServer` through a channel.
///
/// Named with `Service` because `DoorServer` is the server of service `awkward.clashes.Door`.
#[derive(Clone, Debug)]
pub struct DoorServerServiceClient {
    channel: ::broach_core::codegen::Channel,
}

impl DoorServerServiceClient {
    /// Calls through this channel.
    pub fn new(channel: ::broach_core::codegen::Channel) -> Self {
        Self { channel }
    }

    /// RPC `awkward.clashes.DoorServer/Close`: unary.
    pub fn close(&self, request: Tpu) -> ::broach_core::codegen::Call<Tpu, Tpu> {
        self.channel.unary(&DOOR_SERVER_SERVICE.methods[0], request)
    }
}
