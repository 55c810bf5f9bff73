//! What a token holds besides a key that is to be restored into it: not its id, and not the same key.

use std::collections::BTreeSet;

use cryptoki::error::Result as CallResult;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::CK_OBJECT_HANDLE;
use key_metadata::{Algorithm, CkaId, PublicKey};

use crate::call::CallError;
use crate::list::{FoundKey, list};
use crate::material::Likeness;
use crate::object::{id_of, is_logged_in};
use crate::raw::Raw;
use crate::restore_error::RestoreError;
use crate::sign::signs_as;
use crate::template;
use crate::wrapping::Wrapping;

/// What a lone private half signs to show which key it is.
const DATA: &[u8] = b"is this the key that was backed up?";

/// Objects that a look for a key at a time gives: some tokens go through all objects again for each.
const AT_A_TIME: usize = 256;

/// What was seen in a token.
pub(crate) struct Held {
    objects: BTreeSet<CK_OBJECT_HANDLE>,
    /// The ids of objects of whatever class.
    ids: BTreeSet<CkaId>,
    keys: Vec<FoundKey>,
    /// The keys that were restored since.
    restored: Vec<PublicKey>,
}

impl Held {
    fn read(session: &Session, raw: &Raw) -> CallResult<Self> {
        // First, so that what another program makes meanwhile is new at the next look.
        let found = session.find_objects(&[])?;
        let mut ids = BTreeSet::new();
        for object in &found {
            ids.extend(match raw.name(session, *object)? {
                Some(name) => Some(name.id),
                None => id_of(session, *object)?,
            });
        }
        Ok(Self {
            objects: found.iter().map(ObjectHandle::handle).collect(),
            ids,
            keys: list(session)?,
            restored: Vec::new(),
        })
    }

    /// Whether any object had that id, or any key may be that one: all others tell that they are another.
    fn may_have(&self, id: &CkaId, key: &PublicKey) -> bool {
        self.ids.contains(id)
            || self
                .restored
                .iter()
                .any(|restored| restored.as_dnskey() == key.as_dnskey())
            || self.keys.iter().any(|held| held.is_of(key) != Likeness::Other)
    }

    /// The private halves that were there alone, and do not tell whether they are of that key: only a signature does.
    fn untold(&self, key: &PublicKey) -> impl Iterator<Item = (&FoundKey, ObjectHandle)> {
        let lone = self.keys.iter().filter(|held| !held.has_public);
        lone.filter_map(|held| Some((held, held.private?)))
            .filter(|(held, _)| held.is_of(key) == Likeness::Untold)
    }
}

/// A key that is to be restored, or just was.
#[derive(Clone, Copy)]
pub(crate) struct Newcomer<'a> {
    pub(crate) id: &'a CkaId,
    pub(crate) public_key: &'a PublicKey,
    pub(crate) algorithm: Algorithm,
}

impl Wrapping<'_> {
    /// Refuses an id that is in use, and a key that is there under another one. The user is logged in.
    ///
    /// What the token holds is read once, since it may go through all its objects for each search; of what it holds by that, only a likeness is
    /// searched for. What another program makes later shows in [`Self::is_alone`].
    pub(crate) fn is_vacant(&self, newcomer: Newcomer<'_>) -> Result<(), RestoreError> {
        let failed = |error| self.not_restored(newcomer.id, error);
        if !is_logged_in(&self.session).map_err(failed)? {
            return Err(RestoreError::NotLoggedIn {
                label: self.token.label().clone(),
                id: newcomer.id.clone(),
            });
        }
        let mut held = self.held.borrow_mut();
        let held = match &mut *held {
            Some(held) => held,
            unread => {
                let read = Held::read(&self.session, self.token.0.module.raw());
                unread.insert(read.map_err(failed)?)
            }
        };
        match held.may_have(newcomer.id, newcomer.public_key) {
            false => Ok(()),
            true => self.searched(held, newcomer, &[]),
        }
    }

    /// The same once the key is there, as these two objects: of what was not there before, each is held against it. `None` where the token does not
    /// show both of them, by the handles that it gave.
    pub(crate) fn is_alone(
        &self,
        newcomer: Newcomer<'_>,
        own: [ObjectHandle; 2],
    ) -> Result<Option<()>, RestoreError> {
        let failed = |error| self.not_restored(newcomer.id, error);
        let now = || -> CallResult<BTreeSet<CK_OBJECT_HANDLE>> {
            let all = self
                .session
                .iter_objects_with_cache_size(&[], AT_A_TIME.try_into()?)?;
            all.map(|object| Ok(object?.handle())).collect()
        };
        let now = now().map_err(failed)?;
        let mut held = self.held.borrow_mut();
        if let Some(held) = &mut *held {
            held.ids.insert(newcomer.id.clone());
            held.restored.push(newcomer.public_key.clone());
        }
        if !own.iter().all(|object| now.contains(&object.handle())) {
            return Ok(None);
        }
        let is_known = |object: &CK_OBJECT_HANDLE| {
            let is_own = own.iter().any(|own| own.handle() == *object);
            is_own || held.as_ref().is_some_and(|held| held.objects.contains(object))
        };
        if !now.iter().all(is_known) {
            let read = Held::read(&self.session, self.token.0.module.raw()).map_err(failed)?;
            self.searched(held.insert(read), newcomer, &own)?;
        }
        if let Some(held) = &mut *held {
            held.objects = now;
        }
        Ok(Some(()))
    }

    /// Refuses what a search finds of that id and of that key, besides these objects.
    fn searched(
        &self,
        held: &Held,
        newcomer: Newcomer<'_>,
        own: &[ObjectHandle],
    ) -> Result<(), RestoreError> {
        let failed = |error| self.not_restored(newcomer.id, error);
        let other = |wanted: Attribute| -> CallResult<Option<ObjectHandle>> {
            let found = self.session.find_objects(&[wanted])?;
            Ok(found.into_iter().find(|object| !own.contains(object)))
        };
        let used = other(Attribute::Id(newcomer.id.as_bytes().to_vec())).map_err(failed)?;
        if used.is_some() {
            return Err(RestoreError::IdUsed {
                label: self.token.label().clone(),
                id: newcomer.id.clone(),
            });
        }
        let there = |as_id| {
            Err(RestoreError::KeyThere {
                label: self.token.label().clone(),
                id: newcomer.id.clone(),
                as_id,
            })
        };
        for values in template::public_values(newcomer.public_key, newcomer.algorithm) {
            if let Some(twin) = other(values).map_err(failed)? {
                return there(id_of(&self.session, twin).map_err(failed)?);
            }
        }
        for (key, private) in held.untold(newcomer.public_key) {
            let mechanisms = self.token.mechanisms()?;
            let signs = signs_as(&self.session, mechanisms, private, newcomer.public_key, DATA);
            match signs.map_err(CallError::of) {
                Ok(true) if !own.contains(&private) => return there(key.id.clone()),
                Err(call) if !call.is_about_the_operation() => return Err(failed(call.into_error())),
                // Another key, or one that does not sign.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}
