//! Who runs a command, and when.

use std::fs;
use std::os::unix::fs::MetadataExt;

use chrono::Utc;
use key_metadata::Time;

/// The name given, else the user id of this process.
pub fn operator(given: Option<&str>) -> String {
    match (given, fs::metadata("/proc/self")) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(process)) => format!("uid {}", process.uid()),
        (None, Err(_)) => "unknown".to_owned(),
    }
}

/// The time, to be handed to the libraries, which never ask the clock.
pub fn now() -> Time {
    Utc::now().into()
}
