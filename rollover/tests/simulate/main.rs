//! Proofs and plans against a simulated world, which knows nothing of how they are made.
//!
//! `SIMULATE_CASES=2000 cargo test -p keyrite-rollover --test simulate` looks at more of them.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod any_policy;
mod lives;
mod random;
mod refute;

use proptest::test_runner::Config;

/// So many cases, or as many as the environment asks for.
pub fn cases(usual: u32) -> Config {
    let asked = std::env::var("SIMULATE_CASES").ok();
    let cases = asked.map_or(usual, |asked| asked.parse().unwrap());
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}
