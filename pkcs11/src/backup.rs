//! Whether a key could be backed up, asked before it is made.

use std::fmt;

use cryptoki::error::Result as CallResult;
use key_metadata::{Advice, Algorithm, Extractability, KeyEncryptionKey, KeySpec, PublicKey, TokenLabel};
use zeroize::Zeroizing;

use crate::call::CallError;
use crate::mechanism::{Mechanism, MechanismsError, Offer, offer, supports};
use crate::pair::Pair;
use crate::probe::{Lie, ProbeVerdict};
use crate::random::RandomError;
use crate::session::AccessError;
use crate::sign::signs_as;
use crate::throwaway::{Storage, Throwaway, count};
use crate::token::Token;
use crate::trial::{DATA, public_key, refused, told};
use crate::wrap::WrapMechanism;
use crate::wrap_error::{ANOTHER_WAY, WrapError};
use crate::wrapping::Wrapping;

/// What a token was seen to do with a pair that was made for that and is gone: its private half left the token wrapped, was the right one
/// when it was opened in software, came back, and signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupProof {
    /// The kind of pair.
    pub spec: KeySpec,
    /// The first mechanism that wrapped it so.
    pub mechanism: WrapMechanism,
}

/// Why a token is not known to let such a key be backed up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The token makes no such keys.
    #[error("token '{label}' makes no keys for {spec}; it offers {offer}")]
    Unsupported {
        /// The token.
        label: TokenLabel,
        /// The key asked for.
        spec: KeySpec,
        /// What the token makes.
        offer: Offer,
    },
    /// The token makes no such key that is hidden and can be wrapped.
    #[error(
        "token '{label}' makes no private key for {spec} that can be wrapped (CKA_SENSITIVE with CKA_EXTRACTABLE): {verdict}"
    )]
    NotExtractable {
        /// The token.
        label: TokenLabel,
        /// The key asked for.
        spec: KeySpec,
        /// What came of making one.
        verdict: ProbeVerdict,
    },
    /// No mechanism wraps such a key so that it comes back.
    #[error("token '{label}' wraps no private key for {spec}: {tried}")]
    NotWrapped {
        /// The token.
        label: TokenLabel,
        /// The key asked for.
        spec: KeySpec,
        /// What was tried, and what came of it.
        tried: Tried,
    },
    /// The token takes no key to wrap with.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The token draws no key to wrap with.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The token does not tell what it makes.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// The token has more objects than before.
    #[error("token '{label}' has {count} objects more than before a backup was tried out")]
    LeftBehind {
        /// The token.
        label: TokenLabel,
        /// How many more.
        count: usize,
    },
    /// The module failed.
    #[error("trying out in token '{label}' whether a key for {spec} can be backed up was cut short")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key asked for.
        spec: KeySpec,
        /// Why.
        source: AccessError,
    },
}

