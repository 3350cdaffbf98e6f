//! What is deprecated in the `.proto`.

use broach_core::{Channel, Context, Status};
use broach_tests::awkward::deprecated;
use broach_tests::awkward::deprecated::{M, Partly, PartlyClient, PartlyServer};

struct All;

#[broach_core::async_trait]
impl Partly for All {
    async fn current(&self, _cx: Context, request: M) -> Result<M, Status> {
        Ok(request)
    }
}

#[tokio::test]
async fn what_is_deprecated_is_called_with_a_warning_only() {
    let client = PartlyClient::new(Channel::in_process(PartlyServer::new(All)));
    assert!(client.current(M::default()).await.is_ok());
    #[expect(deprecated, reason = "that is what is tested")]
    let call = client.old(deprecated::Old::default());
    assert!(call.await.is_err());
    #[expect(deprecated, reason = "that is what is tested")]
    let _ = std::any::type_name::<deprecated::WhollyClient>();
}
