//! Services whose names are taken.

use broach_core::{Channel, Context, Status};
use broach_tests::awkward::clashes::{
    Door, DoorClient, DoorServer, DoorServerService, DoorServerServiceServer, LampClient,
    LampService, LampServiceClient, LampServiceServer, Tpu, TpuService, TpuServiceServer,
};

struct All;

#[broach_core::async_trait]
impl LampService for All {
    async fn light(&self, _cx: Context, request: LampClient) -> Result<LampClient, Status> {
        Ok(request)
    }
}

#[broach_core::async_trait]
impl Door for All {
    async fn open(&self, _cx: Context, request: Tpu) -> Result<Tpu, Status> {
        Ok(request)
    }
}

impl DoorServerService for All {}
impl TpuService for All {}

#[tokio::test]
async fn services_give_way_to_messages_and_earlier_services() {
    let client = LampServiceClient::new(Channel::in_process(LampServiceServer::new(All)));
    let message = LampClient { text: "l".into() };
    assert_eq!(client.light(message.clone()).await.unwrap(), message);
    let client = DoorClient::new(Channel::in_process(DoorServer::new(All)));
    assert!(client.open(Tpu::default()).await.is_ok());
    let _ = (DoorServerServiceServer::new(All), TpuServiceServer::new(All));
}
