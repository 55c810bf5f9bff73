//! A corpus of zones that signers stumble over, signed by `keyrite-signer sign` with keys in SoftHSM, and judged by others.
//!
//! The zones are `fixtures/corpus/*.zone`, those of `zones.rs` that are too long for a file, and the eight of `fixtures/zones`. With each algorithm
//! and each way to deny existence they are one site, which one run signs. Each signed zone must be accepted by `dnssec-verify`, `ldns-verify-zone`,
//! `kzonecheck` and `keyrite-signer verify`, have what `facts.rs` says, and hold nothing but what BIND reads of the unsigned one and what signing makes.
//!
//! Without `CORPUS=all` each algorithm comes with one of the denials.
//!
//! *Mutations*: a small zone with a record dropped, added or changed, in every way that `zone/tests/mutations` knows, is refused where a zone
//! can show it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod facts;
mod mutated;
#[path = "../../zone/tests/mutations/mod.rs"]
mod mutations;
mod others;
mod referees;
mod site;
mod zones;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use site::{ALGORITHMS, Corpus, DENIALS};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let corpus = Arc::new(Corpus::default());
    let mut trials = Vec::new();
    let all = std::env::var_os("CORPUS").is_some_and(|corpus| corpus == "all");
    for (number, algorithm) in ALGORITHMS.into_iter().enumerate() {
        for (place, denial) in DENIALS.into_iter().enumerate() {
            // Each algorithm with one denial, and each denial once.
            if !all && place != number % DENIALS.len() {
                continue;
            }
            let corpus = corpus.clone();
            trials.push(Trial::test(format!("{algorithm}, {denial}"), move || {
                Ok(referees::judge(corpus.bench(), algorithm, denial)?)
            }));
        }
    }
    for denial in DENIALS {
        let corpus = corpus.clone();
        trials.push(Trial::test(format!("mutations, {denial}"), move || {
            Ok(mutated::judge(corpus.bench(), denial)?)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
