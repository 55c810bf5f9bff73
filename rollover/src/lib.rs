//! Rollovers of DNSSEC keys: what is published when, whether it is safe, and what comes next.
//!
//! Pure functions of what they are given: no clock, no network, no token.

pub mod compare;
mod link;
pub mod schedule;
pub mod tags;
