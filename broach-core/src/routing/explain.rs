//! Why there is nobody to call, in words.

use crate::routing::wishes::Wishes;
use crate::routing::{Directory, Offers, Selection, Source};

impl Directory {
    /// What is known if nobody can be called who offers a service and is what is wished.
    pub(crate) fn explain(&self, service: &str, selection: &Selection) -> String {
        let members = self.look();
        let known = members.len();
        let said = self.said();
        let list = &members.candidates(service).targets;
        if !list.is_empty() {
            let leaving = list.iter().filter(|target| target.is_leaving()).count();
            let offer = list.len();
            let admits =
                |wishes: &Wishes| list.iter().any(|target| wishes.admit(&target.member, service));
            if let Some(wishes) = selection.wishes().filter(|wishes| !admits(wishes)) {
                let members = list.iter().map(|target| &target.member);
                let found = wishes.explain(members, service);
                return format!("no node that offers {service} is what the call asks for: {found}");
            }
            return match (self.source(), leaving == offer) {
                (Source::Cluster, true) => format!(
                    "no node that offers {service} takes new calls: {} known, of which {offer} {} \
                     it, and {} about to leave",
                    counted(known),
                    if offer == 1 { "offers" } else { "offer" },
                    if offer == 1 { "that one is" } else { "all of these are" },
                ),
                (Source::Cluster, false) => format!(
                    "no node that offers {service} was chosen: {} known, of which {offer} may be \
                     called, but the picker takes none of them or they have refused",
                    counted(known),
                ),
                (Source::List | Source::Names, _) => format!(
                    "no node was chosen for {service}: {known} may be called, but the picker takes \
                     none of them or they have refused"
                ),
            };
        }
        let trouble = if said.is_empty() { String::new() } else { format!(" ({said})") };
        match (self.source(), known) {
            (Source::List, _) => format!("no node is named that could be called for {service}"),
            (Source::Names, _) => format!("no node is known to call for {service}: {said}"),
            (Source::Cluster, 0) => format!(
                "no node offers {service}: no member is known, so perhaps no seed has answered \
                 yet{trouble}"
            ),
            (Source::Cluster, _) => {
                let unknown = members.iter().filter(|member| member.offers == Offers::Unknown);
                let unknown = unknown.count();
                let alone = known == 1 && members.iter().all(|member| member.own);
                let tail = match (known - unknown, unknown) {
                    _ if alone => "this node itself, which does not serve it, so perhaps no seed \
                                   has answered yet"
                        .to_owned(),
                    (_, 0) => "none advertises it".to_owned(),
                    (0, _) => "it is not known yet what they offer".to_owned(),
                    _ => format!(
                        "of {unknown} it is not known yet what they offer, and of the others none \
                         advertises it"
                    ),
                };
                let trouble = if alone { &trouble } else { "" };
                format!("no node offers {service}: {} known, {tail}{trouble}", counted(known))
            }
        }
    }
}

fn counted(members: usize) -> String {
    if members == 1 { "1 member".to_owned() } else { format!("{members} members") }
}
