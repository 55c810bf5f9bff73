//! Key ceremonies: scripts, the log that is kept of them, and what an auditor makes of it.

pub mod cast;
pub mod log;
pub mod run;
pub mod script;
pub mod signature;
pub mod verify;
pub mod words;
