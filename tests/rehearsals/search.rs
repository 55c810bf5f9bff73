//! No secret of a rehearsal may stand in what it leaves: log, evidence, recordings, report, copies, screens.

use std::error::Error;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyrite_tests::{Secret, sealed_secrets};
use sandbox::Swtpm;

/// Where secrets belong, in a rehearsal's folder: the TPM's and the token's memory, and people's keys.
const THEIR_OWN: [&str; 3] = ["tpm", "tokens", "people"];

/// Looks for every PIN and auth value that is sealed in the TPM, and every private key of a person. How many it looked for.
pub fn search(stage: &Path, printed: &[u8]) -> Result<usize, Box<dyn Error>> {
    let swtpm = Swtpm::start(&stage.join("tpm"))?;
    let (mut secrets, skipped) = sealed_secrets(&|name, arguments| swtpm.tool(name, arguments))?;
    if let Some(line) = skipped.first() {
        return Err(line.clone().into());
    }
    secrets.extend(private_keys(&stage.join("people"))?);
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
