//! A custodian's proof that a share is still there (D1): a text that the custodian signs, and the challenge that it answers.

use std::fmt;

use key_metadata::site::SiteWord;
use key_metadata::{Digest, Time};
use secrecy::SecretString;

use crate::bundle_id::BundleId;
use crate::commitment::{DRILLS, Reveal};
use crate::manifest::Manifest;

/// For what a custodian's key signs it (the namespace of SSHSIG).
pub const NAMESPACE: &str = "drill@keyrite";
/// The first line of a proof.
const TITLE: &str = "keyrite proof of a share, version 1";
/// The first line of the signature that follows it.
const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----";
/// The largest proof that is read, in bytes.
pub const LARGEST: usize = 64 << 10;

/// What custodians are asked: a nonce that nobody could know before, and which drill this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The bundle.
    pub bundle: BundleId,
    /// The drill's number, from 1: of each only one value is ever revealed.
    pub drill: u8,
    /// 32 random bytes.
    pub nonce: Digest,
}

/// A proof, without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What was asked.
    pub challenge: Challenge,
    /// The share's number.
    pub share: u8,
    /// Whose it is, by the name in `allowed_signers`.
    pub custodian: SiteWord,
    /// When it was made.
    pub at: Time,
    /// What was revealed.
    pub value: Reveal,
}

/// Why a text is no proof, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Not the text that it must be.
    #[error("line {line} of the proof is not '{expected}'")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Too large, or not ASCII.
    #[error("the proof is no text of at most {LARGEST} bytes in ASCII")]
    Text,
    /// Another bundle's.
    #[error("the proof is of bundle {found}, not of {expected}")]
    OtherBundle {
        /// The bundle that it is of.
        found: BundleId,
        /// The bundle that was asked for.
        expected: BundleId,
    },
    /// An answer to something else than what was asked.
    #[error("the proof answers another challenge than the one of drill {drill}")]
    OtherChallenge {
        /// The drill that was asked for.
        drill: u8,
    },
    /// Not the custodian's share.
    #[error("share {share} of bundle {bundle} is not {custodian}'s")]
    NotTheirs {
        /// The bundle.
        bundle: BundleId,
        /// The share's number.
        share: u8,
        /// Who claims it.
        custodian: SiteWord,
    },
    /// What was revealed is not what the manifest has.
    #[error("what {custodian} revealed is not that of share {share}")]
    Wrong {
        /// The share's number.
        share: u8,
        /// Who revealed it.
        custodian: SiteWord,
    },
    /// The drill has a number that no bundle has.
    #[error("a bundle has drills 1 to {DRILLS}, not {0}")]
    Drill(u8),
    /// The share is none of the bundle's.
    #[error("this share is none of bundle {0}'s")]
    Foreign(BundleId),
}

impl Challenge {
    /// Reads what [`fmt::Display`] writes: bundle, drill and nonce with colons between.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, ':');
        let (bundle, drill, nonce) = (parts.next()?, parts.next()?, parts.next()?);
        let challenge = Self {
            bundle: bundle.parse().ok()?,
            drill: drill.parse().ok()?,
            nonce: nonce.parse().ok()?,
        };
        (challenge.to_string() == text.trim()).then_some(challenge)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.bundle, self.drill, self.nonce)
    }
}

