//! Putting a key back into a token, out of what was wrapped.

use cryptoki::error::{Error, Result as CallResult};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use key_metadata::{Algorithm, CkaId, Extractability, PublicKey, SoftwareKey};

use crate::backup::Tried;
use crate::call::CallError;
use crate::generate::{MAX_LABEL, restrict};
use crate::held::Newcomer;
use crate::import::ImportError;
use crate::mechanism::{offer, signs};
use crate::object::{Halves, Protection, id_of};
use crate::pair::key_type;
use crate::probe::ProbeVerdict;
use crate::restore_error::RestoreError;
use crate::sign::signs_as;
use crate::template;
use crate::wrap::WrapMechanism;
use crate::wrapping::Wrapping;

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
    nonce: &'a [u8],
}

impl Wrapping<'_> {
    /// Puts the key into the token, with that id and label: private, sensitive, for signatures only where the token allows that. The user
    /// is logged in.
    ///
    /// Nothing is written over: an id that is in use is refused, and so is a key that the token has under any other. What was wrapped is
    /// then opened in software and must be the private half of that public key, before the token is given anything. RFC 5649 goes by one of
    /// two numbers in PKCS#11, whichever the token takes; where it takes neither, the key is imported. In the end it has signed `nonce`, and
    /// the signature has verified under the public key: with a nonce that nobody can foresee that is a proof of possession. A process killed meanwhile may leave a half of the key, which
    /// [`crate::Token::presence`] tells and [`crate::Token::destroy`] removes.
    pub fn restore(
        &self,
        wrapped: &[u8],
        public_key: &PublicKey,
        id: impl Into<CkaId>,
        label: &str,
        extractability: Extractability,
        nonce: &[u8],
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
        self.is_vacant(Newcomer {
            id,
            public_key,
            algorithm,
        })?;
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
            nonce,
        };
        match self.take_back(wrapped, &wanted)? {
            Ok(mechanism) => Ok(Restored::Unwrapped(mechanism)),
            Err(tried) => self.import(&software, &wanted, label, tried),
        }
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
                    let mut made = vec![private];
                    if let Err(error) = self.complete(private, wanted, &mut made) {
                        self.destroy(wanted.id, &made)?;
                        return Err(error);
                    }
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

    /// The public half beside a private one, and everything that shows that it is the key. What it makes is added to `made`.
    fn complete(
        &self,
        private: ObjectHandle,
        wanted: &Wanted<'_>,
        made: &mut Vec<ObjectHandle>,
    ) -> Result<(), RestoreError> {
        let failed = |error| self.not_restored(wanted.id, error);
        restrict(&self.session, private).map_err(failed)?;
        let public = template::public(wanted.public_key, wanted.algorithm, &wanted.name);
        let public = self.session.create_object(&public).map_err(failed)?;
        made.push(public);
        let protection = Protection::read(&self.session, private).map_err(failed)?;
        if let Some((attribute, value)) = protection.less_than(wanted.extractability) {
            return Err(RestoreError::Protection {
                label: self.token.label().clone(),
                id: wanted.id.clone(),
                attribute,
                value,
            });
        }
        self.is_shown([private, public], wanted)?;
        self.proves(private, wanted)
    }

    /// Whether the token shows both halves under the id, and no others.
    fn is_shown(&self, own: [ObjectHandle; 2], wanted: &Wanted<'_>) -> Result<(), RestoreError> {
        let failed = |error| self.not_restored(wanted.id, error);
        let is_named = |object: ObjectHandle| -> CallResult<bool> {
            let id = match self.token.0.module.raw().name(&self.session, object)? {
                Some(name) => Some(name.id),
                None => id_of(&self.session, object)?,
            };
            Ok(id.as_ref() == Some(wanted.id))
        };
        let newcomer = Newcomer {
            id: wanted.id,
            public_key: wanted.public_key,
            algorithm: wanted.algorithm,
        };
        let [private, public] = own;
        if self.is_alone(newcomer, own)?.is_some()
            && is_named(private).map_err(failed)?
            && is_named(public).map_err(failed)?
        {
            return Ok(());
        }
        // A token may give other handles in each search.
        let halves = Halves::find(&self.session, wanted.id).map_err(failed)?;
        match (halves.private.len(), halves.public.len()) {
            (1, 1) => Ok(()),
            (private, public) => Err(self.not_shown(private, public, wanted)),
        }
    }

    /// Whether a private key makes a signature of the nonce that verifies under the public key.
    fn proves(&self, private: ObjectHandle, wanted: &Wanted<'_>) -> Result<(), RestoreError> {
        let mechanisms = self.token.mechanisms()?;
        match signs_as(
            &self.session,
            mechanisms,
            private,
            wanted.public_key,
            wanted.nonce,
        ) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RestoreError::NotThatKey {
                label: self.token.label().clone(),
                id: wanted.id.clone(),
            }),
            Err(error) => Err(self.not_restored(wanted.id, error)),
        }
    }

    fn not_shown(&self, private: usize, public: usize, wanted: &Wanted<'_>) -> RestoreError {
        RestoreError::NotShown {
            label: self.token.label().clone(),
            id: wanted.id.clone(),
            private,
            public,
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
            Ok(()) => self.imported(wanted).map(|()| Restored::Imported),
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

    /// Whether a key that was imported signs the nonce too.
    fn imported(&self, wanted: &Wanted<'_>) -> Result<(), RestoreError> {
        let failed = |error| self.not_restored(wanted.id, error);
        let halves = Halves::find(&self.session, wanted.id).map_err(failed)?;
        let made: Vec<ObjectHandle> = halves.private.iter().chain(&halves.public).copied().collect();
        let proved = match halves.private.as_slice() {
            [private] => self.proves(*private, wanted),
            several => Err(self.not_shown(several.len(), halves.public.len(), wanted)),
        };
        proved.or_else(|error| {
            self.destroy(wanted.id, &made)?;
            Err(error)
        })
    }

    /// What a failure has left of what was made, and nothing else: another program may have taken the id meanwhile.
    fn destroy(&self, id: &CkaId, made: &[ObjectHandle]) -> Result<(), RestoreError> {
        self.token
            .0
            .pool
            .with(|session| made.iter().try_for_each(|object| session.destroy_object(*object)))
            .map_err(|source| RestoreError::LeftBehind {
                label: self.token.label().clone(),
                id: id.clone(),
                source,
            })
    }

    pub(crate) fn not_restored(&self, id: &CkaId, error: Error) -> RestoreError {
        RestoreError::Access {
            label: self.token.label().clone(),
            id: id.clone(),
            source: CallError::of(error).into(),
        }
    }
}
