//! Generating a key pair inside a token.

use cryptoki::error::Result as CallResult;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Advice, CkaId, Extractability, KeySpec, PublicKey, TokenLabel};

use crate::material::Material;
use crate::mechanism::{MechanismsError, Offer, offer, supports};
use crate::object::{Halves, Protection, Vacancy};
use crate::pair::{self, Pair};
use crate::session::AccessError;
use crate::token::Token;

/// The longest CKA_LABEL that every token keeps, in bytes; some cut a longer one without a word.
pub(crate) const MAX_LABEL: usize = 32;

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The key's label is too long.
    #[error("a key label has at most {MAX_LABEL} bytes, '{key_label}' has {}", key_label.len())]
    LabelLength {
        /// The label asked for.
        key_label: String,
    },
    /// Nobody is logged in.
    #[error("nobody is logged in to token '{label}', so it makes no key {id}")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
    },
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
    /// An object of the token has that id.
    #[error("token '{label}' has a key {id} already")]
    IdUsed {
        /// The token.
        label: TokenLabel,
        /// The id asked for.
        id: CkaId,
    },
    /// The token refuses a key that is both hidden and can be wrapped.
    #[error("token '{label}' makes no private key that can be wrapped (CKA_SENSITIVE with CKA_EXTRACTABLE)")]
    NotWrappable {
        /// The token.
        label: TokenLabel,
        /// What it answered.
        source: AccessError,
    },
    /// The token made a key with less protection than was asked for. The key was destroyed.
    #[error(
        "token '{label}' made key {id} with {attribute} {value}, which was not asked for; the key was destroyed"
    )]
    Protection {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// The attribute.
        attribute: &'static str,
        /// `true`, `false` or `unknown`.
        value: &'static str,
    },
    /// The public half of the new key cannot be read, or is of another size. The key was destroyed.
    #[error(
        "token '{label}' made key {id} for {spec} with a public half that is not one; the key was destroyed"
    )]
    BadPublicKey {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// The key asked for.
        spec: KeySpec,
    },
    /// It failed, and what there is of the key could not be removed.
    #[error("token '{label}' did not make key {id} in full, and the rest of it cannot be removed")]
    LeftBehind {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// Why it cannot be removed.
        source: AccessError,
    },
    /// The token does not tell what it makes.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// The module failed; nothing is left of the key.
    #[error("token '{label}' did not make key {id} for {spec}")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// The key asked for.
        spec: KeySpec,
        /// Why not.
        source: AccessError,
    },
}

impl Advice for GenerateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::LabelLength { .. } => Some("choose a shorter label".to_owned()),
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::Unsupported { .. } => {
                Some("choose an algorithm and a size that the token offers, or another token".to_owned())
            }
            Self::IdUsed { .. } => Some("ids are never used again: draw another".to_owned()),
            Self::NotWrappable { .. } => {
                Some("make the key non-extractable, or in a token that wraps keys".to_owned())
            }
            Self::Protection { .. } | Self::BadPublicKey { .. } => {
                Some("do not use this token for such keys before its vendor has explained it".to_owned())
            }
            Self::LeftBehind { id, .. } => Some(format!("destroy key {id} before anything else is done")),
            Self::Mechanisms(source) => source.hint(),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::LabelLength { .. }
            | Self::Unsupported { .. }
            | Self::IdUsed { .. }
            | Self::Protection { .. }
            | Self::BadPublicKey { .. } => false,
            Self::Mechanisms(source) => source.is_credential(),
            Self::NotWrappable { source, .. }
            | Self::LeftBehind { source, .. }
            | Self::Access { source, .. } => source.is_credential(),
        }
    }
}

/// What was found out of a new key.
enum Made {
    Good(PublicKey),
    Unprotected(&'static str, &'static str),
    BadPublicKey,
}

