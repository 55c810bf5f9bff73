//! Whether a key could be backed up, asked before it is made.

use std::fmt;

use key_metadata::{Advice, KeySpec, TokenLabel};

use crate::mechanism::{MechanismsError, Offer, offer, supports};
use crate::probe::{ProbeError, ProbeVerdict, WrapProbe};
use crate::token::Token;
use crate::wrap::WrapMechanism;

/// What a token was seen to do with a pair that was made for that and is gone: it left the token wrapped, came back, and signed.
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
    /// It was not tried to the end.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The token does not tell what it makes.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
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
            Self::NotExtractable { .. } | Self::NotWrapped { .. } => Some(
                "choose another algorithm or token, or --backup none: who loses the token then loses the key"
                    .to_owned(),
            ),
            Self::Probe(source) => source.hint(),
            Self::Mechanisms(source) => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Unsupported { .. } | Self::NotExtractable { .. } | Self::NotWrapped { .. } => false,
            Self::Probe(source) => source.is_credential(),
            Self::Mechanisms(source) => source.is_credential(),
        }
    }
}

impl Token {
    /// Makes a throwaway pair of that kind, and wraps it by each mechanism that [keeps integrity](WrapMechanism::keeps_integrity) until it comes back as a key whose signature
    /// verifies under the pair's public half. The user is logged in. Everything is destroyed again, and it is seen to that nothing is left.
    pub fn proves_backup(&self, spec: KeySpec) -> Result<BackupProof, BackupError> {
        let label = self.label().clone();
        let mechanisms = self.mechanisms()?;
        if !supports(mechanisms, spec) {
            let offer = offer(mechanisms);
            return Err(BackupError::Unsupported { label, spec, offer });
        }
        let tried = match self.try_out(|trial, _| trial.backup(spec))? {
            Ok(tried) => tried,
            Err(verdict) => {
                return Err(BackupError::NotExtractable { label, spec, verdict });
            }
        };
        let works = |probe: &&WrapProbe| probe.verdict.works();
        if let Some(WrapProbe { mechanism, .. }) = tried.iter().find(works) {
            return Ok(BackupProof {
                spec,
                mechanism: *mechanism,
            });
        }
        let tried = tried.into_iter().map(|probe| (probe.mechanism, probe.verdict));
        let tried = Tried(tried.collect());
        Err(BackupError::NotWrapped { label, spec, tried })
    }
}
