//! Backups proved from end to end, on real tokens.
//!
//! *Restores*: keys of every kind are backed up, and come back from **every** choice of as many shares as suffice, in drills; then the token is lost
//! and they come back for good, sign a zone that `dnssec-verify` accepts, and the zone's DNSKEYs are those that were published.
//!
//! *Flips*: a flipped bit at every byte of every file of a bundle, of a share and of a proof is found before anything is taken out of it: in this
//! process at every byte, and by the tool itself at a sample, after which the token has what it had.
//!
//! With `SUBSETS=all` all kinds are restored from both 2-of-3 and 5-of-7. Otherwise 5-of-7 is tried with one kind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bench;
mod flips;
mod restores;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = restores::trials();
    trials.extend(flips::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
