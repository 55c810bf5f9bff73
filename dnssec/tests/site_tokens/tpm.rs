//! Native keys of a software TPM.

use std::fs;
use std::path::Path;

use key_metadata::{Advice, Algorithm, Extractability, KeySpec, SiteFolder, verifies};
use keyrite_dnssec::{BackupProof, Family, KeyPlace, Likeness, Presence, SiteTokenError, SiteTokens};
use sandbox::{Swtpm, software_key};

use crate::{Body, Outcome, id, name, owner, pin, proves, record, site};

pub const TESTS: &[(&str, Body)] = &[
    ("tpm: an inventory has the files that belong to it", listed),
    ("tpm: what a killed program left is told and destroyed", recovered),
    ("tpm: a key from outside is taken, once", imported),
    (
        "tpm: without a recovery parent no key is made for a backup",
        no_parent,
    ),
    (
        "tpm: keys leave to the recovery parent, and a spare TPM signs with them",
        backup,
    ),
    (
        "tpm: the recovery parent's file is read strictly and not replaced",
        parent_file,
    ),
];

/// A TPM with a storage root key.
fn started(state: &Path) -> Result<Swtpm, Box<dyn std::error::Error>> {
    let swtpm = Swtpm::start(state)?;
    tpm::Tpm::connect(&swtpm.tcti().parse()?)?.ensure_srk(None)?;
    Ok(swtpm)
}

fn one_tpm(folder: &Path) -> Result<(Swtpm, SiteFolder), Box<dyn std::error::Error>> {
    let swtpm = started(&folder.join("tpm"))?;
    let site = site(folder, &[("one", format!("tpm2:{}", swtpm.tcti()))])?;
    Ok((swtpm, site))
}

fn listed(folder: &Path) -> Outcome {
    let others = started(&folder.join("other"))?;
    let foreign = {
        let other = tpm::Tpm::connect(&others.tcti().parse()?)?;
        other.create_key(KeySpec::new(Algorithm::EcdsaP256Sha256, None)?, None)?
    };
    let (_swtpm, site) = one_tpm(folder)?;
    let one = name("one")?;
    let mut tokens = SiteTokens::new(&site);
    tokens.open(&one, pin())?;
    assert!(tokens.keys_in(&one)?.keys.is_empty(), "there is no folder yet");
    let mut keys = Vec::new();
    for (number, algorithm) in [(1, Algorithm::RsaSha256), (2, Algorithm::EcdsaP256Sha256)] {
        let spec = KeySpec::new(algorithm, None)?;
        let (public, reference) = tokens.generate(&one, spec, id(number), &owner(), Extractability::Never)?;
        keys.push(record(id(number), public, reference)?);
    }
    let place = |number| site.tpm_key_path(id(number));
    fs::write(place(3), foreign.to_bytes())?;
    let whole = fs::read(place(1))?;
    fs::write(place(4), &whole[..whole.len() - 1])?;
    // A copy under a name that is no key's, and a file of another kind.
    fs::rename(place(2), site.path("keys/tpm/restored.tpm"))?;
    fs::write(site.path("keys/tpm/README"), "not a key")?;

    let listed = tokens.keys_in(&one)?;
    let places: Vec<_> = listed.keys.iter().map(|key| key.place.clone()).collect();
    let expected = [
        KeyPlace::Tpm {
            path: place(1),
            id: Some(id(1)),
        },
        KeyPlace::Tpm {
            path: site.path("keys/tpm/restored.tpm"),
            id: None,
        },
    ];
    assert_eq!(places, expected);
    assert_eq!(listed.keys[0].family, Family::Rsa { bits: 2048 });
    assert_eq!(listed.keys[0].is_of(&keys[0].public_key), Likeness::Same);
    assert_eq!(listed.keys[0].is_of(&keys[1].public_key), Likeness::Other);
    assert_eq!(listed.of_other_tpms, [place(3)]);
    let [unreadable] = listed.unreadable.as_slice() else {
        return Err("one file is damaged".into());
    };
    assert_eq!(
        unreadable.to_string(),
        format!("cannot use {}", place(4).display())
    );

    assert!(proves(&tokens, "one", &keys[0])?);
    assert!(
        proves(&tokens, "one", &keys[1])?,
        "found by its public half, not by its file's name"
    );
    assert!(tokens.signing_key(&keys[1]).is_err());
    let mut damaged = keys[1].clone();
    fs::remove_file(site.path("keys/tpm/restored.tpm"))?;
    assert!(!proves(&tokens, "one", &damaged)?);
    damaged.id = id(4);
    let told = tokens.signing_key_in(&one, &damaged);
    assert!(
        matches!(told, Err(SiteTokenError::BlobContent { .. })),
        "{told:?}"
    );
    Ok(())
}

