//! Splitting a bundle's secret among custodians, and putting it together again.

use std::convert::Infallible;

use key_metadata::{Advice, Digest};
use secrecy::{ExposeSecret, SecretString};
use slip39::{Passphrase, Share};

use crate::bundle_id::BundleId;
use crate::manifest::Manifest;
use crate::secret::{BundleSecret, SecretError};
use crate::threshold::Threshold;

/// The exponent of PBKDF2's iterations: the least. S has 256 random bits and the passphrase is empty, so that there is nothing to slow down.
const ITERATION_EXPONENT: u8 = 0;

/// Why a secret was not split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DealError {
    /// SLIP-0039 refused.
    #[error("the secret cannot be split {threshold}")]
    Split {
        /// How.
        threshold: Threshold,
        /// Why not.
        source: slip39::SplitError<Infallible>,
    },
    /// A choice of shares does not give the secret back. Nothing was handed out.
    #[error("shares {} do not give the secret back", numbers(.places))]
    Subset {
        /// Their places, from 0.
        places: Vec<usize>,
    },
}

fn numbers(places: &[usize]) -> String {
    let numbers: Vec<_> = places.iter().map(|place| (place + 1).to_string()).collect();
    numbers.join(", ")
}

/// Splits the secret, and puts it together from **every** choice of as many shares as are needed. `random` fills what is drawn; `seen` is called
/// after each choice.
pub fn deal(
    secret: &BundleSecret,
    threshold: Threshold,
    mut random: impl FnMut(&mut [u8]),
    mut seen: impl FnMut(),
) -> Result<Vec<Share>, DealError> {
    let fill = |bytes: &mut [u8]| -> Result<(), Infallible> {
        random(bytes);
        Ok(())
    };
    let shares = slip39::split(
        secret.expose(),
        threshold.needed(),
        threshold.shares(),
        ITERATION_EXPONENT,
        &Passphrase::empty(),
        fill,
    )
    .map_err(|source| DealError::Split { threshold, source })?;
    for places in threshold.subsets() {
        let chosen = places.iter().map(|place| &shares[*place]);
        match slip39::combine(chosen, &Passphrase::empty()) {
            Ok(again) if again[..] == secret.expose()[..] => seen(),
            Ok(_) | Err(_) => return Err(DealError::Subset { places }),
        }
    }
    Ok(shares)
}

/// The SHA-256 of a share, as the manifest publishes it: of its words in lower case with one blank between.
pub fn digest(words: &SecretString) -> Digest {
    Digest::of(words.expose_secret().as_bytes())
}

/// A share that somebody gave.
pub struct GivenShare {
    /// Where it came from, to be named in an error.
    pub from: String,
    /// The share.
    pub share: Share,
}

/// Why shares do not open a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecombineError {
    /// Fewer than are needed.
    #[error("{found} of bundle {bundle}'s shares were given, and {needed} are needed")]
    TooFew {
        /// The bundle.
        bundle: BundleId,
        /// How many were given.
        found: usize,
        /// How many are needed.
        needed: u8,
        /// Who has the others.
        others: Vec<String>,
    },
    /// A share of another secret.
    #[error("the share from {from} is none of bundle {bundle}'s")]
    Foreign {
        /// The bundle.
        bundle: BundleId,
        /// Where it came from.
        from: String,
    },
    /// One share given twice.
    #[error("the share from {second} is that from {first}: both are number {number}, {custodian}'s")]
    Doubled {
        /// Where it came from first.
        first: String,
        /// Where it came from again.
        second: String,
        /// Its number.
        number: u8,
        /// Whose it is.
        custodian: String,
    },
    /// The shares are those of the manifest, and give nothing.
    #[error("the shares of bundle {bundle} do not fit together")]
    Combine {
        /// The bundle.
        bundle: BundleId,
        /// Why not.
        source: slip39::CombineError,
    },
    /// They give something that is no secret of a bundle.
    #[error("the shares of bundle {bundle} give no secret")]
    Secret {
        /// The bundle.
        bundle: BundleId,
        /// Why not.
        source: SecretError,
    },
}

impl Advice for RecombineError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::TooFew { others, .. } if !others.is_empty() => {
                Some(format!("ask one of {}", others.join(", ")))
            }
            Self::Foreign { .. } => Some(
                "it may be the share of an older bundle: 'keyrite-backup list' shows whose shares open which"
                    .to_owned(),
            ),
            Self::Doubled { .. } => Some("give each share once".to_owned()),
            Self::TooFew { .. } | Self::Combine { .. } | Self::Secret { .. } => None,
        }
    }

    /// Shares are what opens a bundle: too few or wrong ones are a refused credential.
    fn is_credential(&self) -> bool {
        match self {
            Self::TooFew { .. } | Self::Foreign { .. } | Self::Combine { .. } | Self::Secret { .. } => true,
            Self::Doubled { .. } => false,
        }
    }
}

/// Which of a bundle's shares this is; `None` if it is none of them.
pub fn number_of(manifest: &Manifest, share: &Share) -> Option<u8> {
    let digest = digest(&share.mnemonic());
    let mut entries = manifest.header.shares.iter();
    entries
        .find(|entry| entry.sha256 == digest)
        .map(|entry| entry.number)
}

/// Puts a bundle's secret together. Every share must be one that the manifest lists; none may be there twice; more than are needed are held
/// against each other.
pub fn recombine(manifest: &Manifest, given: &[GivenShare]) -> Result<BundleSecret, RecombineError> {
    let (header, bundle) = (&manifest.header, manifest.header.bundle);
    let mut seen: Vec<(u8, &GivenShare)> = Vec::new();
    for one in given {
        let number = number_of(manifest, &one.share).ok_or_else(|| RecombineError::Foreign {
            bundle,
            from: one.from.clone(),
        })?;
        if let Some((_, first)) = seen.iter().find(|(before, _)| *before == number) {
            return Err(RecombineError::Doubled {
                first: first.from.clone(),
                second: one.from.clone(),
                number,
                custodian: custodian(manifest, number),
            });
        }
        seen.push((number, one));
    }
    if seen.len() < usize::from(header.needed) {
        let has_given = |number: u8| seen.iter().any(|(given, _)| *given == number);
        let others = header.shares.iter().filter(|entry| !has_given(entry.number));
        return Err(RecombineError::TooFew {
            bundle,
            found: seen.len(),
            needed: header.needed,
            others: others.map(|entry| entry.custodian.to_string()).collect(),
        });
    }
    let shares = seen.iter().map(|(_, given)| &given.share);
    let bytes = slip39::combine(shares, &Passphrase::empty())
        .map_err(|source| RecombineError::Combine { bundle, source })?;
    BundleSecret::from_bytes(&bytes).map_err(|source| RecombineError::Secret { bundle, source })
}

fn custodian(manifest: &Manifest, number: u8) -> String {
    let mut entries = manifest.header.shares.iter();
    let entry = entries.find(|entry| entry.number == number);
    entry.map_or_else(String::new, |entry| entry.custodian.to_string())
}
