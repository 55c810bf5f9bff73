//! Rollovers of DNSSEC keys: what is published when, whether it is safe, and what comes next.
//!
//! Pure functions of what they are given: no clock, no network, no token.

pub mod anchors;
pub mod chain;
pub mod margin;
pub mod plan;
pub mod planner;
pub mod prove;
pub mod rrsets;
pub mod schedule;
pub mod simulate;
