//! Key ceremonies: scripts, the log that is kept of them, and what an auditor makes of it.

pub mod check;
pub mod log;
pub mod run;
pub mod schema;
pub mod script;
pub mod verify;
