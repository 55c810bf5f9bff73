//! How long an auditor's `verify` takes on a log of 10,000 and of 100,000 entries: less than two seconds for the larger one, and in
//! proportion.
//!
//! The ceremonies are held here without the engine, as the disk need not have each line before the next one. The programs of their steps are
//! tried again and again: those are the entries that can be many. There is no TPM, so the verdict has claims that were not checked.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run is a failure"
)]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

mod held;

use std::process::ExitCode;
use std::time::Instant;

use ceremony::log::CeremonyFolder;
use ceremony::verify::{ClaimVerdict, verify};
use held::hold;

/// The entries of the logs.
const SIZES: [u64; 2] = [10_000, 100_000];
/// Seconds that the larger one may take.
const MOST_SECONDS: f64 = 2.0;
/// How many times as long as the smaller one it may take: ten times for what grows in proportion, and room for caches.
const MOST_RATIO: f64 = 15.0;
/// Each is measured so often; the shortest counts, as whatever else the machine does only makes it longer.
const RUNS: usize = 5;

fn main() -> ExitCode {
    println!(
        "{:>8} {:>8} {:>9} {:>12}",
        "entries", "MB", "seconds", "entries/s"
    );
    let seconds = SIZES.map(|entries| {
        let folder = tempfile::tempdir().expect("a folder");
        let ceremony = hold(&folder.path().join("ceremony"), entries);
        let megabytes = ceremony.log().metadata().expect("a log").len() as f64 / 1e6;
        let seconds = (0..RUNS).map(|_| measure(&ceremony)).fold(f64::MAX, f64::min);
        let rate = entries as f64 / seconds;
        println!("{entries:>8} {megabytes:>8.1} {seconds:>9.3} {rate:>12.0}");
        seconds
    });
    let ratio = seconds[1] / seconds[0];
    println!("ratio {ratio:.1} for ten times the entries");
    if seconds[1] > MOST_SECONDS || ratio > MOST_RATIO {
        println!("slower than {MOST_SECONDS} s, or than {MOST_RATIO} times the smaller log");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Seconds of one verification, all of whose claims hold or cannot be looked at.
fn measure(ceremony: &CeremonyFolder) -> f64 {
    let start = Instant::now();
    let verification = verify(ceremony, None).expect("a folder that can be read");
    let seconds = start.elapsed().as_secs_f64();
    let failing = verification
        .claims
        .iter()
        .find(|claim| claim.verdict == ClaimVerdict::Fail);
    assert!(failing.is_none(), "{failing:#?}");
    assert!(verification.count(ClaimVerdict::Pass) > 15);
    seconds
}
