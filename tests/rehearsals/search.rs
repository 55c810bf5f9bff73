//! No secret of a rehearsal may stand in what it leaves: log, evidence, recordings, report, copies, screens.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyrite_tests::{Secret, sealed_secrets};
use sandbox::Swtpm;
use slip39::{Passphrase, Share};

/// Where secrets belong, in a rehearsal's folder: the TPM's and the token's memory, and people's keys.
const THEIR_OWN: [&str; 3] = ["tpm", "tokens", "people"];

/// What opens the shares, of Debian's package age.
const AGE: &str = "/usr/bin/age";
/// So many words in the middle of a share are looked for too: no other text has them in a row.
const MIDDLE: std::ops::Range<usize> = 8..12;

/// Looks for every PIN and auth value that is sealed in the TPM, every private key of a person, the words of every share, and the secrets
/// that these are of. How many it looked for.
pub fn search(stage: &Path, printed: &[u8]) -> Result<usize, Box<dyn Error>> {
    let swtpm = Swtpm::start(&stage.join("tpm"))?;
    let (mut secrets, skipped) = sealed_secrets(&|name, arguments| swtpm.tool(name, arguments))?;
    if let Some(line) = skipped.first() {
        return Err(line.clone().into());
    }
    secrets.extend(private_keys(&stage.join("people"))?);
    secrets.extend(shares(stage)?);
    let own = |path: &Path| THEIR_OWN.iter().any(|own| path.starts_with(stage.join(own)));
    for secret in &secrets {
        if let Some(form) = secret.form_in(printed) {
            return Err(format!("the secret of {} was printed, {form}", secret.kept).into());
        }
        secret.search(stage, &own)?;
    }
    Ok(secrets.len())
}

/// The seeds of the Ed25519 keys in a folder.
pub fn private_keys(people: &Path) -> Result<Vec<Secret>, Box<dyn Error>> {
    let mut secrets = Vec::new();
    for entry in fs::read_dir(people)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(body)?;
        // The private part of PROTOCOL.key has seed and public key as one string of 64 bytes.
        let at = bytes.windows(4).rposition(|window| window == [0, 0, 0, 64]);
        let seed = at.and_then(|at| bytes.get(at + 4..at + 36));
        let seed = seed.ok_or_else(|| format!("{} is no Ed25519 key", path.display()))?;
        secrets.extend(Secret::new(path.display().to_string(), seed));
    }
    Ok(secrets)
}

/// The words of all shares that were dealt, whole and from their middle, and the secret of each bundle. A share is its custodian's to open.
fn shares(stage: &Path) -> Result<Vec<Secret>, Box<dyn Error>> {
    let mut secrets = Vec::new();
    let mut bundles: BTreeMap<String, Vec<Share>> = BTreeMap::new();
    for entry in fs::read_dir(stage.join("shares"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "age") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (bundle, custodian) = name.split_once('-').expect("BUNDLE-CUSTODIAN.age");
        let opened = Command::new(AGE)
            .args(["--decrypt", "--identity"])
            .args([&stage.join("people").join(custodian), &path])
            .output()?;
        let said = String::from_utf8_lossy(&opened.stderr);
        assert!(opened.status.success(), "age opens {name}: {said}");
        let words = String::from_utf8(opened.stdout)?;
        let words = words.trim();
        let middle: Vec<&str> = words.split(' ').take(MIDDLE.end).skip(MIDDLE.start).collect();
        for part in [words, &middle.join(" ")] {
            secrets.extend(Secret::new(path.display().to_string(), part.as_bytes()));
        }
        bundles
            .entry(bundle.to_owned())
            .or_default()
            .push(Share::parse(words)?);
    }
    for (bundle, shares) in bundles {
        let secret = slip39::combine(&shares, &Passphrase::empty())?;
        secrets.extend(Secret::new(format!("bundle {bundle}"), &secret));
    }
    Ok(secrets)
}
