//! The equipment itself, with tpm2-tools and openssl as the programs that know nothing of it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod failed;
mod manufactured;
mod power;
mod tap;
