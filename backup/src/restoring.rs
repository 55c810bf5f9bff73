//! Opening bundles with the shares that were given, before anything of them reaches a token; and a key of them into one.

use backup::manifest::KeyEntry;
use backup::payload::CopyForm;
use backup::{
    BundleFolder, BundleId, BundleSecret, Bundles, GivenShare, KeyCopy, Payload, RecombineError, Verdict,
    check, recombine, shares,
};
use cli::{Exit, Failure, Outcome, Output};
use dnssec::{Copy, DUPLICATE, Duplicate, RecoverySecret, Restorer};
use key_metadata::{Advice, KeyRecord, SiteFolder, Time};
use secrecy::ExposeSecret;

use crate::make::opened;
use crate::officers::allowed_signers;
use crate::random::random;

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
    not_superseded(bundle, folder, although_expired, output)?;
    let holders = holders(bundle, folder)?;
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for share in given {
        let is_of = |holder: &&BundleFolder| shares::number_of(&holder.manifest, &share.share).is_some();
        match holders.iter().find(is_of).map(BundleFolder::id) {
            Some(id) => others.push((id, share)),
            // What belongs to none is told of by the bundle that was asked for.
            None => first.push(share),
        }
    }
    let secret = together(bundle, &first)?;
    let payload = opened(bundle, &secret)?;
    let mut parents = parents_in(bundle, &payload)?;
    for name in parents_needed(bundle) {
        if parents.iter().any(|(known, _)| *known == name) {
            continue;
        }
        // Of several that hold it (a rewrapped one and its successor) the one whose shares were given, else the newest.
        let given_for = |holder: &&BundleFolder| others.iter().filter(|(id, _)| *id == holder.id()).count();
        let has_it = |holder: &&BundleFolder| {
            holder
                .manifest
                .header
                .recovery_parents
                .iter()
                .any(|parent| parent.name == name)
        };
        let holder = holders
            .iter()
            .filter(has_it)
            .max_by_key(given_for)
            .ok_or_else(|| {
                let failure = Failure::new(
                    Exit::Failed,
                    format!("no bundle at hand has the recovery parent {name} of its native keys"),
                );
                failure.hint("put the bundle that 'keyrite-backup parent' made beside it".to_owned())
            })?;
        good(holder, folder, true, now, output)?;
        let (set, rest) = others.into_iter().partition(|(id, _)| *id == holder.id());
        others = rest;
        let set: Vec<(BundleId, GivenShare)> = set;
        let set: Vec<GivenShare> = set.into_iter().map(|(_, share)| share).collect();
        let secret = together(holder, &set).map_err(|failure| {
            failure.within(format!(
                "bundle {} has the recovery parent of its native keys",
                holder.id()
            ))
        })?;
        parents.extend(parents_in(holder, &opened(holder, &secret)?)?);
    }
    Ok(Opened { payload, parents })
}

/// Refuses a bundle that was set aside for a newer one that the site has: a copy of it may lie on any medium.
fn not_superseded(bundle: &BundleFolder, folder: &SiteFolder, although: bool, output: &Output) -> Outcome {
    let (id, bundles) = (bundle.id(), Bundles::of(folder));
    if bundles.ids()?.contains(&id) {
        return Ok(());
    }
    let mut all = bundles.all()?.into_iter().flatten();
    let Some(newer) = all.find(|newer| newer.manifest.header.replaces == Some(id)) else {
        return Ok(());
    };
    let text = format!("bundle {id} is superseded by bundle {}", newer.id());
    match although {
        true => {
            output.warn(text);
            Ok(())
        }
        false => {
            let failure = Failure::new(Exit::SaysNo, text);
            Err(failure
                .hint("restore from that one; --although-expired takes the old one all the same".to_owned()))
        }
    }
}

/// The secret that shares give. One that was given twice is a slip of whoever typed the command, and no credential that was refused.
fn together(bundle: &BundleFolder, given: &[GivenShare]) -> Outcome<BundleSecret> {
    recombine(&bundle.manifest, given).map_err(|error| match error {
        RecombineError::Doubled { .. } => Failure::of(Exit::Usage, &error).hint(error.hint()),
        error => Failure::from(error),
    })
}

/// The Names of the recovery parents that a bundle's native keys left for.
fn parents_needed(bundle: &BundleFolder) -> Vec<String> {
    let keys = bundle.manifest.header.keys.iter();
    let native = keys.filter(|key| key.mechanism == DUPLICATE);
    let mut names: Vec<String> = native.map(|key| key.flavour.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// The bundles that hold any of these parents, beside the bundle or in the site, oldest first.
fn holders(bundle: &BundleFolder, folder: &SiteFolder) -> Outcome<Vec<BundleFolder>> {
    let needed = parents_needed(bundle);
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = Bundles::of(folder).all()?;
    if let Some(beside) = bundle.path.parent() {
        all.extend(Bundles::at(beside).all()?);
    }
    let holds = |holder: &BundleFolder| {
        let mut parents = holder.manifest.header.recovery_parents.iter();
        parents.any(|parent| needed.contains(&parent.name))
    };
    let mut holders: Vec<BundleFolder> = all.into_iter().flatten().filter(holds).collect();
    holders.sort_by_key(|holder| (holder.manifest.header.created, holder.id()));
    holders.dedup_by_key(|holder| holder.id());
    Ok(holders)
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

/// Puts a key of a bundle into a token, and has it sign a nonce there; tells by what it came in.
pub fn give_back(
    entry: &KeyEntry,
    copy: &KeyCopy,
    record: &KeyRecord,
    parents: &[(String, RecoverySecret)],
    restorer: &mut Restorer<'_>,
) -> Outcome<String> {
    let copied = match &copy.form {
        CopyForm::Wrapped(wrapped) => Copy::Wrapped(wrapped.clone()),
        CopyForm::Duplicate {
            public,
            private,
            seed,
        } => Copy::Duplicate(Duplicate::from_parts(public, private, seed)?),
    };
    let parent = parents.iter().find(|(name, _)| *name == entry.flavour);
    Ok(restorer.restore(
        &copied,
        parent.map(|(_, secret)| secret),
        record,
        &copy.label,
        &*random::<32>()?,
    )?)
}
