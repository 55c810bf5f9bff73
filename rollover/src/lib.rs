//! Rollovers of DNSSEC keys: what is published when, whether it is safe, and what comes next.
//!
//! Pure functions of what they are given: no clock, no network, no token.

pub mod anchors;
pub mod chain;
pub mod compare;
pub mod decided;
pub mod histories;
mod link;
pub mod lint;
pub mod margin;
pub mod outline;
pub mod pictures;
pub mod plan;
pub mod planned;
pub mod planner;
pub mod policy_changes;
pub mod prove;
pub mod rrsets;
pub mod schedule;
pub mod simulate;
pub mod status;
pub mod tags;
pub mod text;
pub mod wording;
