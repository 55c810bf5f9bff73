//! Keys leaving a token, and coming back, under a key-encryption key that is in it for as long as a session lasts.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use cryptoki::error::{Error, Result as CallResult, RvError};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Advice, CkaId, KeyEncryptionKey, Pkcs8Error, PublicKey, SoftwareKey};

use crate::call::CallError;
use crate::held::Held;
use crate::key::FindError;
use crate::object::{Halves, is_logged_in, label_of};
use crate::raw::Name;
use crate::session::AccessError;
use crate::template::Secret;
use crate::throwaway::NAME;
use crate::token::Token;
use crate::wrap::WrapMechanism;
use crate::wrap_error::WrapError;

/// A key-encryption key in a token, as an object of one session: it ends with this, and with the process, however that ends.
///
/// For one thread; another one makes its own.
pub struct Wrapping<'k> {
    // Closed before the token's sessions are, and the module with the last of them.
    pub(crate) session: Session,
    pub(crate) token: Token,
    /// The same key in software.
    pub(crate) kek: &'k KeyEncryptionKey,
    /// And in the token.
    pub(crate) inside: ObjectHandle,
    /// The private keys by their ids, with their labels, as they were when the first was asked for: a search for each would cost more than to wrap
    /// it.
    private: OnceCell<BTreeMap<CkaId, Vec<Private>>>,
    /// What was seen in the token when keys were restored, for the same reason.
    pub(crate) held: RefCell<Option<Held>>,
}

/// A private key, and its label.
struct Private {
    object: ObjectHandle,
    label: String,
}

/// A key that is to leave its token.
pub struct Leaving<'a> {
    /// Its id there.
    pub id: CkaId,
    /// Its public half.
    pub public_key: &'a PublicKey,
    /// How, as [`Wrapping::prove`] has shown, or another key of that kind that left.
    pub mechanism: WrapMechanism,
}

/// Why what a token wrapped is not the key that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenedError {
    /// It does not open.
    #[error(transparent)]
    Wrapped(#[from] key_metadata::OpenWrappedError),
    /// It opens, and is another private key, or none.
    #[error(transparent)]
    Key(#[from] Pkcs8Error),
}

impl Advice for OpenedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Wrapped(source) => source.hint(),
            Self::Key(source) => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Wrapped(source) => source.is_credential(),
            Self::Key(source) => source.is_credential(),
        }
    }
}

impl Token {
    /// Puts the key-encryption key into the token for as long as what is given back lives (CKA_TOKEN false), to wrap keys and take them
    /// back. The user is logged in.
    ///
    /// It is sensitive and never extractable there. A token that takes no such key may still take private keys as they are: opened by
    /// [`KeyEncryptionKey::open`] and put in by [`Self::import`].
    pub fn wrapping<'k>(&self, kek: &'k KeyEncryptionKey) -> Result<Wrapping<'k>, WrapError> {
        let failed = |source| WrapError::Access {
            label: self.label().clone(),
            source,
        };
        let session = self.session().map_err(failed)?;
        let call = |error| AccessError::from(CallError::of(error));
        if !is_logged_in(&session).map_err(|error| failed(call(error)))? {
            return Err(WrapError::NotLoggedIn {
                label: self.label().clone(),
            });
        }
        let inside = session.create_object(&template(kek).0).map_err(|error| {
            let call = CallError::of(error);
            match call.is_about_the_operation() {
                true => WrapError::NoSessionKey {
                    label: self.label().clone(),
                    source: call.into(),
                },
                false => failed(call.into()),
            }
        })?;
        Ok(Wrapping {
            session,
            token: self.clone(),
            kek,
            inside,
            private: OnceCell::new(),
            held: RefCell::default(),
        })
    }
}

