//! Sealed data that are given back only while the machine's PCRs have values that an authority approved (TPM2_PolicyAuthorize).
//!
//! What is sealed is bound to the authority's key and to [`POLICY_REF`], never to values: so the values after a firmware update can be approved
//! before it, and nothing is sealed anew. An approval cannot be taken back: whoever has its file can bring it again while the machine is in the
//! state that it approves.

use std::path::PathBuf;
use std::sync::Arc;

use key_metadata::store::{StoreError, read_text};
use key_metadata::{Advice, Approvals, PcrSelection, PolicyDigest, SiteFolder, Tcti, TokenName};
use sha2::{Digest as _, Sha256};
use tss_esapi::interface_types::resource_handles::Hierarchy as EsapiHierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Digest, Name as EsapiName, Nonce, VerifiedTicket};

use crate::authority::{Authority, AuthorityError, POLICY_REF, SignatureError, to_be_approved};
use crate::command::CommandError;
use crate::engine::{Engine, Held};
use crate::response::{PCR_CHANGED, SIGNATURE};
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// The PCR policy of a TPM: who approves which PCRs, and where the approvals are.
#[derive(Clone, Debug)]
pub struct PcrAccess {
    authority: Authority,
    pcrs: PcrSelection,
    approvals: Approvals,
}

/// Why the PCR policy of a TPM cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PcrAccessError {
    /// The authority's file is not there, or not readable.
    #[error("cannot read the authority of the PCR policy")]
    Store(#[from] StoreError),
    /// What is in the file is no authority.
    #[error("{} holds no authority of a PCR policy", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: AuthorityError,
    },
}

