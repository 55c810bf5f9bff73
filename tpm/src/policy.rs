//! Policies that stand in for a password: an object that is used by one command only.

use sha2::{Digest as _, Sha256};
use tss_esapi::constants::{CommandCode, SessionType};
use tss_esapi::handles::{AuthHandle, KeyHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Digest, Nonce};
use tss_esapi::tss2_esys::TPM2_CC;
use tss_esapi::{Context, Error};

use crate::command::CommandError;
use crate::engine::{Engine, Held};

/// TPM_CC_PolicyCommandCode.
const POLICY_COMMAND_CODE: u32 = 0x0000_016c;

/// The digest of the policy that allows one command (TPM 2.0 part 3, 23.11).
pub(crate) fn command_policy(command: CommandCode) -> [u8; 32] {
    let mut policy = Sha256::new();
    policy.update([0; 32]);
    policy.update(POLICY_COMMAND_CODE.to_be_bytes());
    policy.update(TPM2_CC::from(command).to_be_bytes());
    policy.finalize().into()
}

impl Engine {
    /// A policy session, salted to the SRK where that was looked at; the guard flushes it. The policy's hash is SHA-256.
    pub(crate) fn policy_session(&mut self) -> Result<(Held<'_>, AuthSession), CommandError> {
        self.policy_session_of(HashingAlgorithm::Sha256)
    }

    /// The same for a policy of another hash.
    pub(crate) fn policy_session_of(
        &mut self,
        hash: HashingAlgorithm,
    ) -> Result<(Held<'_>, AuthSession), CommandError> {
        let salt = self.srk.as_ref().map(|srk| srk.handle);
        self.start_policy(SessionType::Policy, salt, hash)
    }

    /// A session for a policy that nobody uses: it is started for what its commands ask for; the guard flushes it.
    pub(crate) fn trial_session(&mut self) -> Result<(Held<'_>, AuthSession), CommandError> {
        self.start_policy(SessionType::Trial, None, HashingAlgorithm::Sha256)
    }

    fn start_policy(
        &mut self,
        kind: SessionType,
        salt: Option<KeyHandle>,
        hash: HashingAlgorithm,
    ) -> Result<(Held<'_>, AuthSession), CommandError> {
        let session = self.start_session(kind, salt, hash)?;
        Ok((self.hold(SessionHandle::from(session).into()), session))
    }

    /// A policy session that allows one command.
    pub(crate) fn command_session(
        &mut self,
        command: CommandCode,
    ) -> Result<(Held<'_>, AuthSession), CommandError> {
        let (mut held, session) = self.policy_session()?;
        held.run("TPM2_PolicyCommandCode", None, |context| {
            context.policy_command_code(PolicySession::try_from(session)?, command)
        })?;
        Ok((held, session))
    }

    /// Asks for a hierarchy's authorisation, in the session `by`, on behalf of a policy session.
    pub(crate) fn policy_secret(
        &mut self,
        policy: AuthSession,
        hierarchy: AuthHandle,
        by: Option<AuthSession>,
    ) -> Result<(), CommandError> {
        self.run("TPM2_PolicySecret", by, |context| {
            policy_secret(context, policy, hierarchy)
        })
    }
}

/// TPM2_PolicySecret without a limit in time or parameters.
pub(crate) fn policy_secret(
    context: &mut Context,
    policy: AuthSession,
    hierarchy: AuthHandle,
) -> Result<(), Error> {
    let (nonce, parameters, reference) = (Nonce::default(), Digest::default(), Nonce::default());
    let policy = PolicySession::try_from(policy)?;
    context.policy_secret(policy, hierarchy, nonce, parameters, reference, None)?;
    Ok(())
}
