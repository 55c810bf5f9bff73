//! What shows that an attestation key is in the TPM whose endorsement key the maker certified.

use key_metadata::{Advice, Tcti, TpmHandle};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{EncryptedSecret, IdObject};
use zeroize::Zeroizing;

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::credential::Credential;
use crate::ek_template::EkTemplate;
use crate::endorsement::EndorsementError;
use crate::response::ResponseCode;
use crate::tpm::Tpm;

/// Why a TPM did not give the secret of a credential back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActivateError {
    /// Nothing at the attestation key's handle.
    #[error("the TPM at {tcti} has no key at {handle}")]
    Absent {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// The credential is for another endorsement key, or for another key than the one at the handle.
    #[error(
        "the TPM at {tcti} cannot open what was encrypted for its certified endorsement key and the key at {handle}"
    )]
    Refused {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
        /// Which parameter it refused; `None` where it says only that it failed, as libtpms does for another key's RSA ciphertext.
        source: Option<ResponseCode>,
    },
    /// The endorsement key could not be used.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for ActivateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } => Some("make an attestation key first: keyrite-tpm-init provision".to_owned()),
            Self::Refused { .. } => Some(
                "do not trust this TPM's attestations: its key and its maker's certificate do not belong together"
                    .to_owned(),
            ),
            Self::Endorsement(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Refused { .. } => false,
            Self::Endorsement(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Tpm {
    /// The secret of a credential (TPM2_ActivateCredential), which only the TPM with both keys gives back: the endorsement key of that
    /// template, and the key at the handle, whose auth value is empty.
    ///
    /// The secret crosses the bus in the clear: it proves something now, and protects nothing later.
    pub fn activate(
        &self,
        credential: &Credential,
        handle: TpmHandle,
        template: EkTemplate,
        endorsement_auth: Option<&AuthValue>,
    ) -> Result<Zeroizing<Vec<u8>>, ActivateError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        if !engine.is_there(handle.number())? {
            return Err(ActivateError::Absent { tcti, handle });
        }
        let (mut ek, _) = engine.endorsement_key(template, endorsement_auth)?;
        let ek_open = KeyHandle::from(ek.handle());
        let mut key = ek.open(handle.number())?;
        let open = KeyHandle::from(key.handle());
        let (mut held, session) = key.endorsement_session(template, endorsement_auth)?;
        let secret = held.run("TPM2_ActivateCredential", None, |context| {
            let object = IdObject::try_from(credential.object.as_slice())?;
            let secret = EncryptedSecret::try_from(credential.secret.as_slice())?;
            let sessions = (Some(AuthSession::Password), Some(session), None);
            context.execute_with_sessions(sessions, |context| {
                context.activate_credential(open, ek_open, object, secret)
            })
        });
        match secret {
            Ok(secret) => Ok(Zeroizing::new(secret.to_vec())),
            Err(CommandError::Refused { source, .. }) if source.is_parameter() => {
                Err(ActivateError::Refused {
                    tcti,
                    handle,
                    source: Some(source),
                })
            }
            // TPM_RC_FAILURE, and yet the TPM goes on: in failure mode it would not read a key out.
            Err(CommandError::FailureMode { .. }) if held.read_public(open.into()).is_ok() => {
                Err(ActivateError::Refused {
                    tcti,
                    handle,
                    source: None,
                })
            }
            Err(error) => Err(error.into()),
        }
    }
}
