//! Methods named like those that every type has, and like those of the runtime.

use broach_core::codegen::Dispatch;
use broach_core::{Channel, Context, Status};
use broach_tests::awkward::methods::{M, Methods, MethodsClient, MethodsServer};

struct Echo;

/// Answers each method with its name.
macro_rules! echo {
    ($($method:ident)*) => {
        #[broach_core::async_trait]
        impl Methods for Echo {
            $(async fn $method(&self, _cx: Context, _request: M) -> Result<M, Status> {
                Ok(text(stringify!($method)))
            })*
        }

        #[tokio::test]
        async fn methods_named_like_those_of_traits_are_called() {
            let client = MethodsClient::new(Channel::in_process(MethodsServer::new(Echo)));
            $(assert_eq!(client.$method(M::default()).await.unwrap(), text(stringify!($method)));)*
        }
    };
}

echo! {
    new_ into_ try_into_ clone drop connect ready default from call fmt dispatch spec service
    version channel unary as_ref borrow deref to_owned to_string type_id eq poll request cx
}

#[test]
fn a_client_is_cloned_by_the_trait_where_a_method_is_called_clone() {
    let client = MethodsClient::new(Channel::in_process(MethodsServer::new(Echo)));
    let _: MethodsClient = Clone::clone(&client);
}

#[test]
fn a_server_has_a_version_where_a_method_is_called_version() {
    let server = MethodsServer::new(Echo).version("1.4.0");
    assert_eq!(Dispatch::version(&server), "1.4.0");
}

fn text(text: &str) -> M {
    let text = text.to_owned();
    M { text }
}
