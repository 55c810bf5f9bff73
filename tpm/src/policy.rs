//! Policies that stand in for a password: an object that is used by one command only.

use sha2::{Digest, Sha256};
use tss_esapi::constants::{CommandCode, SessionType};
use tss_esapi::handles::SessionHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::SymmetricDefinition;
use tss_esapi::tss2_esys::TPM2_CC;
use tss_esapi::{Error, WrapperErrorKind};

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
    /// A policy session, salted to the SRK where that was looked at; the guard flushes it.
    pub(crate) fn policy_session(&mut self) -> Result<(Held<'_>, AuthSession), CommandError> {
        let salt = self.srk.as_ref().map(|srk| srk.handle);
        let session = self.run("TPM2_StartAuthSession", None, |context| {
            context
                .start_auth_session(
                    salt,
                    None,
                    None,
                    SessionType::Policy,
                    SymmetricDefinition::AES_128_CFB,
                    HashingAlgorithm::Sha256,
                )?
                .ok_or(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))
        })?;
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
}
