//! The readers of other signers' keys, against the signers themselves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test needs and lacks is a failure"
)]

mod daemon;
mod named;
mod served;

mod bind_by_hand;
mod bind_policies;
mod bind_running;
mod dnst;
mod knot;
mod opendnssec;
