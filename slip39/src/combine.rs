//! The secret from shares, or why they do not give it.

use std::collections::BTreeMap;

use key_metadata::Advice;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cipher::decrypt;
use crate::passphrase::Passphrase;
use crate::share::Share;
use crate::sharing::{self, Fault, Point};

/// Why shares do not give a secret. Positions are those in the list of shares, from zero; the texts count from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CombineError {
    /// No shares.
    #[error("there are no shares")]
    Empty,
    /// A share of another set than most of the others are of.
    #[error("share {} is of another set than the others", position + 1)]
    Foreign {
        /// The share.
        position: usize,
    },
    /// A share of another length than the others of the same set.
    #[error("share {} is not as long as the others", position + 1)]
    Lengths {
        /// The share.
        position: usize,
    },
    /// A share that says another threshold than an earlier one of its group.
    #[error("share {} says another threshold than the others of its group", position + 1)]
    MemberThresholds {
        /// The share.
        position: usize,
    },
    /// A share that is there twice.
    #[error("shares {} and {} are the same one", first + 1, second + 1)]
    Doubled {
        /// The share.
        first: usize,
        /// The same share.
        second: usize,
    },
    /// Two shares that say that they are the same one, with different values: at least one is forged, or of another set of the same
    /// identifier.
    #[error("shares {} and {} have the same place in the set and different values", first + 1, second + 1)]
    Contradiction {
        /// The one.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Fewer shares than the threshold, in a set of one group.
    #[error("{have} of the {need} shares that are needed are here")]
    TooFew {
        /// Shares that are here.
        have: usize,
        /// Shares that are needed.
        need: usize,
    },
    /// Shares of fewer groups than the threshold.
    #[error("shares of {have} of the {need} groups that are needed are here")]
    TooFewGroups {
        /// Groups that are here.
        have: usize,
        /// Groups that are needed.
        need: usize,
    },
    /// Fewer shares of a group than its threshold, in a set of several groups.
    #[error("{have} of the {need} shares that are needed of group {} are here", group + 1)]
    TooFewOfGroup {
        /// The group's index.
        group: u8,
        /// Shares of it that are here.
        have: usize,
        /// Shares of it that are needed.
        need: usize,
    },
    /// The shares give no secret with the right digest: at least one is forged, or of another set of the same identifier.
    #[error("the shares do not fit together: the digest of the secret is wrong")]
    Digest,
    /// As many shares as are needed fit together, and this one more does not: it is forged, or of another set of the same identifier.
    #[error("share {} does not fit the others, which give a secret", position + 1)]
    Disagrees {
        /// The share.
        position: usize,
    },
    /// As many groups as are needed fit together, and this one more does not.
    #[error("group {} does not fit the others, which give a secret", group + 1)]
    GroupDisagrees {
        /// The group's index.
        group: u8,
    },
}

impl Advice for CombineError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Empty | Self::TooFew { .. } | Self::TooFewGroups { .. } | Self::TooFewOfGroup { .. } => {
                Some("ask more custodians for their shares".to_owned())
            }
            Self::Foreign { .. } => Some("shares of one set begin with the same two words".to_owned()),
            Self::Doubled { .. } => Some("every share counts once; ask another custodian for one".to_owned()),
            Self::Lengths { .. }
            | Self::MemberThresholds { .. }
            | Self::Contradiction { .. }
            | Self::Digest
            | Self::Disagrees { .. }
            | Self::GroupDisagrees { .. } => {
                Some("find out where each share comes from; others of the set may give the secret without the wrong one".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Empty
            | Self::Foreign { .. }
            | Self::Lengths { .. }
            | Self::MemberThresholds { .. }
            | Self::Doubled { .. }
            | Self::Contradiction { .. }
            | Self::TooFew { .. }
            | Self::TooFewGroups { .. }
            | Self::TooFewOfGroup { .. }
            | Self::Digest
            | Self::Disagrees { .. }
            | Self::GroupDisagrees { .. } => false,
        }
    }
}

