//! The internal service that hands out adverts, as generated code would describe it.

use crate::method::{Idempotency, MethodSpec, ServiceSpec, Shape};

/// `broach.cluster.v1.Directory`.
pub(crate) static DIRECTORY: ServiceSpec = ServiceSpec {
    name: "broach.cluster.v1.Directory",
    methods: &[MethodSpec::new(
        "broach.cluster.v1.Directory/GetAdvert",
        0xffa6_c2ab_496f_18ee,
        Shape::Unary,
        Idempotency::NoSideEffects,
    )],
};

/// The place of `GetAdvert` among the methods.
pub(crate) const GET_ADVERT: usize = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MethodId;

    #[test]
    fn the_ids_are_those_of_the_names() {
        for method in DIRECTORY.methods {
            assert_eq!(method.id(), MethodId::of(method.full_name()));
            assert_eq!(method.service(), DIRECTORY.name);
        }
        assert_eq!(DIRECTORY.methods[GET_ADVERT].name(), "GetAdvert");
    }
}