fn recovered(folder: &Path) -> Outcome {
    let (_swtpm, site) = one_tpm(folder)?;
    let one = name("one")?;
    let mut tokens = SiteTokens::new(&site);
    tokens.open(&one, pin())?;
    assert_eq!(tokens.find(&one, id(1))?, Presence::Absent);
    assert_eq!(tokens.destroy_by(&one, id(1))?, Presence::Absent);
    let missing = tokens.public_key_of(&one, &id(1).into(), Algorithm::Ed25519);
    assert!(
        matches!(missing, Err(SiteTokenError::NoBlob { .. })),
        "{missing:?}"
    );
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    let (public, _) = tokens.generate(&one, spec, id(1), &owner(), Extractability::Never)?;
    assert_eq!(tokens.find(&one, id(1))?, Presence::Whole);
    assert_eq!(
        tokens.public_key_of(&one, &id(1).into(), spec.algorithm())?,
        public
    );
    assert_eq!(tokens.destroy_by(&one, id(1))?, Presence::Whole);
    assert!(!site.tpm_key_path(id(1)).exists());
    fs::write(site.tpm_key_path(id(2)), "damaged")?;
    assert!(tokens.destroy_by(&one, id(2)).is_err() && site.tpm_key_path(id(2)).exists());
    Ok(())
}

fn imported(folder: &Path) -> Outcome {
    let (_swtpm, site) = one_tpm(folder)?;
    let one = name("one")?;
    let mut tokens = SiteTokens::new(&site);
    tokens.open(&one, pin())?;
    for (number, (algorithm, bits)) in
        (1..).zip([(Algorithm::RsaSha256, 2048), (Algorithm::EcdsaP256Sha256, 256)])
    {
        let outside = software_key(algorithm, bits)?;
        let import = |extractability| tokens.import(&one, &outside, id(number), &owner(), extractability);
        assert!(matches!(
            import(Extractability::Wrapped),
            Err(SiteTokenError::NoRecoveryParent(_))
        ));
        let (public, reference) = import(Extractability::Never)?;
        assert_eq!(tokens.public_key_of(&one, &id(number).into(), algorithm)?, public);
        let key = record(id(number), public, reference)?;
        tokens.signing_key(&key)?.prove(&key.public_key, b"a nonce")?;
        assert!(proves(&tokens, "one", &key)?);
        let again = import(Extractability::Never);
        assert!(
            matches!(again, Err(SiteTokenError::BlobThere { .. })),
            "{again:?}"
        );
    }
    Ok(())
}

fn no_parent(folder: &Path) -> Outcome {
    let (_swtpm, site) = one_tpm(folder)?;
    let one = name("one")?;
    let mut tokens = SiteTokens::new(&site);
    tokens.open(&one, pin())?;
    let Err(error) = tokens.backup_capability(&one, KeySpec::ALL[0]) else {
        return Err("there is no recovery parent".into());
    };
    assert_eq!(
        error.to_string(),
        "a native key in TPM 'one' leaves it only to a recovery parent, and this site has none"
    );
    assert!(error.hint().is_some_and(
        |hint| hint.contains("keyrite-backup parent --token one") && hint.contains("--backup none")
    ));
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    let made = tokens.generate(&one, spec, id(1), &owner(), Extractability::Wrapped);
    assert!(
        matches!(made, Err(SiteTokenError::NoRecoveryParent(_))),
        "{made:?}"
    );
    assert!(!site.tpm_key_path(id(1)).exists());
    Ok(())
}

fn recovery(byte: u8) -> Result<tpm::RecoverySecret, Box<dyn std::error::Error>> {
    Ok(tpm::RecoverySecret::from_bytes(vec![byte; 32].into())?)
}

