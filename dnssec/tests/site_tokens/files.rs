//! Keys in files, of a laboratory.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use key_metadata::{Algorithm, Extractability, KeyRecord, KeyReference, KeySpec, SiteFolder};
use keyrite_dnssec::{KeyPlace, Likeness, Presence, SiteTokenError, SiteTokens};

use crate::{Body, Outcome, id, name, owner, record};

pub const TESTS: &[(&str, Body)] = &[
    (
        "files: a key of every algorithm is made, found, signs on many threads, and is destroyed",
        life,
    ),
    ("files: every damage is refused, by its file and field", damaged),
    ("files: what tokens do for a backup is refused by name", no_backup),
];

const FOLDER: &str = "laboratory/keys";

fn laboratory(folder: &Path) -> Result<SiteFolder, Box<dyn Error>> {
    let text = format!(
        "version: 1\npurpose: laboratory\ntokens:\n  lab: {{address: \"file:{FOLDER}\"}}\nzones: {{}}\n"
    );
    fs::write(folder.join("site.yaml"), text)?;
    Ok(SiteFolder::open(folder)?)
}

/// Opened without a PIN: whoever asks for one fails.
fn open(site: &SiteFolder) -> Result<SiteTokens<'_>, Box<dyn Error>> {
    let mut tokens = SiteTokens::new(site);
    let lab = name("lab")?;
    let asked = SiteTokenError::NotOpen(lab.clone());
    tokens.open_with(&lab, |_| Err(asked))?;
    Ok(tokens)
}

fn make(tokens: &SiteTokens<'_>, number: u8, algorithm: Algorithm) -> Result<KeyRecord, Box<dyn Error>> {
    let spec = KeySpec::new(algorithm, None)?;
    let (public, reference) =
        tokens.generate(&name("lab")?, spec, id(number), &owner(), Extractability::Never)?;
    record(id(number), public, reference)
}

fn file(site: &SiteFolder, key: &KeyRecord, suffix: &str) -> Result<PathBuf, Box<dyn Error>> {
    let KeyReference::File(_, stem) = &key.reference else {
        return Err(format!("{} leads to no file", key.reference).into());
    };
    Ok(site.path(FOLDER).join(format!("{stem}{suffix}")))
}

fn refused(tokens: &SiteTokens<'_>, key: &KeyRecord) -> Result<String, Box<dyn Error>> {
    match tokens.signing_key(key) {
        Ok(_) => Err(format!("{} was taken", key.reference).into()),
        Err(error) => Ok(error.to_string()),
    }
}

fn life(folder: &Path) -> Outcome {
    let (site, lab) = (laboratory(folder)?, name("lab")?);
    let tokens = open(&site)?;
    for (number, algorithm) in (1..).zip(Algorithm::ALL) {
        let key = make(&tokens, number, algorithm)?;
        let private = file(&site, &key, ".private")?;
        assert_eq!(fs::metadata(&private)?.permissions().mode() & 0o7777, 0o600);
        assert_eq!(
            fs::metadata(site.path(FOLDER))?.permissions().mode() & 0o7777,
            0o700
        );

        let signing = tokens.signing_key(&key)?;
        thread::scope(|scope| -> Outcome {
            let signer = |thread: u8| {
                let (signing, key) = (&signing, &key);
                scope.spawn(move || {
                    (0..9).try_for_each(|turn| signing.prove(&key.public_key, &[thread, turn]))
                })
            };
            let threads: Vec<_> = (0..4).map(signer).collect();
            for thread in threads {
                thread.join().map_err(|_| "a thread failed")??;
            }
            Ok(())
        })?;
        let other = Algorithm::ALL
            .into_iter()
            .find(|other| *other != algorithm)
            .ok_or("one")?;
        assert!(signing.sign(other, b"data").is_err());

        assert_eq!(tokens.find(&lab, key.id)?, Presence::Whole);
        assert_eq!(
            tokens.made(&lab, key.id, algorithm)?,
            (key.public_key.clone(), key.reference.clone())
        );
        let listed = tokens.keys_in(&lab)?;
        assert!(listed.unreadable.is_empty());
        let same = listed
            .keys
            .iter()
            .find(|found| found.is_of(&key.public_key) == Likeness::Same);
        let same = same.ok_or("it is not listed")?;
        assert!(matches!(&same.place, KeyPlace::File { path, .. } if *path == private));
        assert_eq!((same.has_private, same.sensitive), (true, Some(false)));
        assert!(tokens.signing_key_in(&lab, &key)?.is_some());

        // A run that was killed between the two files left the public one.
        fs::remove_file(&private)?;
        assert_eq!(tokens.presence_of(&key)?, Presence::PublicOnly);
        assert!(refused(&tokens, &key)?.contains(".private is not there"));
        assert_eq!(tokens.destroy_by(&lab, key.id)?, Presence::PublicOnly);
        assert_eq!(tokens.presence_of(&key)?, Presence::Absent);
        assert_eq!(tokens.find(&lab, key.id)?, Presence::Absent);
    }
    let key = make(&tokens, 9, Algorithm::Ed25519)?;
    tokens.destroy(&key)?;
    assert!(!file(&site, &key, ".key")?.exists() && !file(&site, &key, ".private")?.exists());
    Ok(())
}

