//! Putting a key back into a token, out of what was wrapped.

use cryptoki::error::{Error, Result as CallResult};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use key_metadata::{Algorithm, CkaId, Extractability, PublicKey, SoftwareKey};

use crate::backup::Tried;
use crate::call::CallError;
use crate::generate::{MAX_LABEL, restrict};
use crate::import::ImportError;
use crate::material::Likeness;
use crate::mechanism::{offer, signs};
use crate::object::{Halves, Protection, Vacancy, id_of};
use crate::pair::key_type;
use crate::probe::ProbeVerdict;
use crate::restore_error::RestoreError;
use crate::sign::signs_as;
use crate::template;
use crate::wrap::WrapMechanism;
use crate::wrapping::Wrapping;

/// What a key signs to show that it is back.
const DATA: &[u8] = b"is this the key that was backed up?";

/// How a key came back into a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// By C_UnwrapKey: outside the token it was never in the clear, but for the check in this process.
    Unwrapped(WrapMechanism),
    /// By C_CreateObject of what was opened in this process: the token takes back nothing that was wrapped.
    Imported,
}

/// What is asked of a restored key.
struct Wanted<'a> {
    public_key: &'a PublicKey,
    algorithm: Algorithm,
    id: &'a CkaId,
    name: [Attribute; 3],
    extractability: Extractability,
}

