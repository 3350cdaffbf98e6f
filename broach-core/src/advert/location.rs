//! [`Location`]: a place on the globe.

use std::fmt;

use crate::config::{self, ConfigError};

/// A place on the globe, to the hundred-thousandth part of a degree or better: about a metre.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Location {
    /// In ten-millionths of a degree, north of the equator.
    latitude: i32,
    /// The same, east of Greenwich.
    longitude: i32,
}

impl Location {
    /// The place at these degrees: `latitude` from -90 in the south to 90 in the north, `longitude`
    /// from -180 in the west to 180 in the east.
    ///
    /// # Errors
    ///
    /// If there is no such place.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, ConfigError> {
        let whole = |degrees: f64| (degrees * PER_DEGREE).round() as i32;
        let ok = |degrees: f64, most: f64| degrees.is_finite() && degrees.abs() <= most;
        config::check("location", ok(latitude, 90.0) && ok(longitude, 180.0), || {
            format!(
                "must have a latitude from -90 to 90 and a longitude from -180 to 180, but they \
                 are {latitude} and {longitude}"
            )
        })?;
        Ok(Self { latitude: whole(latitude), longitude: whole(longitude) })
    }

    /// What other nodes say of theirs, if there is such a place.
    pub(super) fn of_parts(latitude: i32, longitude: i32) -> Option<Self> {
        let ok = |part: i32, most: f64| f64::from(part).abs() <= most * PER_DEGREE;
        (ok(latitude, 90.0) && ok(longitude, 180.0)).then_some(Self { latitude, longitude })
    }

    pub(super) const fn parts(self) -> (i32, i32) {
        (self.latitude, self.longitude)
    }

    /// In degrees, north of the equator.
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / PER_DEGREE
    }

    /// In degrees, east of Greenwich.
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / PER_DEGREE
    }

    /// How far it is to another place along a great circle, in kilometres. The globe counts as a
    /// sphere; that is half a percent off at the most.
    pub fn distance_km(self, other: Self) -> f64 {
        self.point().distance_km(other.point())
    }

    /// The same place for whoever asks for many distances.
    pub(crate) fn point(self) -> Point {
        let [latitude, longitude] = [self.latitude(), self.longitude()].map(f64::to_radians);
        let (up, out) = latitude.sin_cos();
        let (y, x) = longitude.sin_cos();
        Point([out * x, out * y, up])
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({}, {})", self.latitude(), self.longitude())
    }
}

/// A place as a vector of length 1 from the centre of the globe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point([f64; 3]);

impl Point {
    /// See [`Location::distance_km`].
    ///
    /// By the length of the straight line between the two, which is what the haversine formula
    /// comes to: it is exact where they are close to each other.
    pub(crate) fn distance_km(self, other: Self) -> f64 {
        let squares = self.0.iter().zip(other.0).map(|(one, other)| (one - other).powi(2));
        let half = (squares.sum::<f64>().sqrt() / 2.0).min(1.0);
        2.0 * EARTH_RADIUS_KM * half.asin()
    }
}

/// Parts of a degree that count: with more a longitude would not fit into 32 bits.
const PER_DEGREE: f64 = 1e7;

/// The mean radius (IUGG).
const EARTH_RADIUS_KM: f64 = 6_371.009;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_atlas() {
        let berlin = Location::new(52.52, 13.405).unwrap();
        let paris = Location::new(48.8566, 2.3522).unwrap();
        let sydney = Location::new(-33.8688, 151.2093).unwrap();
        let near = |one: Location, other, km: f64| (one.distance_km(other) - km).abs() < 2.0;
        assert!(near(berlin, paris, 877.0), "{}", berlin.distance_km(paris));
        assert!(near(berlin, sydney, 16_094.0), "{}", berlin.distance_km(sydney));
        assert!(near(sydney, sydney, 0.0));
        // Over the line at which the days change, and from pole to pole.
        let [east, west] = [179.5, -179.5].map(|longitude| Location::new(0.0, longitude).unwrap());
        assert!(near(east, west, 111.2), "{}", east.distance_km(west));
        let [south, north] = [-90.0, 90.0].map(|latitude| Location::new(latitude, 7.0).unwrap());
        assert!(near(south, north, 20_015.1), "{}", south.distance_km(north));
    }

    #[test]
    fn there_are_no_other_places() {
        for (latitude, longitude) in
            [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
        {
            let error = Location::new(latitude, longitude).unwrap_err();
            assert!(error.to_string().contains("from -90 to 90"), "{error}");
        }
        assert_eq!(Location::of_parts(900_000_001, 0), None);
        assert_eq!(Location::of_parts(0, i32::MIN), None);
        let place = Location::new(-89.123_456_7, 179.987_654_3).unwrap();
        let (latitude, longitude) = place.parts();
        assert_eq!(Location::of_parts(latitude, longitude), Some(place));
        assert_eq!(format!("{place:?}"), "Location(-89.1234567, 179.9876543)");
    }
}
