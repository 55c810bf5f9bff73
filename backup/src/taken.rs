//! Keys as they leave their tokens for a bundle.

use backup::manifest::{KeyEntry, TokenEntry};
use backup::payload::CopyForm;
use backup::{BundleId, BundleKind, Bundles, KeyCopy};
use cli::{Exit, Failure, Outcome, Output, Progress, SiteArguments};
use dnssec::AuthValue;
use dnssec::{DsDigest, KeyEncryptionKey, KeyRecords, LeftToken, NotCopied, SiteTokens};
use key_metadata::{Extractability, KeyRecord, KeyState, SiteFolder, TokenName, ZoneName};
use zeroize::Zeroizing;

use crate::make::Contents;
use crate::random::random;
use crate::tokens::open;

/// What can be backed up of a zone's keys, and what cannot, with the reason.
pub struct Chosen {
    pub keys: Vec<(ZoneName, KeyRecord)>,
    pub left_out: Vec<(String, &'static str)>,
}

/// The keys of the zones that a bundle can hold.
pub fn choose(folder: &SiteFolder, zones: &[ZoneName], wanted: Option<&str>) -> Outcome<Chosen> {
    let mut chosen = Chosen {
        keys: Vec::new(),
        left_out: Vec::new(),
    };
    for zone in zones {
        for key in folder.keys(zone)?.keys() {
            let is_wanted =
                |wanted: &str| wanted == key.key_tag().to_string() || wanted == key.id.to_string();
            if !wanted.is_none_or(is_wanted) {
                continue;
            }
            let name = format!("{zone} {} {}", key.role, key.key_tag());
            match (key.state, key.backup.extractability) {
                (KeyState::Destroyed, _) => {}
                (_, Extractability::Never) => chosen.left_out.push((name, "it was made with --backup none")),
                (_, Extractability::Wrapped) => chosen.keys.push((zone.clone(), key.clone())),
            }
        }
    }
    Ok(chosen)
}

/// Takes copies of the keys, each proved before it is kept.
pub fn take(
    keys: &[(ZoneName, KeyRecord)],
    site: &SiteArguments,
    folder: &SiteFolder,
    tokens: &mut SiteTokens<'_>,
    owner: Option<&AuthValue>,
    output: &Output,
) -> Outcome<Contents> {
    let kek = KeyEncryptionKey::new(random()?);
    let mut contents = Contents {
        kind: BundleKind::Keys,
        replaces: None,
        kek: None,
        keys: Vec::new(),
        parents: Vec::new(),
        opened_with: Vec::new(),
        tokens: Vec::new(),
    };
    let mut names: Vec<TokenName> = Vec::new();
    for (_, key) in keys {
        let name = tokens.token_of(key)?;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let progress = Progress::new("taking copies", keys.len() as u64);
    for name in &names {
        open(tokens, site, folder, name)?;
        let facts = tokens.facts(name)?;
        let facts = TokenEntry {
            name: name.clone(),
            make: ascii(&facts.make),
            serial: ascii(&facts.serial),
            firmware: ascii(&facts.firmware),
        };
        let mut copier = tokens.copier(name, &kek, owner)?;
        let mut own: Vec<&(ZoneName, KeyRecord)> = Vec::new();
        for one in keys {
            if tokens.token_of(&one.1)? == name {
                own.push(one);
            }
        }
        let records: Vec<&KeyRecord> = own.iter().map(|(_, key)| key).collect();
        let left = copier.copies(&records, || progress.step());
        let left =
            left.map_err(
                |NotCopied { id, source }| match own.iter().find(|(_, key)| key.id == id) {
                    Some(one) => not(one, (*source).into()),
                    None => (*source).into(),
                },
            )?;
        for (one, left) in own.into_iter().zip(left) {
            let taken = taken(one, left, &facts).map_err(|failure| not(one, failure))?;
            contents.keys.push(taken);
        }
    }
    drop(progress);
    if contents
        .keys
        .iter()
        .any(|(_, copy)| matches!(copy.form, CopyForm::Wrapped(_)))
    {
        contents.kek = Some(Zeroizing::new(*kek.expose()));
    }
    contents.opened_with = parents_of(folder, &names, &contents, output)?;
    contents.tokens = names;
    Ok(contents)
}

fn not((zone, key): &(ZoneName, KeyRecord), failure: Failure) -> Failure {
    failure.within(format!("{zone} {} {} was not backed up", key.role, key.key_tag()))
}

fn taken(
    (zone, key): &(ZoneName, KeyRecord),
    left: LeftToken,
    token: &TokenEntry,
) -> Outcome<(KeyEntry, KeyCopy)> {
    let algorithm = key.algorithm().made().ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("Keyrite does not sign with {}", key.algorithm()),
        )
    })?;
    let LeftToken {
        mechanism,
        flavour,
        label,
        copy,
    } = left;
    let form = match copy {
        dnssec::Copy::Wrapped(wrapped) => CopyForm::Wrapped(wrapped),
        dnssec::Copy::Duplicate(duplicate) => CopyForm::Duplicate {
            public: duplicate.public_part(),
            private: duplicate.duplicate_part(),
            seed: duplicate.seed_part(),
        },
    };
    let spki = key
        .public_key
        .spki_sha256()
        .map_err(|error| Failure::of(Exit::Failed, &error))?;
    let ds = match key.role.signs_dnskey() {
        true => KeyRecords::new(zone, key)
            .and_then(|records| records.ds(0, DsDigest::Sha256))
            .and_then(|record| Some(record.split_once(" DS ")?.1.to_owned())),
        false => None,
    };
    let entry = KeyEntry {
        zone: zone.clone(),
        id: key.id,
        role: key.role,
        algorithm,
        bits: key.public_key.bits(),
        key_tag: key.key_tag(),
        public_key: key.public_key.as_dnskey().to_vec(),
        ds,
        spki_sha256: spki.parse().map_err(|error| Failure::of(Exit::Failed, &error))?,
        token: token.clone(),
        mechanism,
        flavour,
        copy_sha256: form.digest(),
    };
    let copy = KeyCopy {
        id: key.id,
        zone: zone.clone(),
        role: key.role,
        label,
        form,
    };
    Ok((entry, copy))
}

