//! Signatures of officers, with OpenSSH as the referee: what we take, it takes; what it makes, we read.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod agent;
mod allowed_signers;
mod anything;
mod desk;
mod security_key;
mod sign;
mod verify;
