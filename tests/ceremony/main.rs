//! Ceremonies as people hold them: by keys at a terminal of 80 columns and 24 rows, on a software TPM and SoftHSM.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod person;
mod place;
mod production;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = production::TRIALS.map(|(name, run)| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}
