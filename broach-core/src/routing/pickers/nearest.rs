//! [`Nearest`]: whoever is nearest on the globe.

use std::fmt;

use crate::advert::{Location, Point};
use crate::routing::{Candidate, Candidates, Picker, Picking, PowerOfTwoChoices};

/// Calls the nodes that are nearest to a place on the globe, by the length of the great circle
/// between it and where they say they [are](crate::NodeBuilder::location).
///
/// Those that are no more than 50 km ([`slack_km`](Self::slack_km)) farther than the nearest one
/// are as good as that, so that all of a city are called; among them another picker chooses:
/// [`PowerOfTwoChoices`] unless there is [another](Self::with). A node that does not say where it
/// is gets calls only if none of the candidates does.
///
/// The distance is known before the first call, unlike the
/// [round-trip time](crate::picker::NetworkQuality), but the network need not keep to it.
pub struct Nearest<P = PowerOfTwoChoices> {
    from: Location,
    /// The same.
    point: Point,
    slack_km: f64,
    picker: P,
}

impl Nearest {
    /// Calls the nodes nearest to this place: most often that where the caller is.
    pub fn new(from: Location) -> Self {
        let picker = PowerOfTwoChoices::new();
        Self { from, point: from.point(), slack_km: SLACK_KM, picker }
    }
}

impl<P> Nearest<P> {
    /// How many kilometres farther than the nearest node another one may be and be as good.
    /// Default: 50. What is not above 0 counts as 0.
    #[must_use = "the picker itself stays as it is"]
    pub const fn slack_km(mut self, slack_km: f64) -> Self {
        self.slack_km = slack_km.max(0.0);
        self
    }

    /// Chooses with this picker among those that are near enough.
    pub fn with<Q: Picker>(self, picker: Q) -> Nearest<Q> {
        let Self { from, point, slack_km, .. } = self;
        Nearest { from, point, slack_km, picker }
    }

    fn distance_km(&self, candidate: Candidate<'_>) -> Option<f64> {
        Some(candidate.target().point?.distance_km(self.point))
    }
}

impl<P: Picker> Picker for Nearest<P> {
    fn pick(&self, candidates: &Candidates<'_>, picking: &Picking<'_>) -> Option<usize> {
        let known = candidates.iter().filter_map(|candidate| self.distance_km(candidate));
        let Some(least) = known.min_by(f64::total_cmp) else {
            return self.picker.pick(candidates, picking);
        };
        let near = |candidate| {
            self.distance_km(candidate).is_some_and(|distance| distance <= least + self.slack_km)
        };
        candidates.pick_among(near, &self.picker, picking)
    }
}

impl<P: fmt::Debug> fmt::Debug for Nearest<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nearest")
            .field("from", &self.from)
            .field("slack_km", &self.slack_km)
            .field("picker", &self.picker)
            .finish_non_exhaustive()
    }
}

/// How much farther is as near: across a large city, and less than half a millisecond of light in
/// glass.
const SLACK_KM: f64 = 50.0;
