//! Opening bundles with the shares that were given, before anything of them reaches a token.

use backup::{BundleFolder, BundleId, Bundles, GivenShare, Payload, Verdict, check, recombine, shares};
use cli::{Exit, Failure, Outcome, Output};
use dnssec::RecoverySecret;
use key_metadata::{SiteFolder, Time};
use secrecy::ExposeSecret;

use crate::make::opened;
use crate::officers::allowed_signers;

/// What restores keys, in this machine's memory.
pub struct Opened {
    pub payload: Payload,
    /// The recovery parents that are known, by their Names.
    pub parents: Vec<(String, RecoverySecret)>,
}

/// Refuses a bundle that is not as it was made, or that is past its time: before any share is looked at.
pub fn good(
    bundle: &BundleFolder,
    folder: &SiteFolder,
    although_expired: bool,
    now: Time,
    output: &Output,
) -> Outcome {
    let allowed = allowed_signers(folder)?;
    for finding in check(bundle, allowed.as_ref(), now) {
        match finding.verdict {
            Verdict::Pass => {}
            Verdict::Warn | Verdict::NotChecked => {
                output.warn(format!("{}: {}", finding.check, finding.text))
            }
            Verdict::Fail if finding.check == "dates" && although_expired => output.warn(finding.text),
            Verdict::Fail => {
                let failure = Failure::new(
                    Exit::SaysNo,
                    format!("bundle {} is not good: {}", bundle.id(), finding.text),
                );
                let hint = match finding.check {
                    "dates" => "--although-expired goes on, where there is no newer bundle",
                    _ => "take another copy of the bundle; nothing was restored",
                };
                return Err(failure.hint(hint.to_owned()));
            }
        }
    }
    Ok(())
}

/// Opens a bundle, and those of the recovery parents of its native keys.
pub fn open(
    bundle: &BundleFolder,
    given: Vec<GivenShare>,
    folder: &SiteFolder,
    although_expired: bool,
    now: Time,
    output: &Output,
) -> Outcome<Opened> {
    good(bundle, folder, although_expired, now, output)?;
    let mut others = Vec::new();
    for id in &bundle.manifest.header.opened_with {
        let other = beside(bundle, *id, folder)?;
        good(&other, folder, true, now, output)?;
        others.push(other);
    }
    let mut sets: Vec<Vec<GivenShare>> = Vec::new();
    sets.resize_with(1 + others.len(), Vec::new);
    for share in given {
        let of_other = |other: &BundleFolder| shares::number_of(&other.manifest, &share.share).is_some();
        // What belongs to none is told of by the bundle that was asked for.
        let place = others.iter().position(of_other).map_or(0, |place| place + 1);
        sets[place].push(share);
    }
    let mut sets = sets.into_iter();
    let first = sets.next().map_or_else(Vec::new, |set| set);
    let secret = recombine(&bundle.manifest, &first)?;
    let payload = opened(bundle, &secret)?;
    let mut parents = parents_in(bundle, &payload)?;
    for (other, set) in others.iter().zip(sets) {
        let secret = recombine(&other.manifest, &set).map_err(|error| {
            Failure::from(error).within(format!(
                "bundle {} has the recovery parent of its native keys",
                other.id()
            ))
        })?;
        parents.extend(parents_in(other, &opened(other, &secret)?)?);
    }
    Ok(Opened { payload, parents })
}

/// The bundle of that id beside another one, or in the site.
fn beside(bundle: &BundleFolder, id: BundleId, folder: &SiteFolder) -> Outcome<BundleFolder> {
    let beside = bundle.path.parent().map(|folder| folder.join(id.to_string()));
    match beside.filter(|path| path.is_dir()) {
        Some(path) => Ok(BundleFolder::open(&path)?),
        None => Ok(Bundles::of(folder).open(id)?),
    }
}

/// The private parts of recovery parents; each must be that of the Name in the manifest.
fn parents_in(bundle: &BundleFolder, payload: &Payload) -> Outcome<Vec<(String, RecoverySecret)>> {
    let entries = bundle
        .manifest
        .header
        .recovery_parents
        .iter()
        .zip(&payload.parents);
    let read = |(entry, copy): (&backup::manifest::ParentEntry, &backup::ParentCopy)| {
        let secret = RecoverySecret::from_pem(copy.private_key.expose_secret())?;
        match secret.parent().name().to_string() == entry.name {
            true => Ok((entry.name.clone(), secret)),
            false => Err(Failure::new(
                Exit::SaysNo,
                format!(
                    "the recovery parent in bundle {} is not the one of its manifest",
                    bundle.id()
                ),
            )),
        }
    };
    entries.map(read).collect()
}
