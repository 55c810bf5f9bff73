//! What was begun in a token and is not in the records yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::backup::Extractability;
use crate::key_id::KeyId;
use crate::role::Role;
use crate::site::TokenName;
use crate::time::Time;

/// An operation on a token that was begun: written before the token is asked, taken out in the write that records what came of it. What
/// stands here when no program runs was interrupted, and `reconcile` ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pending {
    /// The key.
    pub id: KeyId,
    /// The token.
    pub token: TokenName,
    /// Since when.
    pub since: Time,
    /// Who began it.
    pub operator: String,
    /// What.
    pub operation: Operation,
}

/// What was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// A pair is being made; if it is whole, it becomes a key of the zone.
    Generate {
        /// What it is for.
        role: Role,
        /// Its algorithm.
        algorithm: Algorithm,
        /// Its size.
        bits: u16,
        /// Whether it can leave the token.
        extractability: Extractability,
    },
    /// A software key is being put into the token; what is there of it is taken out again, since its file still has it.
    Import,
    /// A key of the zone is being restored from a backup; unless its record refers to this token already, what is there of it is taken out
    /// again, since the bundle still has it.
    Restore {
        /// The bundle.
        bundle: String,
    },
    /// A key of the zone is being destroyed, which is carried to its end.
    Destroy {
        /// Why, where a reason was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}
