//! Objects of a probe, which are gone when it is over.

use cryptoki::error::Result;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Extractability, KeySpec};

use crate::pair::{self, Pair};

/// The CKA_LABEL, and the CKA_ID, of every object that is made to be thrown away, and of nothing else.
pub(crate) const NAME: &[u8] = b"keyrite probe";

/// Where a probe makes its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In the session alone (CKA_TOKEN false): they end with it, whatever happens.
    Session,
    /// In the token, which refuses session objects; a probe that is killed leaves them there, and the next one removes them.
    Token,
}

/// A maker of objects that destroys all that it made.
pub(crate) struct Throwaway<'s> {
    session: &'s Session,
    storage: Storage,
    made: Vec<ObjectHandle>,
}

impl<'s> Throwaway<'s> {
    pub(crate) const fn new(session: &'s Session, storage: Storage) -> Self {
        Self {
            session,
            storage,
            made: Vec::new(),
        }
    }

    pub(crate) fn pair(&mut self, spec: KeySpec, extractability: Extractability) -> Result<Pair> {
        let pair = pair::make(self.session, spec, &self.name(), extractability)?;
        self.made.extend([pair.private, pair.public]);
        Ok(pair)
    }

    /// An RSA pair that wraps other keys.
    pub(crate) fn wrapping_pair(&mut self) -> Result<Pair> {
        let pair = pair::make_wrapping(self.session, &self.name())?;
        self.made.extend([pair.private, pair.public]);
        Ok(pair)
    }

    /// An AES-256 key that wraps other keys.
    pub(crate) fn wrapping_key(&mut self) -> Result<ObjectHandle> {
        let template = [
            Attribute::ValueLen(32.into()),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
        ];
        let key = self
            .session
            .generate_key(&Mechanism::AesKeyGen, &[&self.name()[..], &template].concat())?;
        self.made.push(key);
        Ok(key)
    }

    /// A private key that `take` makes of what was wrapped.
    pub(crate) fn taken_back(
        &mut self,
        spec: KeySpec,
        take: impl FnOnce(&[Attribute]) -> Result<ObjectHandle>,
    ) -> Result<ObjectHandle> {
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(pair::key_type(spec.algorithm())),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        let key = take(&[&self.name()[..], &template].concat())?;
        self.made.push(key);
        Ok(key)
    }

    /// Destroys all, and says what could not be.
    pub(crate) fn destroy(mut self) -> Result<()> {
        self.destroy_made()
    }

    fn destroy_made(&mut self) -> Result<()> {
        let results: Vec<_> = self
            .made
            .drain(..)
            .map(|object| self.session.destroy_object(object))
            .collect();
        results.into_iter().collect()
    }

    fn name(&self) -> [Attribute; 3] {
        [
            Attribute::Token(self.storage == Storage::Token),
            Attribute::Id(NAME.to_vec()),
            Attribute::Label(NAME.to_vec()),
        ]
    }
}

impl Drop for Throwaway<'_> {
    fn drop(&mut self) {
        // The way out where something else has failed already, which is told; the count at the end of the probe tells of this.
        let _ = self.destroy_made();
    }
}

/// Removes what a probe that was killed has left in the token, and tells how many objects that were.
pub(crate) fn remove_leftovers(session: &Session) -> Result<usize> {
    let left = session.find_objects(&[Attribute::Label(NAME.to_vec())])?;
    left.iter()
        .try_for_each(|object| session.destroy_object(*object))?;
    Ok(left.len())
}

/// How many objects the session sees, of whatever kind.
pub(crate) fn count(session: &Session) -> Result<usize> {
    Ok(session.find_objects(&[])?.len())
}
