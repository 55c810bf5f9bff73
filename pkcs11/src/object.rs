//! The objects of one key.

use cryptoki::error::Result;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState};
use key_metadata::KeyId;

/// Both halves of a key, as far as they are in the token and seen by this session.
pub(crate) struct Halves {
    pub(crate) private: Vec<ObjectHandle>,
    pub(crate) public: Vec<ObjectHandle>,
}

impl Halves {
    pub(crate) fn find(session: &Session, id: &KeyId) -> Result<Self> {
        let half =
            |class| session.find_objects(&[Attribute::Class(class), Attribute::Id(id.as_bytes().to_vec())]);
        Ok(Self {
            private: half(ObjectClass::PRIVATE_KEY)?,
            public: half(ObjectClass::PUBLIC_KEY)?,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.private.is_empty() && self.public.is_empty()
    }

    /// Removes the private half first: a public key alone signs nothing, and says what was interrupted.
    pub(crate) fn destroy(&self, session: &Session) -> Result<()> {
        self.private
            .iter()
            .chain(&self.public)
            .try_for_each(|object| session.destroy_object(*object))
    }
}

/// How a private key is protected, as far as its token tells.
pub(crate) struct Protection {
    pub(crate) sensitive: Option<bool>,
    pub(crate) extractable: Option<bool>,
}

impl Protection {
    pub(crate) fn read(session: &Session, private: ObjectHandle) -> Result<Self> {
        let mut protection = Self {
            sensitive: None,
            extractable: None,
        };
        for attribute in
            session.get_attributes(private, &[AttributeType::Sensitive, AttributeType::Extractable])?
        {
            if let Attribute::Sensitive(value) = attribute {
                protection.sensitive = Some(value);
            } else if let Attribute::Extractable(value) = attribute {
                protection.extractable = Some(value);
            }
        }
        Ok(protection)
    }
}

/// Whether any object, of whatever class, has that CKA_ID.
pub(crate) fn is_used(session: &Session, id: &KeyId) -> Result<bool> {
    Ok(!session
        .find_objects(&[Attribute::Id(id.as_bytes().to_vec())])?
        .is_empty())
}

/// Whether the user is logged in, so that private objects are seen.
pub(crate) fn is_logged_in(session: &Session) -> Result<bool> {
    let state = session.get_session_info()?.session_state();
    Ok(matches!(state, SessionState::RoUser | SessionState::RwUser))
}