impl Wrapping<'_> {
    /// Puts the key into the token, with that id and label: private, sensitive, for signatures only where the token allows that. The user
    /// is logged in.
    ///
    /// Nothing is written over: an id that is in use is refused, and so is a key that the token has under any other. What was wrapped is
    /// then opened in software and must be the private half of that public key, before the token is given anything. RFC 5649 goes by one of
    /// two numbers in PKCS#11, whichever the token takes; where it takes neither, the key is imported. In the end it has signed, and the
    /// signature has verified under the public key. A process killed meanwhile may leave a half of the key, which
    /// [`crate::Token::presence`] tells and [`crate::Token::destroy`] removes.
    pub fn restore(
        &self,
        wrapped: &[u8],
        public_key: &PublicKey,
        id: impl Into<CkaId>,
        label: &str,
        extractability: Extractability,
    ) -> Result<Restored, RestoreError> {
        let (token, id) = (|| self.token.label().clone(), &id.into());
        if label.len() > MAX_LABEL {
            return Err(RestoreError::LabelLength {
                key_label: label.to_owned(),
            });
        }
        let algorithm = public_key.algorithm();
        let algorithm = algorithm.made().ok_or(RestoreError::Legacy(algorithm))?;
        let mechanisms = self.token.mechanisms()?;
        if !signs(mechanisms, algorithm, public_key.bits()) {
            return Err(RestoreError::Unsupported {
                label: token(),
                algorithm,
                bits: public_key.bits(),
                offer: offer(mechanisms),
            });
        }
        self.is_vacant(id, public_key, algorithm)?;
        let software = self
            .opened(wrapped, public_key)
            .map_err(|source| RestoreError::NotOpened {
                label: token(),
                id: id.clone(),
                source,
            })?;
        let wanted = Wanted {
            public_key,
            algorithm,
            id,
            name: [
                Attribute::Token(true),
                Attribute::Id(id.as_bytes().to_vec()),
                Attribute::Label(label.as_bytes().to_vec()),
            ],
            extractability,
        };
        let error = match self.take_back(wrapped, &wanted) {
            Ok(Ok(mechanism)) => return Ok(Restored::Unwrapped(mechanism)),
            Ok(Err(tried)) => {
                self.destroy(id)?;
                return self.import(&software, &wanted, label, tried);
            }
            Err(error) => error,
        };
        self.destroy(id)?;
        Err(error)
    }

    /// Refuses an id that is in use, and a key that is there under another one.
    fn is_vacant(
        &self,
        id: &CkaId,
        public_key: &PublicKey,
        algorithm: Algorithm,
    ) -> Result<(), RestoreError> {
        let label = || self.token.label().clone();
        let failed = |error| self.not_restored(id, error);
        match Vacancy::of(&self.session, id).map_err(failed)? {
            Vacancy::Free => {}
            Vacancy::NotLoggedIn => {
                return Err(RestoreError::NotLoggedIn {
                    label: label(),
                    id: id.clone(),
                });
            }
            Vacancy::Used => {
                return Err(RestoreError::IdUsed {
                    label: label(),
                    id: id.clone(),
                });
            }
        }
        let Some(as_id) = self.twin(public_key, algorithm, id)? else {
            return Ok(());
        };
        Err(RestoreError::KeyThere {
            label: label(),
            id: id.clone(),
            as_id,
        })
    }

    /// The id of an object of the same key, where there is one: by its public values, and by a signature where the token has the private
    /// half alone.
    fn twin(
        &self,
        public_key: &PublicKey,
        algorithm: Algorithm,
        id: &CkaId,
    ) -> Result<Option<Option<CkaId>>, RestoreError> {
        let failed = |error| self.not_restored(id, error);
        for values in template::public_values(public_key, algorithm) {
            let found = self.session.find_objects(&[values]).map_err(failed)?;
            if let Some(object) = found.first() {
                return Ok(Some(id_of(&self.session, *object).map_err(failed)?));
            }
        }
        let lone = match self.lone.get() {
            Some(lone) => lone,
            None => {
                let mut keys = self.token.keys()?;
                keys.retain(|key| key.has_private && !key.has_public);
                self.lone.get_or_init(|| keys)
            }
        };
        let untold = lone
            .iter()
            .filter(|key| key.is_of(public_key) == Likeness::Untold);
        for (key, private) in untold.filter_map(|key| Some((key, key.private?))) {
            let mechanisms = self.token.mechanisms()?;
            let signs = signs_as(&self.session, mechanisms, private, public_key, DATA);
            match signs.map_err(CallError::of) {
                Ok(true) => return Ok(Some(key.id.clone())),
                Err(call) if !call.is_about_the_operation() => return Err(failed(call.into_error())),
                // Another key, or one that does not sign.
                Ok(false) | Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Both halves by C_UnwrapKey and C_CreateObject, proved; or the ways that the token refused.
    fn take_back(
        &self,
        wrapped: &[u8],
        wanted: &Wanted<'_>,
    ) -> Result<Result<WrapMechanism, Tried>, RestoreError> {
        let mut tried = Vec::new();
        for mechanism in WrapMechanism::BACKUP {
            match self.private_half(mechanism, wrapped, wanted) {
                Ok(private) => {
                    self.complete(private, wanted)?;
                    return Ok(Ok(mechanism));
                }
                Err(call) if call.is_about_the_operation() => {
                    tried.push((mechanism, ProbeVerdict::Refused(call)));
                }
                Err(call) => return Err(self.not_restored(wanted.id, call.into_error())),
            }
        }
        Ok(Err(Tried(tried)))
    }

    /// The private half alone, not proved.
    fn private_half(
        &self,
        mechanism: WrapMechanism,
        wrapped: &[u8],
        wanted: &Wanted<'_>,
    ) -> Result<ObjectHandle, CallError> {
        let take = |template: &[Attribute]| {
            let raw = self.token.0.module.raw();
            raw.take_back(&self.session, mechanism, self.inside, wrapped, template)
                .map_err(CallError::of)
        };
        let plain = [
            &[
                Attribute::Class(ObjectClass::PRIVATE_KEY),
                Attribute::KeyType(key_type(wanted.algorithm)),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(wanted.extractability == Extractability::Wrapped),
                Attribute::Sign(true),
            ],
            &wanted.name[..],
        ]
        .concat();
        // What is switched off now need not be switched off afterwards, by a write for each.
        let off = [
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::SignRecover(false),
            Attribute::Derive(false),
        ];
        match take(&[&plain[..], &off].concat()) {
            Err(call) if call.refuses_template() => take(&plain),
            answer => answer,
        }
    }

    /// The public half beside a private one, and everything that shows that it is the key.
    fn complete(&self, private: ObjectHandle, wanted: &Wanted<'_>) -> Result<(), RestoreError> {
        let (label, id) = (|| self.token.label().clone(), || wanted.id.clone());
        let completed = || -> CallResult<_> {
            restrict(&self.session, private)?;
            let public = template::public(wanted.public_key, wanted.algorithm, &wanted.name);
            self.session.create_object(&public)?;
            let halves = Halves::find(&self.session, wanted.id)?;
            Ok((Protection::read(&self.session, private)?, halves))
        };
        let (protection, halves) = completed().map_err(|error| self.not_restored(wanted.id, error))?;
        if let Some((attribute, value)) = protection.less_than(wanted.extractability) {
            return Err(RestoreError::Protection {
                label: label(),
                id: id(),
                attribute,
                value,
            });
        }
        if (halves.private.len(), halves.public.len()) != (1, 1) {
            return Err(RestoreError::NotShown {
                label: label(),
                id: id(),
                private: halves.private.len(),
                public: halves.public.len(),
            });
        }
        let mechanisms = self.token.mechanisms()?;
        match signs_as(&self.session, mechanisms, private, wanted.public_key, DATA) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RestoreError::NotThatKey {
                label: label(),
                id: id(),
            }),
            Err(error) => Err(self.not_restored(wanted.id, error)),
        }
    }

    fn import(
        &self,
        software: &SoftwareKey,
        wanted: &Wanted<'_>,
        key_label: &str,
        tried: Tried,
    ) -> Result<Restored, RestoreError> {
        let imported = self
            .token
            .import(software, wanted.id.clone(), key_label, wanted.extractability);
        match imported {
            Ok(()) => Ok(Restored::Imported),
            Err(ImportError::LeftBehind { label, id, source }) => {
                Err(RestoreError::LeftBehind { label, id, source })
            }
            Err(source) => Err(RestoreError::Refused {
                label: self.token.label().clone(),
                id: wanted.id.clone(),
                tried,
                source: Box::new(source),
            }),
        }
    }

    /// What a failure has left; the id was vacant before.
    fn destroy(&self, id: &CkaId) -> Result<(), RestoreError> {
        self.token
            .0
            .pool
            .with(|session| Halves::find(session, id)?.destroy(session))
            .map_err(|source| RestoreError::LeftBehind {
                label: self.token.label().clone(),
                id: id.clone(),
                source,
            })
    }

    fn not_restored(&self, id: &CkaId, error: Error) -> RestoreError {
        RestoreError::Access {
            label: self.token.label().clone(),
            id: id.clone(),
            source: CallError::of(error).into(),
        }
    }
}