impl Proof {
    /// The proof that answers a challenge with a share's words.
    pub fn answer(
        manifest: &Manifest,
        challenge: Challenge,
        words: &SecretString,
        at: Time,
    ) -> Result<Self, ProofError> {
        let bundle = manifest.header.bundle;
        if challenge.bundle != bundle {
            return Err(ProofError::OtherBundle {
                found: challenge.bundle,
                expected: bundle,
            });
        }
        if challenge.drill == 0 || challenge.drill > DRILLS {
            return Err(ProofError::Drill(challenge.drill));
        }
        let digest = crate::shares::digest(words);
        let mut shares = manifest.header.shares.iter();
        let entry = shares.find(|share| share.sha256 == digest);
        let entry = entry.ok_or(ProofError::Foreign(bundle))?;
        let proof = Self {
            challenge,
            share: entry.number,
            custodian: entry.custodian.clone(),
            at,
            value: Reveal::of(words, bundle, entry.number, challenge.drill),
        };
        proof.check(manifest, challenge)?;
        Ok(proof)
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let Challenge { bundle, drill, nonce } = self.challenge;
        format!(
            "{TITLE}\nbundle: {bundle}\ndrill: {drill}\nnonce: {nonce}\nshare: {}\ncustodian: {}\nat: {}\nvalue: {}\n",
            self.share,
            self.custodian,
            self.at,
            hex::encode(self.value.0)
        )
    }

    /// Reads a proof and the armoured signature that follows it; the signature is not verified here.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ProofError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProofError::Text)?;
        if text.len() > LARGEST || !text.is_ascii() {
            return Err(ProofError::Text);
        }
        let end = text.find(SIGNATURE).ok_or(ProofError::Line {
            line: 9,
            expected: SIGNATURE,
        })?;
        let (signed, signature) = text.split_at(end);
        let lines: Vec<&str> = signed.lines().collect();
        let field = |line: usize, expected: &'static str| {
            let wrong = ProofError::Line {
                line: line + 1,
                expected,
            };
            let text = lines.get(line).and_then(|text| text.strip_prefix(expected));
            text.ok_or(wrong)
        };
        let malformed = |line: usize, expected: &'static str| ProofError::Line {
            line: line + 1,
            expected,
        };
        field(0, TITLE)?;
        let challenge = Challenge {
            bundle: field(1, "bundle: ")?
                .parse()
                .map_err(|_| malformed(1, "bundle: "))?,
            drill: field(2, "drill: ")?
                .parse()
                .map_err(|_| malformed(2, "drill: "))?,
            nonce: field(3, "nonce: ")?
                .parse()
                .map_err(|_| malformed(3, "nonce: "))?,
        };
        let mut value = [0; 32];
        hex::decode_to_slice(field(7, "value: ")?, &mut value).map_err(|_| malformed(7, "value: "))?;
        let proof = Self {
            challenge,
            share: field(4, "share: ")?
                .parse()
                .map_err(|_| malformed(4, "share: "))?,
            custodian: field(5, "custodian: ")?
                .parse()
                .map_err(|_| malformed(5, "custodian: "))?,
            at: field(6, "at: ")?.parse().map_err(|_| malformed(6, "at: "))?,
            value: Reveal(value),
        };
        // Anything else, such as a field in another spelling, is not what was signed by this tool.
        match proof.to_text() == signed {
            true => Ok((proof, signature.as_bytes())),
            false => Err(malformed(lines.len(), SIGNATURE)),
        }
    }

    /// Whether it answers that challenge, with the value that the manifest expects of that custodian.
    pub fn check(&self, manifest: &Manifest, asked: Challenge) -> Result<(), ProofError> {
        let bundle = manifest.header.bundle;
        if self.challenge.bundle != bundle {
            return Err(ProofError::OtherBundle {
                found: self.challenge.bundle,
                expected: bundle,
            });
        }
        if self.challenge != asked {
            return Err(ProofError::OtherChallenge { drill: asked.drill });
        }
        let (share, custodian) = (self.share, self.custodian.clone());
        let mut entries = manifest.header.shares.iter();
        let entry = entries.find(|entry| entry.number == share && entry.custodian == custodian);
        let Some(entry) = entry else {
            return Err(ProofError::NotTheirs {
                bundle,
                share,
                custodian,
            });
        };
        let expected = usize::from(asked.drill)
            .checked_sub(1)
            .and_then(|place| entry.drills.get(place))
            .ok_or(ProofError::Drill(asked.drill))?;
        match self.value.commitment() == *expected {
            true => Ok(()),
            false => Err(ProofError::Wrong { share, custodian }),
        }
    }
}