impl Token {
    /// Makes a key pair: private, sensitive, and for signatures only where the token allows that, with that id and label. The user is logged in.
    ///
    /// Before: what the token offers is probed, and an id that any object has is refused. After: the private key's protection is read back
    /// and the public half checked. Where anything fails, what was made is destroyed. A process killed meanwhile may leave a half of a
    /// key under this id, which [`Token::keys`] shows and [`Token::destroy`] removes.
    pub fn generate(
        &self,
        spec: KeySpec,
        id: impl Into<CkaId>,
        label: &str,
        extractability: Extractability,
    ) -> Result<PublicKey, GenerateError> {
        let id = &id.into();
        let token = || self.label().clone();
        let failed = |source| GenerateError::Access {
            label: token(),
            id: id.clone(),
            spec,
            source,
        };
        if label.len() > MAX_LABEL {
            return Err(GenerateError::LabelLength {
                key_label: label.to_owned(),
            });
        }
        let mechanisms = self.mechanisms()?;
        if !supports(mechanisms, spec) {
            return Err(GenerateError::Unsupported {
                label: token(),
                spec,
                offer: offer(mechanisms),
            });
        }
        match self
            .0
            .pool
            .with(|session| Vacancy::of(session, id))
            .map_err(failed)?
        {
            Vacancy::Free => {}
            Vacancy::NotLoggedIn => {
                return Err(GenerateError::NotLoggedIn {
                    label: token(),
                    id: id.clone(),
                });
            }
            Vacancy::Used => {
                return Err(GenerateError::IdUsed {
                    label: token(),
                    id: id.clone(),
                });
            }
        }
        let made = self.0.pool.with(|session| {
            let name = [
                Attribute::Token(true),
                Attribute::Id(id.as_bytes().to_vec()),
                Attribute::Label(label.as_bytes().to_vec()),
            ];
            let pair = pair::make(session, spec, &name, extractability)?;
            restrict(session, pair.private)?;
            check(session, pair, spec, extractability)
        });
        let error = match made {
            Ok(Made::Good(public_key)) => return Ok(public_key),
            Ok(Made::Unprotected(attribute, value)) => GenerateError::Protection {
                label: token(),
                id: id.clone(),
                attribute,
                value,
            },
            Ok(Made::BadPublicKey) => GenerateError::BadPublicKey {
                label: token(),
                id: id.clone(),
                spec,
            },
            Err(source) if extractability == Extractability::Wrapped && refuses_template(&source) => {
                GenerateError::NotWrappable {
                    label: token(),
                    source,
                }
            }
            Err(source) => failed(source),
        };
        self.0
            .pool
            .with(|session| Halves::find(session, id)?.destroy(session))
            .map_err(|source| GenerateError::LeftBehind {
                label: token(),
                id: id.clone(),
                source,
            })?;
        Err(error)
    }
}

/// Leaves a private key nothing but signing, as far as the token lets it.
///
/// Tokens switch on what was not asked for, and tpm2-pkcs11 fails when it is switched off in the template: it makes TPM keys
/// that sign and decrypt, and calls a template that says otherwise a mismatch. Afterwards both it and SoftHSM allow it.
pub(crate) fn restrict(session: &Session, private: ObjectHandle) -> CallResult<()> {
    let uses = [
        AttributeType::Decrypt,
        AttributeType::Unwrap,
        AttributeType::SignRecover,
        AttributeType::Derive,
    ];
    for attribute in session.get_attributes(private, &uses)? {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other attribute was asked for")]
        let off = match attribute {
            Attribute::Decrypt(true) => Attribute::Decrypt(false),
            Attribute::Unwrap(true) => Attribute::Unwrap(false),
            Attribute::SignRecover(true) => Attribute::SignRecover(false),
            Attribute::Derive(true) => Attribute::Derive(false),
            _ => continue,
        };
        // A token may forbid it; the key is then as that vendor makes all of its keys.
        let _ = session.update_attributes(private, &[off]);
    }
    Ok(())
}

fn check(
    session: &Session,
    Pair { public, private }: Pair,
    spec: KeySpec,
    extractability: Extractability,
) -> CallResult<Made> {
    if let Some((attribute, value)) = Protection::read(session, private)?.less_than(extractability) {
        return Ok(Made::Unprotected(attribute, value));
    }
    let public_key = Material::read(session, public)?.public_key(spec.algorithm());
    Ok(public_key
        .filter(|key| key.bits() == spec.bits())
        .map_or(Made::BadPublicKey, Made::Good))
}

fn refuses_template(error: &AccessError) -> bool {
    match error {
        AccessError::Call(call) => call.refuses_template(),
        AccessError::Lock(_) => false,
    }
}
