//! What a token can do, found by doing it with keys that are thrown away.

use std::fmt;

use cryptoki::error::Result as CallResult;
use cryptoki::session::Session;
use key_metadata::{Advice, KeySpec, TokenLabel};

use crate::call::CallError;
use crate::mechanism::MechanismsError;
use crate::object::is_logged_in;
use crate::session::{AccessError, open};
use crate::throwaway::{Storage, count, remove_leftovers};
use crate::token::Token;
use crate::trial::Trial;
use crate::wrap::WrapMechanism;
use crate::wrapping::OpenedError;

/// What a token was seen to do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Probe {
    /// Each key pair that the token claims to make and sign with.
    pub keys: Vec<KeyProbe>,
    /// Each way to wrap a private key.
    pub wraps: Vec<WrapProbe>,
    /// Where the objects of the probe were.
    pub storage: Storage,
    /// Objects that an earlier probe, which was killed, had left in the token; they were removed.
    pub removed: usize,
}

/// One kind of key pair.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyProbe {
    /// What was generated.
    pub spec: KeySpec,
    /// Whether its signature verifies.
    pub verdict: ProbeVerdict,
}

/// One way to wrap a private key, and one kind of key.
#[derive(Debug)]
#[non_exhaustive]
pub struct WrapProbe {
    /// The way.
    pub mechanism: WrapMechanism,
    /// The key; `None` where the token wraps none in this way.
    pub spec: Option<KeySpec>,
    /// Whether it came back from under the wrapping.
    pub verdict: ProbeVerdict,
}

/// What came of one operation.
#[derive(Debug)]
pub enum ProbeVerdict {
    /// It does what it is for.
    Works,
    /// The token does not do it, and says so.
    Refused(CallError),
    /// The token says that it did it, and did not.
    Lies(Lie),
}

/// How a token lies.
#[derive(Debug)]
pub enum Lie {
    /// It makes a pair whose public half is none of that kind.
    NoPublicKey,
    /// It signs, and the signature does not verify under its public key.
    BadSignature,
    /// It wraps a key, and what it wrapped does not come back as a key that signs.
    NotGivenBack(CallError),
    /// It wraps a key, and another key comes back.
    OtherKey,
    /// It wraps a key, and what it wrapped is not that key when it is opened in software.
    NotOpened(OpenedError),
}

impl ProbeVerdict {
    /// Whether the operation does what it is for.
    pub const fn works(&self) -> bool {
        match self {
            Self::Works => true,
            Self::Refused(_) | Self::Lies(_) => false,
        }
    }

    /// Whether the token said that it did what it did not.
    pub const fn lies(&self) -> bool {
        match self {
            Self::Lies(_) => true,
            Self::Works | Self::Refused(_) => false,
        }
    }
}

impl fmt::Display for ProbeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("works"),
            Self::Refused(call) => write!(f, "refused: {call}"),
            Self::Lies(lie) => write!(f, "lies: {lie}"),
        }
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPublicKey => f.write_str("the public half of the pair is none"),
            Self::BadSignature => f.write_str("the signature does not verify"),
            Self::NotGivenBack(call) => write!(f, "what was wrapped does not come back: {call}"),
            Self::NotOpened(error) => write!(f, "what was wrapped is not the key: {error}"),
            Self::OtherKey => f.write_str("another key comes back than was wrapped"),
        }
    }
}

/// Why a probe was not made to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// Nobody is logged in.
    #[error("nobody is logged in to token '{label}', so what it does cannot be tried")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
    },
    /// The token does not tell what it makes.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// The token has more objects than before.
    #[error("token '{label}' has {count} objects more after the probe than before")]
    LeftBehind {
        /// The token.
        label: TokenLabel,
        /// How many more.
        count: usize,
    },
    /// The module failed.
    #[error("the probe of token '{label}' was cut short")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Why.
        source: AccessError,
    },
}

impl Advice for ProbeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
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
            Self::NotLoggedIn { .. } => true,
            Self::Mechanisms(source) => source.is_credential(),
            Self::LeftBehind { .. } => false,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Tries each key pair that the token claims to make, and each way to wrap one. The user is logged in.
    ///
    /// Every pair signs, and the signature is verified in software. Every wrapped key is taken back, signs, and is verified under the
    /// original's public half. All objects are destroyed, and it is seen to that none is left.
    pub fn probe(&self) -> Result<Probe, ProbeError> {
        self.try_out(|trial, removed| {
            Ok(Probe {
                keys: trial.keys()?,
                wraps: trial.wraps()?,
                storage: trial.storage(),
                removed,
            })
        })
    }

    /// Tries something in a session of its own, and sees to it that no more objects are in the token afterwards than before. `trying` is told
    /// how many an earlier trial, which was killed, had left.
    pub(crate) fn try_out<T>(
        &self,
        trying: impl FnOnce(&Trial<'_>, usize) -> CallResult<T>,
    ) -> Result<T, ProbeError> {
        let mechanisms = self.mechanisms()?;
        let failed = |source| ProbeError::Access {
            label: self.label().clone(),
            source,
        };
        let call = |error| failed(CallError::of(error).into());
        let session = self.session().map_err(failed)?;
        if !is_logged_in(&session).map_err(call)? {
            return Err(ProbeError::NotLoggedIn {
                label: self.label().clone(),
            });
        }
        let removed = remove_leftovers(&session).map_err(call)?;
        let before = count(&session).map_err(call)?;
        let claimed = self.claimed()?;
        let trial = Trial::new(&session, mechanisms, self.0.module.raw(), &claimed);
        let tried = trying(&trial, removed).map_err(call)?;
        let after = count(&session).map_err(call)?;
        match after.checked_sub(before) {
            Some(0) | None => Ok(tried),
            Some(count) => Err(ProbeError::LeftBehind {
                label: self.label().clone(),
                count,
            }),
        }
    }

    /// A session apart from the others: what is made in it ends with it.
    pub(crate) fn session(&self) -> Result<Session, AccessError> {
        let lock = self.0.module.lock()?;
        Ok(open(&self.0.module, self.0.slot, &lock)?)
    }
}
