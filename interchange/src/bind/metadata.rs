//! What BIND's three files call the same times and numbers.

use crate::times::Event;

/// A time: in `.key` (as a comment) and `.private`, and in `.state`. Without a name it is not in that file.
pub(super) struct TimeName {
    pub(super) event: Event,
    pub(super) in_key: Option<&'static str>,
    pub(super) in_private: &'static str,
    pub(super) in_state: &'static str,
}

const fn time(
    event: Event,
    in_key: Option<&'static str>,
    in_private: &'static str,
    in_state: &'static str,
) -> TimeName {
    TimeName {
        event,
        in_key,
        in_private,
        in_state,
    }
}

/// In the order in which BIND writes them into `.key` and `.private`.
pub(super) const TIMES: [TimeName; 10] = [
    time(Event::Generated, Some("Created"), "Created", "Generated"),
    time(Event::Published, Some("Publish"), "Publish", "Published"),
    time(Event::Active, Some("Activate"), "Activate", "Active"),
    time(Event::Revoked, Some("Revoke"), "Revoke", "Revoked"),
    time(Event::Retired, Some("Inactive"), "Inactive", "Retired"),
    time(Event::Removed, Some("Delete"), "Delete", "Removed"),
    time(Event::DsSeen, None, "DSPublish", "DSPublish"),
    time(
        Event::CdsPublished,
        Some("SyncPublish"),
        "SyncPublish",
        "PublishCDS",
    ),
    time(Event::CdsRemoved, Some("SyncDelete"), "SyncDelete", "DeleteCDS"),
    time(Event::DsGone, None, "DSRemoved", "DSRemoved"),
];

/// In the order in which BIND writes them into `.state`.
pub(super) const STATE_ORDER: [Event; 10] = [
    Event::Generated,
    Event::Published,
    Event::Active,
    Event::Retired,
    Event::Revoked,
    Event::Removed,
    Event::DsSeen,
    Event::DsGone,
    Event::CdsPublished,
    Event::CdsRemoved,
];

/// Metadata that BIND keeps and we have no place for.
pub(super) const UNUSED: [&str; 4] = ["MaxTTL", "RollPeriod", "DSPubCount", "DSRemCount"];

pub(super) fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
