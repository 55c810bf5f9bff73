//! The auditor's side on real ceremonies: made here with a software TPM, a software token and ssh-keygen, and then tampered with.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod live;
mod made;
mod seats;
mod sound;
mod tamper;
mod tpm_side;
