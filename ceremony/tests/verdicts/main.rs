//! What an auditor is told of ceremonies that are not the usual one, and of files that nobody meant. They are made as those of tests/verify.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too; not all of what makes ceremonies is used here"
)]

mod anything;
#[path = "../verify/made.rs"]
mod made;
#[path = "../verify/seats.rs"]
mod seats;
mod stopped;
mod told;
#[path = "../verify/tpm_side.rs"]
mod tpm_side;
mod untouched;
