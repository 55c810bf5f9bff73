//! The readers of other signers' keys, against the signers themselves.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod daemon;
mod named;

mod bind_policies;
mod bind_running;
