//! How long is waited before something that failed is tried again.

use std::time::Duration;

/// After the first failure; each further one doubles it. Our choice.
const FIRST: Duration = Duration::from_secs(1);

/// The pause after so many failures in a row: a second, doubled each time, up to `longest`, and up to a quarter more by `chance`, so that many who wait
/// for one thing do not come at once.
pub fn pause(failures: u32, longest: Duration, chance: u32) -> Duration {
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
    let pause = doubled.min(longest.max(FIRST));
    pause + pause.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_bound() {
        let bound = Duration::from_secs(60);
        let seconds: Vec<_> = (0..9)
            .map(|failures| pause(failures, bound, 0).as_secs())
            .collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(u32::MAX, bound, u32::MAX), Duration::from_secs(75));
        assert_eq!(pause(1, Duration::ZERO, 0), FIRST);
    }
}
