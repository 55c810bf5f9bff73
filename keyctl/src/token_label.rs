//! What other tools show of a key in its token.

use key_metadata::{Role, ZoneName};

/// Role and zone, cut to the 32 bytes that a token keeps.
pub fn label(zone: &ZoneName, role: Role) -> String {
    let mut label = format!("{role} {zone}");
    label.truncate(32);
    label
}
