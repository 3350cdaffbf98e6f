//! What is measured with the same nodes, processes and calls as the main job.

mod joins;
mod kills;
mod load;
mod rolls;
mod shares;

use std::time::Duration;

pub(crate) use joins::joins;
pub(crate) use kills::kills;
pub(crate) use rolls::rolls;
pub(crate) use shares::shares;

use crate::figures::time;

/// Times as people want them: the one in the middle, the one that 99 of 100 do not exceed, and the
/// longest. In less than 100, the last two are the same.
fn distribution(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |quantile: usize| match (times.len() * quantile).div_ceil(100) {
        0 => "none".to_owned(),
        rank => time(times[rank - 1]),
    };
    format!("p50 {}, p99 {}, max {}", at(50), at(99), at(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_names_times_that_were_measured() {
        let seconds = |count| (1..=count).rev().map(Duration::from_secs).collect();
        assert_eq!(distribution(seconds(200)), "p50 100.00 s, p99 198.00 s, max 200.00 s");
        assert_eq!(distribution(seconds(1)), "p50 1.00 s, p99 1.00 s, max 1.00 s");
        assert_eq!(distribution(Vec::new()), "p50 none, p99 none, max none");
    }
}
