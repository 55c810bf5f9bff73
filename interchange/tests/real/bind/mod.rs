//! bind9-utils: dnssec-keygen, dnssec-settime, dnssec-revoke.

mod reading;
mod writing;

use std::path::Path;

use interchange::Event;

use crate::tool::succeed;

const PACKAGE: &str = "bind9-utils";

fn bind(folder: &Path, argv: &[&str]) -> String {
    succeed(PACKAGE, folder, None, argv)
}

/// Times by the words of `dnssec-settime -up all`.
fn told(folder: &Path, stem: &str) -> Vec<(String, Option<i64>)> {
    let text = bind(folder, &["dnssec-settime", "-up", "all", stem]);
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(": ").unwrap();
        (name.to_owned(), value.parse().ok())
    };
    text.lines().map(line).collect()
}

const NAMES: [(&str, Event); 10] = [
    ("Created", Event::Generated),
    ("Publish", Event::Published),
    ("Activate", Event::Active),
    ("Revoke", Event::Revoked),
    ("Inactive", Event::Retired),
    ("Delete", Event::Removed),
    ("SYNC Publish", Event::CdsPublished),
    ("SYNC Delete", Event::CdsRemoved),
    ("DS Publish", Event::DsSeen),
    ("DS Delete", Event::DsGone),
];