/// The bundles that hold the private parts of the recovery parents that native keys left for.
fn parents_of(
    folder: &SiteFolder,
    tokens: &[TokenName],
    contents: &Contents,
    output: &Output,
) -> Outcome<Vec<BundleId>> {
    let mut wanted: Vec<&str> = contents
        .keys
        .iter()
        .filter(|(_, copy)| matches!(copy.form, CopyForm::Duplicate { .. }))
        .map(|(entry, _)| entry.flavour.as_str())
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = Vec::new();
    for bundle in Bundles::of(folder).all()? {
        let bundle = match bundle {
            Ok(bundle) => bundle,
            Err(error) => {
                output.warn(Failure::from(error).in_a_line());
                continue;
            }
        };
        let parents = &bundle.manifest.header.recovery_parents;
        if parents
            .iter()
            .any(|parent| wanted.contains(&parent.name.as_str()))
        {
            found.push((
                bundle.id(),
                parents
                    .iter()
                    .map(|parent| parent.name.clone())
                    .collect::<Vec<_>>(),
            ));
        }
    }
    for name in wanted {
        if !found
            .iter()
            .any(|(_, names)| names.iter().any(|parent| parent == name))
        {
            let tokens: Vec<_> = tokens.iter().map(ToString::to_string).collect();
            let failure = Failure::new(
                Exit::Failed,
                format!(
                    "no bundle of the site has the private part of the recovery parent of {}",
                    tokens.join(", ")
                ),
            );
            return Err(failure
                .hint("put the bundle that 'keyrite-backup parent' made back into backups/".to_owned()));
        }
    }
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

/// What a token says of itself, without what a manifest cannot hold.
fn ascii(text: &str) -> String {
    text.chars()
        .filter(|letter| matches!(letter, ' '..='~'))
        .collect::<String>()
        .trim()
        .to_owned()
}
