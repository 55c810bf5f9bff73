//! Sessions: how auth values and secrets cross the bus.

use secrecy::{ExposeSecret, SecretString};
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy as EsapiHierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Auth, SymmetricDefinition};
use tss_esapi::{Context, Error, WrapperErrorKind};

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::engine::{Engine, Held};
use crate::hierarchy::Hierarchy;
use crate::srk::SrkError;
use crate::template::SrkTemplate;

/// Which parameters a command's session encrypts. A TPM can encrypt only the first one, and only if it is a sized buffer.
#[derive(Clone, Copy)]
pub(crate) enum Protect {
    /// None: an HMAC alone proves the auth value.
    Nothing,
    /// The first parameter of the response.
    Response,
    /// Both.
    Both,
}

impl Engine {
    /// The kept session, salted to the storage root key; started where there is none. One for all commands: starting one costs more than
    /// most commands do.
    pub(crate) fn salted(&mut self) -> Result<AuthSession, SrkError> {
        if let Some(session) = self.session {
            return Ok(session);
        }
        let srk = self.srk()?.handle;
        let session = self.start_hmac(srk)?;
        self.session = Some(session);
        Ok(session)
    }

    /// A session for the time when there is no storage root key, salted to a primary of the null hierarchy. The guard flushes it.
    pub(crate) fn unrooted(&mut self) -> Result<(Held<'_>, AuthSession), CommandError> {
        let template = SrkTemplate::Tcg.public();
        let key = self.run("TPM2_CreatePrimary", Some(AuthSession::Password), |context| {
            Ok(context
                .create_primary(EsapiHierarchy::Null, template?, None, None, None, None)?
                .key_handle)
        })?;
        let session = self.hold(key.into()).start_hmac(key)?;
        Ok((self.hold(SessionHandle::from(session).into()), session))
    }

    /// A session of any kind; its caller flushes it.
    pub(crate) fn start_session(
        &mut self,
        kind: SessionType,
        salt: Option<KeyHandle>,
        hash: HashingAlgorithm,
    ) -> Result<AuthSession, CommandError> {
        self.run("TPM2_StartAuthSession", None, |context| {
            context
                .start_auth_session(salt, None, None, kind, SymmetricDefinition::AES_128_CFB, hash)?
                .ok_or(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))
        })
    }

    fn start_hmac(&mut self, salt: KeyHandle) -> Result<AuthSession, CommandError> {
        self.start_session(SessionType::Hmac, Some(salt), HashingAlgorithm::Sha256)
    }

    /// Sends a command in a session, which goes on.
    pub(crate) fn run_in<T>(
        &mut self,
        session: AuthSession,
        protect: Protect,
        command: &'static str,
        send: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, CommandError> {
        let (request, response) = match protect {
            Protect::Nothing => (false, false),
            Protect::Response => (false, true),
            Protect::Both => (true, true),
        };
        // The builder's mask has only what was named, and what was named false too.
        let (attributes, mask) = SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(request)
            .with_encrypt(response)
            .build();
        self.run("Esys_TRSess_SetAttributes", None, |context| {
            context.tr_sess_set_attributes(session, attributes, mask)
        })?;
        self.run(command, Some(session), send)
    }

    /// Sends a command that a hierarchy authorises; `auth` is `None` where its auth value is empty.
    pub(crate) fn run_as<T>(
        &mut self,
        hierarchy: Hierarchy,
        auth: Option<&AuthValue>,
        protect: Protect,
        command: &'static str,
        send: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, CommandError> {
        if let (None, Protect::Nothing) = (auth, protect) {
            // An empty auth is no secret; it needs no session.
            return self.run(command, Some(AuthSession::Password), send);
        }
        // Whoever has looked at the SRK wants the session salted to it.
        if self.srk.is_some()
            && let Ok(session) = self.salted()
        {
            return self.run_with_auth(session, hierarchy, auth, protect, command, send);
        }
        let (mut engine, session) = self.unrooted()?;
        engine.run_with_auth(session, hierarchy, auth, protect, command, send)
    }

    fn run_with_auth<T>(
        &mut self,
        session: AuthSession,
        hierarchy: Hierarchy,
        auth: Option<&AuthValue>,
        protect: Protect,
        command: &'static str,
        send: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, CommandError> {
        self.set_hierarchy_auth(hierarchy, auth)?;
        let result = self.run_in(session, protect, command, send);
        self.set_hierarchy_auth(hierarchy, None)?;
        result
    }

    /// Tells the library the auth value of a hierarchy, or makes it forget it.
    fn set_hierarchy_auth(
        &mut self,
        hierarchy: Hierarchy,
        auth: Option<&AuthValue>,
    ) -> Result<(), CommandError> {
        self.run("Esys_TR_SetAuth", None, |context| {
            let value = auth.map_or(Ok(Auth::default()), AuthValue::value)?;
            context.tr_set_auth(hierarchy.object(), value)
        })
    }

    /// Tells the library the auth value of an object, or makes it forget it.
    pub(crate) fn set_auth(
        &mut self,
        object: ObjectHandle,
        auth: Option<&SecretString>,
    ) -> Result<(), CommandError> {
        self.run("Esys_TR_SetAuth", None, |context| {
            context.tr_set_auth(object, auth_value(auth)?)
        })
    }
}

/// The auth value as the library takes it; wiped when dropped.
pub(crate) fn auth_value(auth: Option<&SecretString>) -> Result<Auth, Error> {
    match auth {
        Some(auth) => auth.expose_secret().as_bytes().try_into(),
        None => Ok(Auth::default()),
    }
}