/// With a recovery parent keys leave the TPM, and a second TPM of the site signs with them.
fn backup(folder: &Path) -> Outcome {
    let (swtpm, spare) = (started(&folder.join("tpm"))?, started(&folder.join("spare"))?);
    let addresses = [&swtpm, &spare].map(|tpm| format!("tpm2:{}", tpm.tcti()));
    let [first, second] = addresses;
    let site = site(folder, &[("one", first), ("spare", second)])?;
    let (one, secret) = (name("one")?, recovery(7)?);
    secret
        .parent()
        .write_to_site(&site, &one, &site.lock_tpm(&one)?)?;
    let mut keys = Vec::new();
    {
        let mut tokens = SiteTokens::new(&site);
        tokens.open(&one, pin())?;
        for (number, algorithm) in [(1, Algorithm::RsaSha256), (2, Algorithm::EcdsaP256Sha256)] {
            let spec = KeySpec::new(algorithm, None)?;
            let proof = tokens.backup_capability(&one, spec)?;
            assert!(matches!(proof, BackupProof::Duplicated(_)) && proof.spec() == spec);
            assert_eq!(tokens.backup_capability(&one, spec)?, proof);
            let (public, reference) =
                tokens.generate(&one, spec, id(number), &owner(), Extractability::Wrapped)?;
            keys.push(record(id(number), public, reference)?);
        }
        let outside = software_key(Algorithm::EcdsaP256Sha256, 256)?;
        let (public, reference) = tokens.import(&one, &outside, id(3), &owner(), Extractability::Wrapped)?;
        keys.push(record(id(3), public, reference)?);
        let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
        tokens.generate(&one, spec, id(4), &owner(), Extractability::Never)?;
        let listed = tokens.keys_in(&one)?;
        let extractable: Vec<_> = listed.keys.iter().map(|key| key.extractable).collect();
        assert_eq!(extractable, [Some(true), Some(true), Some(true), Some(false)]);
        assert!(
            tokens
                .backup_capability(&one, KeySpec::new(Algorithm::Ed25519, None)?)
                .is_err()
        );
    }
    let (there, here) = (
        tpm::Tpm::connect(&swtpm.tcti().parse()?)?,
        tpm::Tpm::connect(&spare.tcti().parse()?)?,
    );
    for key in keys {
        let blob = tpm::KeyBlob::from_bytes(&fs::read(site.tpm_key_path(key.id))?)?;
        let backup = there.duplicate(&blob, secret.parent(), None)?;
        let auth = pin();
        let restored = here.restore(&backup, &secret, Some(&auth))?;
        let algorithm = key.public_key.algorithm().made().ok_or("a key of ours")?;
        let signature = here.load(&restored, Some(&auth))?.sign(algorithm, b"data")?;
        assert!(verifies(&key.public_key, b"data", &signature));
    }
    Ok(())
}

/// The file of the recovery parent.
fn parent_file(folder: &Path) -> Outcome {
    let (_swtpm, site) = one_tpm(folder)?;
    let (one, first, other) = (name("one")?, recovery(7)?, recovery(8)?);
    assert_eq!(tpm::RecoveryParent::of_site(&site, &one)?, None);
    let lock = site.lock_tpm(&one)?;
    for _ in 0..2 {
        first.parent().write_to_site(&site, &one, &lock)?;
        let there = tpm::RecoveryParent::of_site(&site, &one)?;
        assert_eq!(there.as_ref(), Some(first.parent()));
    }
    let path = site.tpm_path(&one, "recovery-parent.tpm");
    assert_eq!(fs::read(&path)?, first.parent().to_bytes());
    let Err(error) = other.parent().write_to_site(&site, &one, &lock) else {
        return Err("another one is there".into());
    };
    assert!(
        matches!(error, tpm::ParentFileError::AnotherThere { .. }) && error.hint().is_some(),
        "{error}"
    );
    fs::write(&path, "damaged")?;
    let Err(error) = tpm::RecoveryParent::of_site(&site, &one) else {
        return Err("it is damaged".into());
    };
    assert_eq!(error.to_string(), format!("cannot use {}", path.display()));
    let mut tokens = SiteTokens::new(&site);
    tokens.open(&one, pin())?;
    assert!(tokens.backup_capability(&one, KeySpec::ALL[0]).is_err());
    Ok(())
}
