//! Why a key does not come back.

use key_metadata::{Advice, Algorithm, CkaId, KeyAlgorithm, TokenLabel};

use crate::backup::Tried;
use crate::generate::MAX_LABEL;
use crate::import::ImportError;
use crate::list::ListError;
use crate::mechanism::{MechanismsError, Offer};
use crate::session::AccessError;
use crate::wrapping::OpenedError;

/// Why a key is not in the token again. Nothing is left of it there, except where [`Self::LeftBehind`] says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The key's label is too long.
    #[error("a key label has at most {MAX_LABEL} bytes, '{key_label}' has {}", key_label.len())]
    LabelLength {
        /// The label asked for.
        key_label: String,
    },
    /// The key is of an algorithm that is only read.
    #[error("Keyrite does not sign with {0}")]
    Legacy(KeyAlgorithm),
    /// The token does not sign with such keys.
    #[error("token '{label}' does not sign for {algorithm} with a key of {bits} bits; it offers {offer}")]
    Unsupported {
        /// The token.
        label: TokenLabel,
        /// The key's algorithm.
        algorithm: Algorithm,
        /// The key's size in bits.
        bits: u16,
        /// What the token makes.
        offer: Offer,
    },
    /// Nobody is logged in.
    #[error("nobody is logged in to token '{label}', so it takes no key {id}")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
    },
    /// An object of the token has that id.
    #[error("token '{label}' has a key {id} already")]
    IdUsed {
        /// The token.
        label: TokenLabel,
        /// The id asked for.
        id: CkaId,
    },
    /// The token has the key under another id.
    #[error("token '{label}' has the key to be restored as {id} already, {}", told(.as_id))]
    KeyThere {
        /// The token.
        label: TokenLabel,
        /// The id asked for.
        id: CkaId,
        /// The id that the key has; `None` where it has none.
        as_id: Option<CkaId>,
    },
    /// What was wrapped was changed, wrapped by another key, or is another key. The token was not asked to take it.
    #[error("the backup of key {id} is none, and was not put into token '{label}'")]
    NotOpened {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// What is wrong with it.
        source: OpenedError,
    },
    /// The token takes it neither wrapped nor as it is.
    #[error("token '{label}' takes key {id} neither wrapped ({tried}) nor as it is")]
    Refused {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// The ways of wrapping that were tried, and what it answered.
        tried: Tried,
        /// Why it does not take it as it is.
        source: Box<ImportError>,
    },
    /// The token protects the key less than was asked for. It was destroyed.
    #[error(
        "token '{label}' has key {id} with {attribute} {value}, which was not asked for; it was destroyed"
    )]
    Protection {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// The attribute.
        attribute: &'static str,
        /// `true`, `false` or `unknown`.
        value: &'static str,
    },
    /// The token took the key and does not show one key under that id: it lost a half, or another program has taken the id meanwhile. What was put in
    /// was destroyed.
    #[error(
        "token '{label}' took key {id}, and shows {private} private and {public} public keys of that id; what was put in was destroyed"
    )]
    NotShown {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// How many private keys it shows.
        private: usize,
        /// How many public keys it shows.
        public: usize,
    },
    /// What the key signs does not verify under its public key. It was destroyed.
    #[error(
        "what token '{label}' signs with key {id} does not verify under its public key; it was destroyed"
    )]
    NotThatKey {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
    },
    /// It failed, and what there is of the key could not be removed.
    #[error("token '{label}' has a part of key {id}, which cannot be removed")]
    LeftBehind {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// Why it cannot be removed.
        source: AccessError,
    },
    /// The token does not tell what it signs with.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// The token does not tell what it holds.
    #[error(transparent)]
    List(#[from] ListError),
    /// The module failed.
    #[error("token '{label}' did not take key {id}")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// Why not.
        source: AccessError,
    },
}

fn told(id: &Option<CkaId>) -> String {
    match id {
        Some(id) => format!("as {id}"),
        None => "without an id".to_owned(),
    }
}

impl Advice for RestoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::LabelLength { .. } => Some("choose a shorter label".to_owned()),
            Self::Legacy(_) => Some("replace the key by one of another algorithm, in a rollover".to_owned()),
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::Unsupported { .. } | Self::Refused { .. } => Some(
                "restore the key to another token: one of the make that it was in, if there is one"
                    .to_owned(),
            ),
            Self::IdUsed { .. } | Self::KeyThere { .. } => {
                Some("a key is restored where it is not: list the token's keys".to_owned())
            }
            Self::NotOpened { source, .. } => source.hint(),
            Self::Protection { .. } | Self::NotShown { .. } | Self::NotThatKey { .. } => {
                Some("do not use this token for such keys before its vendor has explained it".to_owned())
            }
            Self::LeftBehind { id, .. } => Some(format!("destroy key {id} before anything else is done")),
            Self::Mechanisms(source) => source.hint(),
            Self::List(source) => source.hint(),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::LabelLength { .. }
            | Self::Legacy(_)
            | Self::Unsupported { .. }
            | Self::IdUsed { .. }
            | Self::KeyThere { .. }
            | Self::NotOpened { .. }
            | Self::Protection { .. }
            | Self::NotShown { .. }
            | Self::NotThatKey { .. } => false,
            Self::Refused { source, .. } => source.is_credential(),
            Self::Mechanisms(source) => source.is_credential(),
            Self::List(source) => source.is_credential(),
            Self::LeftBehind { source, .. } | Self::Access { source, .. } => source.is_credential(),
        }
    }
}
