//! Whose a new key is.

use key_metadata::{Role, Time, ZoneName};

/// Whose a key is that comes into a token, which the token shows of it, or its files say.
#[derive(Clone, Copy, Debug)]
pub struct KeyOwner<'a> {
    /// Its zone.
    pub zone: &'a ZoneName,
    /// What it is for.
    pub role: Role,
    /// When it comes.
    pub now: Time,
}

impl KeyOwner<'_> {
    /// What other tools show of it: role and zone, cut to the 32 bytes that a token keeps.
    pub(crate) fn label(&self) -> String {
        let mut label = format!("{} {}", self.role, self.zone);
        label.truncate(32);
        label
    }
}