/// The ways to wrap that were tried, in that order, and why each is none.
#[derive(Debug)]
pub struct Tried(pub Vec<(WrapMechanism, ProbeVerdict)>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (mechanism, verdict) in &self.0 {
            write!(f, "{separator}{mechanism} {verdict}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl Advice for BackupError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { .. } => {
                Some("choose an algorithm and a size that the token offers, or another token".to_owned())
            }
            Self::NotExtractable { .. } => Some(ANOTHER_WAY.to_owned()),
            Self::NotWrapped { spec, .. } => Some(match spec.algorithm() {
                Algorithm::Ed25519 => {
                    "choose another algorithm, as ECDSAP256SHA256, or --backup none: who loses the token then loses the key"
                        .to_owned()
                }
                Algorithm::RsaSha256
                | Algorithm::RsaSha512
                | Algorithm::EcdsaP256Sha256
                | Algorithm::EcdsaP384Sha384 => ANOTHER_WAY.to_owned(),
            }),
            Self::Wrap(source) => source.hint(),
            Self::Random(source) => source.hint(),
            Self::Mechanisms(source) => source.hint(),
            Self::LeftBehind { .. } => Some(
                "if no other program made them meanwhile, look at them: pkcs11-tool --list-objects"
                    .to_owned(),
            ),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Unsupported { .. }
            | Self::NotExtractable { .. }
            | Self::NotWrapped { .. }
            | Self::LeftBehind { .. } => false,
            Self::Wrap(source) => source.is_credential(),
            Self::Random(source) => source.is_credential(),
            Self::Mechanisms(source) => source.is_credential(),
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Proves by [`Wrapping::prove`], under a key-encryption key that is thrown away, that such a key can be backed up. The user is logged
    /// in.
    pub fn proves_backup(&self, spec: KeySpec) -> Result<BackupProof, BackupError> {
        self.makes(spec)?;
        let mut bytes = Zeroizing::new([0; KeyEncryptionKey::LENGTH]);
        self.fill_random(bytes.as_mut_slice())?;
        let kek = KeyEncryptionKey::new(bytes);
        let mechanism = self.wrapping(&kek)?.prove(spec)?;
        Ok(BackupProof { spec, mechanism })
    }

    /// What it makes, where such a key is among that.
    fn makes(&self, spec: KeySpec) -> Result<&[Mechanism], BackupError> {
        let mechanisms = self.mechanisms()?;
        match supports(mechanisms, spec) {
            true => Ok(mechanisms),
            false => Err(BackupError::Unsupported {
                label: self.label().clone(),
                spec,
                offer: offer(mechanisms),
            }),
        }
    }
}

/// What came of the ways to wrap a pair; or why there is none.
type Proof = Result<Result<WrapMechanism, Tried>, ProbeVerdict>;

impl Wrapping<'_> {
    /// The first mechanism by which this token wraps a key of that kind so that it can be restored.
    ///
    /// Shown by a pair that is thrown away: what was wrapped is opened in software and compared with the public half, and then taken back
    /// by the token, where it signs and the signature verifies. Everything is destroyed again, and it is seen to that nothing is left.
    pub fn prove(&self, spec: KeySpec) -> Result<WrapMechanism, BackupError> {
        let mechanisms = self.token.makes(spec)?;
        let label = || self.token.label().clone();
        let failed = |error| BackupError::Access {
            label: label(),
            spec,
            source: CallError::of(error).into(),
        };
        let before = count(&self.session).map_err(failed)?;
        let proof = self.try_out(mechanisms, spec).map_err(failed)?;
        let after = count(&self.session).map_err(failed)?;
        if let Some(count @ 1..) = after.checked_sub(before) {
            return Err(BackupError::LeftBehind {
                label: label(),
                count,
            });
        }
        match proof {
            Ok(Ok(mechanism)) => Ok(mechanism),
            Ok(Err(tried)) => Err(BackupError::NotWrapped {
                label: label(),
                spec,
                tried,
            }),
            Err(verdict) => Err(BackupError::NotExtractable {
                label: label(),
                spec,
                verdict,
            }),
        }
    }

    fn try_out(&self, offered: &[Mechanism], spec: KeySpec) -> CallResult<Proof> {
        let mut throwaway = Throwaway::new(&self.session, Storage::Session);
        let pair = match throwaway.pair(spec, Extractability::Wrapped) {
            Ok(pair) => pair,
            Err(error) => return refused(error).map(Err),
        };
        let Some(public) = public_key(&self.session, pair, spec)? else {
            return Ok(Err(ProbeVerdict::Lies(Lie::NoPublicKey)));
        };
        let mut tried = Vec::new();
        for mechanism in WrapMechanism::BACKUP {
            let verdict = match self.wrap_opened(mechanism, pair, &public)? {
                Ok(wrapped) => self.signs_again(mechanism, &wrapped, offered, &public, spec)?,
                Err(verdict) => verdict,
            };
            if verdict.works() {
                throwaway.destroy()?;
                return Ok(Ok(Ok(mechanism)));
            }
            tried.push((mechanism, verdict));
        }
        throwaway.destroy()?;
        Ok(Ok(Err(Tried(tried))))
    }

    /// What the token wrapped, which is the pair's private half; or what is wrong with it.
    fn wrap_opened(
        &self,
        mechanism: WrapMechanism,
        pair: Pair,
        public: &PublicKey,
    ) -> CallResult<Result<Vec<u8>, ProbeVerdict>> {
        let wrapped = match self.raw_wrap(mechanism, pair.private) {
            Ok(wrapped) => wrapped,
            Err(error) => return refused(error).map(Err),
        };
        Ok(match self.opened(&wrapped, public) {
            Ok(_) => Ok(wrapped),
            Err(error) => Err(ProbeVerdict::Lies(Lie::NotOpened(error))),
        })
    }

    /// Whether the token takes back what it wrapped as a key that signs.
    fn signs_again(
        &self,
        mechanism: WrapMechanism,
        wrapped: &[u8],
        offered: &[Mechanism],
        public: &PublicKey,
        spec: KeySpec,
    ) -> CallResult<ProbeVerdict> {
        let mut throwaway = Throwaway::new(&self.session, Storage::Session);
        let signs = throwaway
            .taken_back(spec, |template| {
                let raw = self.token.0.module.raw();
                raw.take_back(&self.session, mechanism, self.inside, wrapped, template)
            })
            .and_then(|key| signs_as(&self.session, offered, key, public, DATA));
        throwaway.destroy()?;
        match signs {
            Ok(true) => Ok(ProbeVerdict::Works),
            Ok(false) => Ok(ProbeVerdict::Lies(Lie::OtherKey)),
            Err(error) => told(error).map(|call| ProbeVerdict::Lies(Lie::NotGivenBack(call))),
        }
    }
}
