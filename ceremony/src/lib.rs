//! Key ceremonies: scripts, the log that is kept of them, and what an auditor makes of it.

pub mod log;
pub mod print;
pub mod progress;
pub mod report;
pub mod run;
pub mod script;
pub mod verify;
