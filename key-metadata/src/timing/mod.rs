//! How long each step of a key's life waits for the caches of the world (RFC 7583, RFC 6781, RFC 5011).
//!
//! Every equation has a name, as in `docs/formats/policy.md`, and a function of that name, in the form of the RFC: counted from when the
//! first name server has the change, in a zone or in its parent. `steps` counts from when a step of a key's life is taken, which is
//! before the zone is signed with it and before the parent hears of it.
//!
//! The figures are a policy's, or what was measured. Whoever lowers a TTL waits out the old one first: every TTL is the maximum of its
//! old and new value over the whole roll ([`Figures::or_longer`]).

mod algorithms;
mod equation;
mod figures;
mod first_ds;
mod ksk;
mod lifetimes;
mod signatures;
mod steps;
mod trust_anchors;
#[cfg(test)]
mod vectors;
mod wait;
mod zsk;

pub use algorithms::{
    a1_liberal_interval, a1_signature_interval, a2_publication_interval, a3_ds_interval,
    a4_withdrawal_interval, a5_removal_interval, u1_insecure_interval,
};
pub use equation::Equation;
pub use figures::{Figure, Figures, Origin};
pub use first_ds::f1_first_ds;
pub use ksk::{
    c1_retire_interval, d1_publication_interval, d2_latest_submission, d3_retire_interval, k1_activation,
    k1_publication_interval, k2_latest_publication, k3_retire_interval, r1_latest_publication,
    r1_publication_interval,
};
pub use lifetimes::x1_least_lifetime;
pub use signatures::{s1_least_refresh, s2_least_expiration, s2_overlap, s3_least_refresh};
pub use steps::{
    first_ds_interval, publication_interval, registration_delay, remove_hold_down, retire_interval,
};
pub use trust_anchors::{
    t1_add_hold_down, t2_query_interval, t2_retry_time, t3_add_wait, t4_remove_hold_down,
};
pub use wait::{Due, Part, Wait};
pub use zsk::{
    z1_publication_interval, z2_latest_publication, z2_retirement, z3_retire_interval, z4_retire_interval,
};
