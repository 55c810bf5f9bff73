//! Objects that a token had begun to make when the program that asked for them was killed.

use std::thread::sleep;
use std::time::Duration;

use cryptoki::error::Result as CallResult;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Advice, CkaId, TokenLabel};

use crate::key::FindError;
use crate::object::{Halves, is_logged_in};
use crate::session::AccessError;
use crate::token::Token;

/// How long whoever is making an object has to finish it; our choice. SoftHSM fills one in milliseconds.
const GRACE: Duration = Duration::from_secs(1);

/// Why unfinished objects were not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnfinishedError {
    /// Nobody is logged in, so the token hides its private keys.
    #[error("nobody is logged in to token '{label}', so unfinished keys cannot be removed")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
    },
    /// The module failed; some may be gone.
    #[error("removing unfinished keys from token '{label}' failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Why.
        source: AccessError,
    },
}

impl Advice for UnfinishedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Destroys key objects that were never finished, and tells how many. The user is logged in.
    ///
    /// SoftHSM (2.6.1) writes a new object attribute by attribute, then its id and label, then its values. Who is killed in between leaves a key
    /// object that has none of them: no key, and nothing that it can be found by. Before the first attribute it leaves an object without anything,
    /// which it does not destroy either. To be called where a generation is known to have been interrupted: it reads every key object, and where
    /// it finds one it waits a second, in which another program may finish its own.
    pub fn remove_unfinished(&self) -> Result<usize, UnfinishedError> {
        let label = self.label().clone();
        let removed = self.0.pool.with(|session| {
            if !is_logged_in(session)? {
                return Ok(None);
            }
            let found = unfinished(session)?;
            if found.is_empty() {
                return Ok(Some(0));
            }
            sleep(GRACE);
            let mut left = unfinished(session)?;
            left.retain(|object| found.contains(object));
            left.iter()
                .try_for_each(|object| session.destroy_object(*object))?;
            Ok(Some(left.len()))
        });
        match removed {
            Ok(Some(removed)) => Ok(removed),
            Ok(None) => Err(UnfinishedError::NotLoggedIn { label }),
            Err(source) => Err(UnfinishedError::Access { label, source }),
        }
    }
}

impl Token {
    /// Whether the private half of a key was never finished: it has its id, and not what PKCS#11 asks of it beside the secret: of RSA the modulus, of
    /// EC the curve. A token may leave those out of a good key, too: to be asked of one that does not sign. The user is logged in.
    pub fn is_unfinished(&self, id: impl Into<CkaId>) -> Result<bool, FindError> {
        let (label, id) = (self.label().clone(), id.into());
        let unfinished = self.0.pool.with(|session| {
            let halves = Halves::find(session, &id)?;
            for private in halves.private {
                if !Parts::read(session, private)?.has_value {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        unfinished.map_err(|source| FindError::Access { label, id, source })
    }
}

fn unfinished(session: &Session) -> CallResult<Vec<ObjectHandle>> {
    let mut found = Vec::new();
    for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY] {
        for object in session.find_objects(&[Attribute::Class(class)])? {
            let parts = Parts::read(session, object)?;
            if !parts.has_name && !parts.has_value {
                found.push(object);
            }
        }
    }
    Ok(found)
}

/// What there is of a key object.
struct Parts {
    /// An id or a label.
    has_name: bool,
    /// Of RSA the modulus, of EC the curve, which PKCS#11 asks of both halves. Of other kinds nothing is known: true.
    has_value: bool,
}

impl Parts {
    fn read(session: &Session, object: ObjectHandle) -> CallResult<Self> {
        let (mut kind, mut has_name, mut has_modulus, mut has_curve) = (None, false, false, false);
        let wanted = [
            AttributeType::KeyType,
            AttributeType::Id,
            AttributeType::Label,
            AttributeType::Modulus,
            AttributeType::EcParams,
        ];
        for attribute in session.get_attributes(object, &wanted)? {
            #[expect(clippy::wildcard_enum_match_arm, reason = "no other attribute was asked for")]
            match attribute {
                Attribute::KeyType(value) => kind = Some(value),
                Attribute::Id(value) | Attribute::Label(value) => has_name |= !value.is_empty(),
                Attribute::Modulus(value) => has_modulus = !value.is_empty(),
                Attribute::EcParams(value) => has_curve = !value.is_empty(),
                _ => {}
            }
        }
        let has_value = match kind {
            Some(KeyType::RSA) => has_modulus,
            Some(KeyType::EC | KeyType::EC_EDWARDS) => has_curve,
            Some(_) | None => true,
        };
        Ok(Self { has_name, has_value })
    }
}
