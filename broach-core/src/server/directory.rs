//! [`DirectoryService`]: hands out adverts to other nodes.

use std::sync::Arc;

use crate::advert::schema::{GetAdvertReply, GetAdvertRequest};
use crate::advert::{AdvertHash, AdvertStore, DIRECTORY, GET_ADVERT};
use crate::exchange::{Dispatch, Handling, Inbound};
use crate::method::ServiceSpec;
use crate::status::Status;

/// Serves `broach.cluster.v1.Directory` from what this node knows.
pub(crate) struct DirectoryService {
    store: Arc<AdvertStore>,
}

impl DirectoryService {
    /// Hands out what is in this store at the time of a call.
    pub(crate) const fn new(store: Arc<AdvertStore>) -> Self {
        Self { store }
    }
}

impl Dispatch for DirectoryService {
    fn spec(&self) -> &'static ServiceSpec {
        &DIRECTORY
    }

    fn dispatch(&self, call: Inbound) -> Handling {
        match call.method() {
            GET_ADVERT => {
                let store = Arc::clone(&self.store);
                call.unary(|_, request| async move { get_advert(&store, &request) })
            }
            _ => call.unimplemented(),
        }
    }
}

fn get_advert(store: &AdvertStore, request: &GetAdvertRequest) -> Result<GetAdvertReply, Status> {
    let hash = AdvertHash(request.hash);
    let Some(known) = store.get(hash).filter(|known| known.hash() != AdvertHash::NONE) else {
        return Err(Status::not_found(format!("this node does not know the advert {hash}")));
    };
    Ok(GetAdvertReply { advert: known.bytes().clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::FutureExt;
    use prost::Message;

    use super::*;
    use crate::advert::{Advert, EncodedAdvert};
    use crate::code::Code;
    use crate::deadline::Stopped;
    use crate::exchange::{Body, Request};

    fn get(store: &Arc<AdvertStore>, hash: AdvertHash) -> Result<GetAdvertReply, Status> {
        let body = Body::message(&GetAdvertRequest { hash: hash.0 });
        let method = (&DIRECTORY.methods[GET_ADVERT]).into();
        let request = Request::new(method, body, Stopped::shared());
        let call = Inbound::new(GET_ADVERT, request);
        let handling = DirectoryService::new(Arc::clone(store)).dispatch(call);
        let reply = handling.now_or_never().unwrap()?;
        let bytes = reply.body.as_message().unwrap().clone();
        Ok(GetAdvertReply::decode(bytes).unwrap())
    }

    #[test]
    fn an_advert_that_is_known_is_handed_out_as_it_is() {
        let tags = BTreeMap::from([("gpu".to_owned(), "yes".to_owned())]);
        let own = EncodedAdvert::new(Advert { tags, ..Advert::default() }).unwrap();
        let store = Arc::new(AdvertStore::default());
        store.set_own(own.clone());
        assert_eq!(get(&store, own.hash()).unwrap().advert, own.bytes());
        let status = get(&store, AdvertHash(0xbeef)).unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "this node does not know the advert 000000000000beef");
    }

    #[test]
    fn nothing_is_not_handed_out() {
        let store = Arc::new(AdvertStore::default());
        store.set_own(EncodedAdvert::new(Advert::default()).unwrap());
        assert_eq!(get(&store, AdvertHash::NONE).unwrap_err().code(), Code::NotFound);
    }
}