impl Advice for PcrAccessError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(_) => Some(
                "put the authority's public key where setup.pcr-policy.authority in site.yaml says"
                    .to_owned(),
            ),
            Self::Authority { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// A file that was sought.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {}", .0.display())]
pub struct NoSuchFile(pub PathBuf);

/// Why the machine's present state counts for nothing under a PCR policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is no approval.
    #[error("nobody approved what is in {pcrs} of the TPM at {tcti} now, policy digest {digest}")]
    Missing {
        /// The TPM.
        tcti: Tcti,
        /// The PCRs.
        pcrs: PcrSelection,
        /// The digest of the policy that they are as they are.
        digest: PolicyDigest,
        /// The file that would approve it.
        source: NoSuchFile,
    },
    /// The file is no approval by the authority.
    #[error("{} does not approve what is in {pcrs} of the TPM at {tcti} now", path.display())]
    Refused {
        /// The TPM.
        tcti: Tcti,
        /// The PCRs.
        pcrs: PcrSelection,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SignatureError,
    },
    /// A PCR was extended after it was looked at (TPM_RC_PCR_CHANGED, 0x128).
    #[error("the PCRs of the TPM at {tcti} changed while {pcrs} was looked at")]
    Changed {
        /// The TPM.
        tcti: Tcti,
        /// The PCRs.
        pcrs: PcrSelection,
    },
    /// The file was not read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no SRK to salt the session with.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for ApprovalError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "find out what changed in the machine; if it was meant, have the authority approve it: keyrite-tpm-init pcr digest --out FILE"
                    .to_owned(),
            ),
            Self::Refused { .. } => Some(
                "have the authority sign what keyrite-tpm-init pcr digest writes, and give it to keyrite-tpm-init pcr approve".to_owned(),
            ),
            Self::Changed { .. } => Some("run this again".to_owned()),
            Self::Store(error) => error.hint(),
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Refused { .. } => true,
            Self::Changed { .. } => false,
            Self::Store(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl PcrAccess {
    /// A policy on those PCRs.
    pub const fn new(authority: Authority, pcrs: PcrSelection, approvals: Approvals) -> Self {
        Self {
            authority,
            pcrs,
            approvals,
        }
    }

    /// The policy that a site has for one of its TPMs (`setup.pcr-policy`); `None` where it has none.
    pub fn of_site(site: &SiteFolder, tpm: &TokenName) -> Result<Option<Self>, PcrAccessError> {
        let Some(policy) = site.site().tpm_setup(tpm).pcr_policy else {
            return Ok(None);
        };
        let path = site.path(&policy.authority);
        match Authority::from_pem(&read_text(&path)?) {
            Ok(authority) => Ok(Some(Self::new(authority, policy.pcrs, site.approvals(tpm)))),
            Err(source) => Err(PcrAccessError::Authority { path, source }),
        }
    }

    /// Who approves.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Which PCRs.
    pub const fn pcrs(&self) -> &PcrSelection {
        &self.pcrs
    }

    /// Where the approvals are.
    pub const fn approvals(&self) -> &Approvals {
        &self.approvals
    }
}

impl Tpm {
    /// Seals PINs under that policy from now on, and unseals those that were. Others stay as they were sealed.
    pub fn use_pcr_policy(&self, access: Option<PcrAccess>) {
        self.engine().access = access.map(Arc::new);
    }

    /// The policy that PINs are sealed under.
    pub fn pcr_policy(&self) -> Option<Arc<PcrAccess>> {
        self.engine().access.clone()
    }

    /// Whether the machine's present state is approved, so that what is sealed under that policy could be unsealed now.
    pub fn check_approval(&self, access: &PcrAccess) -> Result<(), ApprovalError> {
        self.engine().approved_session(access).map(drop)
    }

    /// Whether the TPM takes a signature for the authority's approval of a policy (TPM2_VerifySignature).
    pub fn takes_approval(
        &self,
        authority: &Authority,
        digest: PolicyDigest,
        signature: &[u8],
    ) -> Result<Result<(), SignatureError>, CommandError> {
        let verified = self.engine().verify(authority, digest, signature)?;
        Ok(verified.map(drop))
    }
}

impl Engine {
    /// A salted session that satisfies the policy, if the machine's present state is approved; the guard flushes it.
    pub(crate) fn approved_session(
        &mut self,
        access: &PcrAccess,
    ) -> Result<(Held<'_>, AuthSession), ApprovalError> {
        let tcti = self.tcti.clone();
        let pcrs = access.pcrs.clone();
        let (mut held, session) = self.pcr_session(&pcrs)?;
        let digest = held.policy_digest(session)?;
        let path = access.approvals.path(digest);
        let Some(signature) = access.approvals.read(digest)? else {
            return Err(ApprovalError::Missing {
                tcti,
                pcrs,
                digest,
                source: NoSuchFile(path),
            });
        };
        match held.verify(&access.authority, digest, &signature)? {
            Ok(ticket) => held.policy_authorize(session, &access.authority, digest, ticket)?,
            Err(source) => {
                return Err(ApprovalError::Refused {
                    tcti,
                    pcrs,
                    path,
                    source,
                });
            }
        }
        Ok((held, session))
    }

    /// A salted session whose policy is that the PCRs are as they are now; the guard flushes it.
    pub(crate) fn pcr_session(&mut self, pcrs: &PcrSelection) -> Result<(Held<'_>, AuthSession), SrkError> {
        self.srk()?;
        let (mut held, session) = self.policy_session()?;
        held.policy_pcr(session, pcrs.iter(), None)?;
        Ok((held, session))
    }

    /// A ticket that the authority signed its approval of a policy. The owner hierarchy makes it: the null hierarchy makes none that counts
    /// (TPM 2.0 part 3, 20.1).
    pub(crate) fn verify(
        &mut self,
        authority: &Authority,
        digest: PolicyDigest,
        signature: &[u8],
    ) -> Result<Result<VerifiedTicket, SignatureError>, CommandError> {
        let signature = match authority.signature(signature) {
            Ok(signature) => signature,
            Err(error) => return Ok(Err(error)),
        };
        let key = self.run("TPM2_LoadExternal", None, |context| {
            context.load_external_public(authority.public()?, EsapiHierarchy::Owner)
        })?;
        let mut held = self.hold(key.into());
        let verified = held.run("TPM2_VerifySignature", None, |context| {
            let signed = Sha256::digest(to_be_approved(digest));
            context.verify_signature(key, Digest::try_from(signed.as_slice())?, signature)
        });
        match verified {
            Ok(ticket) => Ok(Ok(ticket)),
            Err(error) if error.is(SIGNATURE) => Ok(Err(SignatureError::Wrong { digest })),
            Err(error) => Err(error),
        }
    }

    /// TPM2_PolicyAuthorize: replaces the session's policy, if it is the approved one, by the one that the authority stands for.
    pub(crate) fn policy_authorize(
        &mut self,
        session: AuthSession,
        authority: &Authority,
        approved: PolicyDigest,
        ticket: VerifiedTicket,
    ) -> Result<(), CommandError> {
        self.run("TPM2_PolicyAuthorize", None, |context| {
            context.policy_authorize(
                PolicySession::try_from(session)?,
                Digest::try_from(approved.0.as_slice())?,
                Nonce::try_from(POLICY_REF)?,
                &EsapiName::try_from(authority.name().as_bytes().to_vec())?,
                ticket,
            )
        })
    }

    /// What a command failed with whose session [`Self::approved_session`] gave.
    pub(crate) fn since_approved(&self, access: &PcrAccess, error: CommandError) -> ApprovalError {
        if error.is(PCR_CHANGED) {
            return ApprovalError::Changed {
                tcti: self.tcti.clone(),
                pcrs: access.pcrs.clone(),
            };
        }
        error.into()
    }
}