impl Wrapping<'_> {
    /// The private key of that id, wrapped by a mechanism that [`Self::prove`] has shown: opened again in software, and shown to be the
    /// private half of that public key, before it is given out.
    pub fn wrap(
        &self,
        id: impl Into<CkaId>,
        public_key: &PublicKey,
        mechanism: WrapMechanism,
    ) -> Result<Vec<u8>, WrapError> {
        let id = id.into();
        let wrapped = self.unopened(&id, mechanism)?;
        match self.opened(&wrapped, public_key) {
            Ok(_) => Ok(wrapped),
            Err(source) => Err(self.not_that_key(&id, mechanism, source)),
        }
    }

    /// Several keys like [`Self::wrap`], in their order: all of them, or as far as the first that fails. `told` is called for each that was wrapped.
    ///
    /// A second thread opens and compares what was wrapped while the token wraps the next key, so that the token's own time decides; nothing is
    /// given out before it was compared.
    pub fn wrap_all(&self, keys: &[Leaving<'_>], mut told: impl FnMut()) -> Vec<Result<Vec<u8>, WrapError>> {
        let (to_check, unchecked) = mpsc::channel::<Vec<u8>>();
        let (to_keep, checked) = mpsc::channel();
        let kek = self.kek;
        let check = move || {
            for (key, wrapped) in keys.iter().zip(unchecked) {
                let opened = opened(kek, &wrapped, key.public_key).map(|_| wrapped);
                let is_other = opened.is_err();
                if to_keep.send(opened).is_err() || is_other {
                    return;
                }
            }
        };
        let mut refused = None;
        thread::scope(|scope| {
            // Where the system gives no thread, nobody takes what was wrapped.
            let _ = thread::Builder::new().spawn_scoped(scope, check);
            for key in keys {
                match self.unopened(&key.id, key.mechanism) {
                    Ok(wrapped) => match to_check.send(wrapped) {
                        Ok(()) => told(),
                        Err(_) => break,
                    },
                    Err(error) => {
                        refused = Some(error);
                        break;
                    }
                }
            }
            drop(to_check);
        });
        let mut all: Vec<Result<Vec<u8>, WrapError>> = checked
            .iter()
            .zip(keys)
            .map(|(opened, key)| opened.map_err(|source| self.not_that_key(&key.id, key.mechanism, source)))
            .collect();
        if all.iter().any(Result::is_err) {
            return all;
        }
        if let Some(refused) = refused {
            all.push(Err(refused));
            return all;
        }
        for key in keys.iter().skip(all.len()) {
            told();
            let wrapped = self.wrap(key.id.clone(), key.public_key, key.mechanism);
            let is_last = wrapped.is_err();
            all.push(wrapped);
            if is_last {
                break;
            }
        }
        all
    }

    /// What the token wraps of the private key of that id, not opened yet.
    fn unopened(&self, id: &CkaId, mechanism: WrapMechanism) -> Result<Vec<u8>, WrapError> {
        let wrapped = match self.known(id)? {
            Some(private) => match self.raw_wrap(mechanism, private.object) {
                Err(Error::Pkcs11(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _)) => {
                    self.raw_wrap(mechanism, self.found(id)?)
                }
                answer => answer,
            },
            None => self.raw_wrap(mechanism, self.found(id)?),
        };
        wrapped.map_err(|error| self.refused(CallError::of(error), id, mechanism))
    }

    fn not_that_key(&self, id: &CkaId, mechanism: WrapMechanism, source: OpenedError) -> WrapError {
        WrapError::NotThatKey {
            label: self.token.label().clone(),
            id: id.clone(),
            mechanism,
            source,
        }
    }

    /// The label of the private key of that id; of its public half where the private one has none.
    pub fn label(&self, id: impl Into<CkaId>) -> Result<String, WrapError> {
        let id = id.into();
        if let Some(private) = self.known(&id)?.filter(|private| !private.label.is_empty()) {
            return Ok(private.label.clone());
        }
        let label = || -> CallResult<String> {
            let halves = Halves::find(&self.session, &id)?;
            for object in halves.private.iter().chain(&halves.public) {
                let label = label_of(&self.session, *object)?;
                if !label.is_empty() {
                    return Ok(label);
                }
            }
            Ok(String::new())
        };
        label().map_err(|error| self.failed(error))
    }

    pub(crate) fn raw_wrap(&self, mechanism: WrapMechanism, private: ObjectHandle) -> CallResult<Vec<u8>> {
        let raw = self.token.0.module.raw();
        raw.wrap(&self.session, mechanism, self.inside, private)
    }

    /// What was wrapped, in software.
    pub(crate) fn opened(&self, wrapped: &[u8], public_key: &PublicKey) -> Result<SoftwareKey, OpenedError> {
        opened(self.kek, wrapped, public_key)
    }

    fn refused(&self, call: CallError, id: &CkaId, mechanism: WrapMechanism) -> WrapError {
        let (label, id) = (self.token.label().clone(), id.clone());
        if call.is_unextractable() {
            return WrapError::NotExtractable { label, id };
        }
        match call.is_about_the_operation() {
            true => WrapError::Refused {
                label,
                id,
                mechanism,
                source: call.into(),
            },
            false => WrapError::Access {
                label,
                source: call.into(),
            },
        }
    }

    /// The one private key of that id, if it was there when the first key was wrapped.
    fn known(&self, id: &CkaId) -> Result<Option<&Private>, WrapError> {
        let known = match self.private.get() {
            Some(known) => known,
            None => {
                let found = self.privates().map_err(|error| self.failed(error))?;
                self.private.get_or_init(|| found)
            }
        };
        Ok(match known.get(id).map(Vec::as_slice) {
            Some([private]) => Some(private),
            Some(_) | None => None,
        })
    }

    /// The one private key of that id now.
    fn found(&self, id: &CkaId) -> Result<ObjectHandle, WrapError> {
        let halves = Halves::find(&self.session, id).map_err(|error| self.failed(error))?;
        let (label, id) = (self.token.label().clone(), id.clone());
        match halves.private.as_slice() {
            [private] => Ok(*private),
            [] if halves.public.is_empty() => Err(FindError::NoKey { label, id }.into()),
            [] => Err(FindError::PrivateMissing { label, id }.into()),
            several => Err(FindError::Several {
                label,
                id,
                count: several.len(),
            }
            .into()),
        }
    }

    fn failed(&self, error: Error) -> WrapError {
        WrapError::Access {
            label: self.token.label().clone(),
            source: CallError::of(error).into(),
        }
    }

    fn privates(&self) -> CallResult<BTreeMap<CkaId, Vec<Private>>> {
        let mut found: BTreeMap<CkaId, Vec<Private>> = BTreeMap::new();
        let private = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        for object in self.session.find_objects(&private)? {
            // One that is not told so is searched for when it is asked for.
            if let Some(Name { id, label }) = self.token.0.module.raw().name(&self.session, object)? {
                found.entry(id).or_default().push(Private { object, label });
            }
        }
        Ok(found)
    }
}

fn opened(
    kek: &KeyEncryptionKey,
    wrapped: &[u8],
    public_key: &PublicKey,
) -> Result<SoftwareKey, OpenedError> {
    Ok(SoftwareKey::from_pkcs8(&kek.open(wrapped)?, public_key)?)
}

/// The key-encryption key, as C_CreateObject is given it.
fn template(kek: &KeyEncryptionKey) -> Secret {
    Secret(vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Label(NAME.to_vec()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Value(kek.expose().to_vec()),
    ])
}
