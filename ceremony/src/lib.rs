//! Key ceremonies: scripts, the log that is kept of them, and what an auditor makes of it.

pub mod cast;
pub mod check;
pub mod explain;
pub mod log;
pub mod print;
pub mod progress;
pub mod rehearse;
pub mod report;
pub mod run;
pub mod schema;
pub mod script;
pub mod verify;
