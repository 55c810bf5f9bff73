//! The real tools as referees, as Debian has them: they read what we write, and we read what they write.
//!
//! Nothing is skipped: a tool that is missing fails the test and names its package.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod bind;
mod knot;
mod opendnssec;
mod tool;