fn damaged(folder: &Path) -> Outcome {
    let site = laboratory(folder)?;
    let tokens = open(&site)?;
    for (number, algorithm) in (1..).zip([
        Algorithm::EcdsaP256Sha256,
        Algorithm::RsaSha256,
        Algorithm::Ed25519,
    ]) {
        let key = make(&tokens, number, algorithm)?;
        let (private, public) = (file(&site, &key, ".private")?, file(&site, &key, ".key")?);
        let (good, good_public) = (fs::read_to_string(&private)?, fs::read_to_string(&public)?);

        // One character of each number, so that one or two octets of it are others.
        let is_time = |line: &&str| {
            ["Created", "Publish:", "Activate"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        let numbers: Vec<_> = good
            .lines()
            .skip(2)
            .filter(|line| !is_time(line) && line.len() > 40)
            .collect();
        assert!(!numbers.is_empty());
        for line in numbers {
            let place = line.find(": ").ok_or("no value")? + 12;
            let other = if line.as_bytes()[place] == b'A' { "B" } else { "A" };
            let flipped = format!("{}{other}{}", &line[..place], &line[place + 1..]);
            fs::write(&private, good.replace(line, &flipped))?;
            let error = refused(&tokens, &key)?;
            assert!(error.contains(&private.display().to_string()), "{error}");
            let shown = &flipped[place - 8..place + 8];
            assert!(!error.contains(shown), "{error}");
        }
        for length in [0, 10, 60, good.len() / 2] {
            fs::write(&private, &good[..length])?;
            let error = refused(&tokens, &key)?;
            assert!(error.contains(".private"), "{length}: {error}");
        }
        fs::write(&private, &good)?;
        fs::set_permissions(&private, fs::Permissions::from_mode(0o644))?;
        assert!(refused(&tokens, &key)?.ends_with("others can read it (mode 644)"));
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600))?;
        fs::write(&public, good_public.replace("cr. IN", "fi.cr. IN"))?;
        let error = refused(&tokens, &key)?;
        assert!(error.contains(&public.display().to_string()), "{error}");
        fs::write(&public, &good_public)?;
        tokens.signing_key(&key)?.prove(&key.public_key, b"a nonce")?;
    }

    // The private half of another key, and then all of another key under this one's name.
    let [one, two] = [7, 8].map(|number| make(&tokens, number, Algorithm::EcdsaP256Sha256));
    let (one, two) = (one?, two?);
    fs::copy(file(&site, &two, ".private")?, file(&site, &one, ".private")?)?;
    let error = refused(&tokens, &one)?;
    assert!(
        error.contains("is the private key of another key than the DNSKEY record's"),
        "{error}"
    );
    fs::copy(file(&site, &two, ".key")?, file(&site, &one, ".key")?)?;
    assert!(refused(&tokens, &one)?.contains("the key tag in the file's name"));
    let other = record(one.id, one.public_key.clone(), two.reference.clone())?;
    assert!(
        refused(&tokens, &other)?.ends_with(&format!("DNSKEY: it is not the public key of key {}", one.id))
    );
    Ok(())
}

fn no_backup(folder: &Path) -> Outcome {
    let (site, lab) = (laboratory(folder)?, name("lab")?);
    let mut tokens = open(&site)?;
    let spec = KeySpec::new(Algorithm::Ed25519, None)?;
    let told = |error: SiteTokenError| {
        error
            .to_string()
            .starts_with("the keys of 'lab' are in files: no backup")
    };
    assert!(tokens.backup_capability(&lab, spec).is_err_and(told));
    assert!(tokens.facts(&lab).is_err_and(told));
    assert!(tokens.random(&lab, 32).is_err_and(told));
    assert!(tokens.restorer(&lab, None).is_err_and(told));
    assert!(tokens.reference_in(&lab, id(1)).is_err_and(told));
    let wrapped = tokens.generate(&lab, spec, id(1), &owner(), Extractability::Wrapped);
    assert!(wrapped.is_err_and(told));
    assert!(tokens.keys_in(&lab)?.keys.is_empty());
    assert!(
        tokens
            .find_labelled(&lab, "x")
            .is_err_and(|error| error.to_string().contains("by an id or a label"))
    );
    Ok(())
}
