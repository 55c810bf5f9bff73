//! The objects of one key.

use cryptoki::error::{Error, Result, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState};
use key_metadata::{CkaId, Extractability};

/// Both halves of a key, as far as they are in the token and seen by this session.
pub(crate) struct Halves {
    pub(crate) private: Vec<ObjectHandle>,
    pub(crate) public: Vec<ObjectHandle>,
}

impl Halves {
    /// By one search for the id: a token may look at every object that it has for each search, and asking the few that it finds for their class
    /// costs less than another.
    pub(crate) fn find(session: &Session, id: &CkaId) -> Result<Self> {
        let (mut private, mut public) = (Vec::new(), Vec::new());
        for object in session.find_objects(&[Attribute::Id(id.as_bytes().to_vec())])? {
            match class_of(session, object)? {
                Some(ObjectClass::PRIVATE_KEY) => private.push(object),
                Some(ObjectClass::PUBLIC_KEY) => public.push(object),
                Some(_) | None => {}
            }
        }
        Ok(Self { private, public })
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

/// The class of an object; `None` where it has none, or is there no more.
fn class_of(session: &Session, object: ObjectHandle) -> Result<Option<ObjectClass>> {
    let attributes = match session.get_attributes(object, &[AttributeType::Class]) {
        Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => return Ok(None),
        answer => answer?,
    };
    Ok(attributes.into_iter().find_map(|attribute| {
        if let Attribute::Class(class) = attribute {
            Some(class)
        } else {
            None
        }
    }))
}

/// The CKA_ID of an object; `None` where it has none, or one that is too long to be followed, or where the token tells nothing of the object, not even
/// its class: so SoftHSM (2.6.1) leaves one whose maker was killed before the first attribute.
pub(crate) fn id_of(session: &Session, object: ObjectHandle) -> Result<Option<CkaId>> {
    let attributes = match session.get_attributes(object, &[AttributeType::Id]) {
        Err(Error::Pkcs11(RvError::AttributeValueInvalid, _)) => return Ok(None),
        told => told?,
    };
    Ok(attributes.into_iter().find_map(|attribute| {
        if let Attribute::Id(id) = attribute {
            CkaId::try_from(id.as_slice()).ok()
        } else {
            None
        }
    }))
}

/// The CKA_LABEL of an object; empty where it has none.
pub(crate) fn label_of(session: &Session, object: ObjectHandle) -> Result<String> {
    let attributes = session.get_attributes(object, &[AttributeType::Label])?;
    let label = attributes.into_iter().find_map(|attribute| {
        if let Attribute::Label(label) = attribute {
            Some(String::from_utf8_lossy(&label).into_owned())
        } else {
            None
        }
    });
    Ok(label.map_or_else(String::new, |label| label))
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

    /// The attribute, and its value, by which a key that should be hidden is otherwise than was asked for.
    pub(crate) fn less_than(&self, extractability: Extractability) -> Option<(&'static str, &'static str)> {
        let extractable = extractability == Extractability::Wrapped;
        let wanted = [
            ("CKA_SENSITIVE", self.sensitive, true),
            ("CKA_EXTRACTABLE", self.extractable, extractable),
        ];
        let (attribute, value, _) = wanted
            .into_iter()
            .find(|(_, value, wanted)| *value != Some(*wanted))?;
        let value = value.map_or("unknown", |value| if value { "true" } else { "false" });
        Some((attribute, value))
    }
}

/// Whether a new key can have an id.
pub(crate) enum Vacancy {
    /// Nobody is logged in, so that the session does not see all objects.
    NotLoggedIn,
    /// An object, of whatever class, has it.
    Used,
    /// None has it.
    Free,
}

impl Vacancy {
    pub(crate) fn of(session: &Session, id: &CkaId) -> Result<Self> {
        if !is_logged_in(session)? {
            return Ok(Self::NotLoggedIn);
        }
        let used = session.find_objects(&[Attribute::Id(id.as_bytes().to_vec())])?;
        Ok(if used.is_empty() { Self::Free } else { Self::Used })
    }
}

/// Whether the user is logged in, so that private objects are seen.
pub(crate) fn is_logged_in(session: &Session) -> Result<bool> {
    let state = session.get_session_info()?.session_state();
    Ok(matches!(state, SessionState::RoUser | SessionState::RwUser))
}
