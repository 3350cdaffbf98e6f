//! The tests of a service that keeps something, as the guide shows them.

broach_core::include_protos!();

use std::sync::{Arc, Mutex};

use broach_core::testing::{Faults, Network};
use broach_core::{Channel, Context, Node, Security, Status};
use shop::v1::{OrderReply, OrderRequest, Shop, ShopClient, ShopServer};

#[derive(Default)]
struct Books {
    orders: Mutex<Vec<u32>>,
}

#[broach_core::async_trait]
impl Shop for Books {
    async fn order(&self, _: Context, request: OrderRequest) -> Result<OrderReply, Status> {
        self.orders.lock().unwrap().push(request.number);
        Ok(OrderReply {})
    }
}

#[tokio::test]
async fn an_order_is_written_down() -> Result<(), Status> {
    let books = Arc::new(Books::default());
    let shop = ShopClient::new(Channel::in_process(ShopServer::from(Arc::clone(&books))));
    shop.order(OrderRequest { number: 7 }).await?;
    assert_eq!(*books.orders.lock().unwrap(), [7]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn orders_are_taken_once_at_ten_percent_loss() -> Result<(), Box<dyn std::error::Error>> {
    let network = Network::new(42);
    let mut faults = Faults::default();
    faults.loss = 0.1;
    network.set_faults(faults);

    let books = Arc::new(Books::default());
    let addr = "10.0.0.1:7400".parse()?;
    let node = Node::builder()
        .security(Security::clear())
        .socket(network.socket(addr)?)
        .serve(ShopServer::from(Arc::clone(&books)))
        .start()
        .await?;
    let channel = Channel::builder()
        .security(Security::clear())
        .socket(network.socket("10.0.0.2:7400".parse()?)?)
        .connect(addr)
        .await?;

    let shop = ShopClient::new(channel);
    for number in 0..100 {
        shop.order(OrderRequest { number }).await?;
    }
    assert!(books.orders.lock().unwrap().iter().copied().eq(0..100));
    node.shutdown().await?;
    Ok(())
}