/// The secret that `shares` are of, in any order.
///
/// The specification takes exactly as many shares and groups as the thresholds say. More are taken here, and must then agree with each
/// other; a group of which some shares are there must be complete. Nothing tells a wrong passphrase: it gives another secret. The time
/// that it takes doubles with the shares' iteration exponent, which is theirs to say: milliseconds at 0, a minute or more at 15.
pub fn combine<'s>(
    shares: impl IntoIterator<Item = &'s Share>,
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, CombineError> {
    let shares: Vec<&Share> = shares.into_iter().collect();
    let shares = shares.as_slice();
    let set = most_of(shares).ok_or(CombineError::Empty)?;
    of_one_set(shares, set)?;
    let groups = groups(shares)?;
    let need = usize::from(set.common.group_threshold);
    if groups.len() < need {
        return Err(CombineError::TooFewGroups {
            have: groups.len(),
            need,
        });
    }
    let mut parts = Vec::with_capacity(groups.len());
    for (group, members) in &groups {
        parts.push((*group, part(set, *group, members)?));
    }
    let points: Vec<_> = parts
        .iter()
        .map(|(index, value)| Point { index: *index, value })
        .collect();
    let encrypted = sharing::recover(set.common.group_threshold, &points).map_err(|fault| match fault {
        Fault::TooFew => CombineError::TooFewGroups {
            have: points.len(),
            need,
        },
        Fault::Digest => CombineError::Digest,
        Fault::Disagrees(number) => match points.get(number) {
            Some(point) => CombineError::GroupDisagrees { group: point.index },
            None => CombineError::Digest,
        },
    })?;
    Ok(decrypt(&encrypted, passphrase, &set.common))
}

/// A share with its position.
struct Member<'a> {
    position: usize,
    share: &'a Share,
}

/// The first share of the set that most shares are of; of two sets that are as large, the one that comes first.
fn most_of<'s>(shares: &[&'s Share]) -> Option<&'s Share> {
    let count = |share: &Share| shares.iter().filter(|other| other.common == share.common).count();
    // The last of several largest ones, so the first.
    shares.iter().rev().copied().max_by_key(|share| count(share))
}

/// Whether all shares are of that set, and as long.
fn of_one_set(shares: &[&Share], set: &Share) -> Result<(), CombineError> {
    for (position, share) in shares.iter().enumerate() {
        if share.common != set.common {
            return Err(CombineError::Foreign { position });
        }
        if share.value.len() != set.value.len() {
            return Err(CombineError::Lengths { position });
        }
    }
    Ok(())
}

/// The shares by their groups, after a look whether any two of a group stand against each other.
fn groups<'s>(shares: &[&'s Share]) -> Result<BTreeMap<u8, Vec<Member<'s>>>, CombineError> {
    let mut groups: BTreeMap<u8, Vec<Member<'s>>> = BTreeMap::new();
    for (position, share) in shares.iter().enumerate() {
        let members = groups.entry(share.place.group_index).or_default();
        for other in members.iter() {
            beside(other, position, share)?;
        }
        members.push(Member { position, share });
    }
    Ok(groups)
}

/// Whether a share can stand beside another one of its group.
fn beside(other: &Member<'_>, position: usize, share: &Share) -> Result<(), CombineError> {
    let (first, second) = (other.position, position);
    if other.share.place.member_threshold != share.place.member_threshold {
        return Err(CombineError::MemberThresholds { position });
    }
    if other.share.place.member_index != share.place.member_index {
        return Ok(());
    }
    if bool::from(other.share.value.ct_eq(&share.value)) {
        return Err(CombineError::Doubled { first, second });
    }
    Err(CombineError::Contradiction { first, second })
}

/// A group's part of the secret.
fn part(set: &Share, group: u8, members: &[Member<'_>]) -> Result<Zeroizing<Vec<u8>>, CombineError> {
    let threshold = members
        .first()
        .map_or(1, |member| member.share.place.member_threshold);
    let points: Vec<_> = members
        .iter()
        .map(|member| Point {
            index: member.share.place.member_index,
            value: &member.share.value,
        })
        .collect();
    sharing::recover(threshold, &points).map_err(|fault| {
        let (have, need) = (members.len(), usize::from(threshold));
        match fault {
            Fault::TooFew if set.common.group_count == 1 => CombineError::TooFew { have, need },
            Fault::TooFew => CombineError::TooFewOfGroup { group, have, need },
            Fault::Digest => CombineError::Digest,
            Fault::Disagrees(number) => match members.get(number) {
                Some(member) => CombineError::Disagrees {
                    position: member.position,
                },
                None => CombineError::Digest,
            },
        }
    })
}
