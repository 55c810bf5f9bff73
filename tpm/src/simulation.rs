//! An update of the machine, simulated on the debug PCR: whether what is sealed under a PCR policy survives one in this very TPM.

use key_metadata::{Advice, PcrNumber, PolicyDigest, Tcti};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tss_esapi::handles::{ObjectHandle, PcrHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Digest, DigestValues};
use zeroize::Zeroizing;

use crate::authority::{Authority, ExternalKey, SignatureError, to_be_approved};
use crate::command::CommandError;
use crate::engine::Engine;
use crate::guard::Guard;
use crate::pcr::{PcrError, pcr_policy_digest};
use crate::response::VALUE;
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// What the simulated update measures into the PCR.
const UPDATE: [u8; 32] = *b"Keyrite simulates a new firmware";

/// A simulation in which all went as it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The policy digest of the PCR before the update.
    pub before: PolicyDigest,
    /// The one after it, which was approved before it.
    pub after: PolicyDigest,
}

/// Why a simulated update did not go as it must.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The TPM gave back other data than were sealed.
    #[error("the TPM at {tcti} did not give back what was sealed")]
    Other {
        /// The TPM.
        tcti: Tcti,
    },
    /// The TPM took the old state's approval for the new state's.
    #[error("the TPM at {tcti} opened to a state that nobody approved")]
    Opened {
        /// The TPM.
        tcti: Tcti,
    },
    /// The TPM computes another policy than its specification says.
    #[error("the TPM at {tcti} has the policy digest {found} for its PCR, not {expected}")]
    Digest {
        /// The TPM.
        tcti: Tcti,
        /// The TPM's.
        found: PolicyDigest,
        /// As it should be.
        expected: PolicyDigest,
    },
    /// The TPM did not take the throwaway authority's signature.
    #[error("the TPM at {tcti} did not take an approval")]
    NotTaken {
        /// The TPM.
        tcti: Tcti,
        /// Why not.
        source: SignatureError,
    },
    /// The system's generator, or the throwaway key, failed.
    #[error("no throwaway key pair could be made")]
    KeyPair,
    /// The PCR was not read.
    #[error(transparent)]
    Pcr(#[from] PcrError),
    /// There is no SRK to seal under.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for SimulationError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Other { .. } | Self::Opened { .. } | Self::Digest { .. } | Self::NotTaken { .. } => {
                Some("use no PCR policy with this TPM: take setup.pcr-policy out of site.yaml".to_owned())
            }
            Self::KeyPair | Self::Pcr(_) => None,
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Other { .. } | Self::Opened { .. } | Self::Digest { .. } | Self::NotTaken { .. } => false,
            Self::KeyPair => false,
            Self::Pcr(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

/// An authority that lives for one simulation.
struct Throwaway {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    authority: Authority,
}

impl Throwaway {
    fn new() -> Option<Self> {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).ok()?;
        let authority = Authority::of(ExternalKey::from_point(pair.public_key().as_ref())?)?;
        Some(Self {
            pair,
            random,
            authority,
        })
    }

    fn approve(&self, digest: PolicyDigest) -> Result<Approved, SimulationError> {
        let signature = self.pair.sign(&self.random, &to_be_approved(digest));
        match signature {
            Ok(signature) => Ok(Approved {
                digest,
                signature: signature.as_ref().to_vec(),
            }),
            Err(_) => Err(SimulationError::KeyPair),
        }
    }
}

/// A state of the PCR, and the throwaway authority's signature over it.
struct Approved {
    digest: PolicyDigest,
    signature: Vec<u8>,
}

impl Tpm {
    /// Simulates an update with an authority that is thrown away and the debug PCR, which is reset: what is sealed is given back, stays closed
    /// once the PCR has changed, and is given back again by the approval that was signed before. Nothing is left in the TPM.
    pub fn simulate_update(&self) -> Result<Simulation, SimulationError> {
        let mut engine = self.engine();
        engine.reset_debug_pcr()?;
        let simulated = engine.simulate_update();
        let reset = engine.reset_debug_pcr();
        let simulation = simulated?;
        reset?;
        Ok(simulation)
    }
}

impl Engine {
    fn simulate_update(&mut self) -> Result<Simulation, SimulationError> {
        let throwaway = Throwaway::new().ok_or(SimulationError::KeyPair)?;
        let values = self.pcr_values(&PcrNumber::DEBUG.into())?;
        let updated = values
            .iter()
            .map(|(pcr, value)| (*pcr, value.extended(UPDATE)))
            .collect();
        let before = throwaway.approve(pcr_policy_digest(&values))?;
        let after = throwaway.approve(pcr_policy_digest(&updated))?;
        let mut data = Zeroizing::new([0; 32]);
        let drawn = throwaway.random.fill(&mut *data);
        drawn.map_err(|_| SimulationError::KeyPair)?;
        let authority = &throwaway.authority;
        let mut sealed = self.sealed(&*data, Guard::Policy(authority.policy_digest()))?;
        let object = sealed.handle();
        sealed.must_open(object, authority, &before, &data)?;
        sealed.extend_debug_pcr()?;
        sealed.must_not_open(authority, &before)?;
        sealed.must_open(object, authority, &after, &data)?;
        Ok(Simulation {
            before: before.digest,
            after: after.digest,
        })
    }

    fn must_open(
        &mut self,
        object: ObjectHandle,
        authority: &Authority,
        approved: &Approved,
        data: &[u8; 32],
    ) -> Result<(), SimulationError> {
        let tcti = self.tcti.clone();
        let (mut held, session) = self.pcr_session(&PcrNumber::DEBUG.into())?;
        let (found, expected) = (held.policy_digest(session)?, approved.digest);
        if found != expected {
            return Err(SimulationError::Digest {
                tcti,
                found,
                expected,
            });
        }
        match held.verify(authority, expected, &approved.signature)? {
            Ok(ticket) => held.policy_authorize(session, authority, expected, ticket)?,
            Err(source) => return Err(SimulationError::NotTaken { tcti, source }),
        }
        if held.unseal_in(session, object)?.as_slice() != data {
            return Err(SimulationError::Other { tcti });
        }
        Ok(())
    }

    /// With the approval of another state, whose signature is in order: it is the TPM that must see the difference.
    fn must_not_open(&mut self, authority: &Authority, approved: &Approved) -> Result<(), SimulationError> {
        let tcti = self.tcti.clone();
        let (mut held, session) = self.pcr_session(&PcrNumber::DEBUG.into())?;
        let ticket = match held.verify(authority, approved.digest, &approved.signature)? {
            Ok(ticket) => ticket,
            Err(source) => return Err(SimulationError::NotTaken { tcti, source }),
        };
        match held.policy_authorize(session, authority, approved.digest, ticket) {
            Err(error) if error.is(VALUE) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => Err(SimulationError::Opened { tcti }),
        }
    }

    fn extend_debug_pcr(&mut self) -> Result<(), CommandError> {
        // A PCR's auth value is empty.
        self.run("TPM2_PCR_Extend", Some(AuthSession::Password), |context| {
            let mut digests = DigestValues::new();
            digests.set(HashingAlgorithm::Sha256, Digest::try_from(UPDATE.as_slice())?);
            context.pcr_extend(PcrHandle::Pcr16, digests)
        })
    }

    fn reset_debug_pcr(&mut self) -> Result<(), CommandError> {
        self.run("TPM2_PCR_Reset", Some(AuthSession::Password), |context| {
            context.pcr_reset(PcrHandle::Pcr16)
        })
    }
}
