//! No secret that a transcript used may stand in the site or in what was printed.

use std::error::Error;
use std::fs;
use std::path::Path;

use keyrite_tests::Rig;

/// The handles at which transcripts seal PINs.
const SEALED: [&str; 4] = ["0x81020000", "0x81020001", "0x81020002", "0x81020003"];

/// Looks for every PIN: those in `pin*` files of the site, and those sealed in the TPM, which tpm2-tools unseals.
pub fn search(rig: &Rig, printed: &str) -> Result<(), Box<dyn Error>> {
    let mut secrets = Vec::new();
    for entry in fs::read_dir(rig.site())? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("pin"))
        {
            secrets.push(fs::read_to_string(&path)?.trim_end().to_owned());
        }
    }
    for handle in SEALED {
        let output = rig
            .command("tpm2_unseal")
            .args(["-c", handle])
            .env("PATH", "/usr/bin:/bin")
            .output()?;
        if output.status.success() {
            secrets.push(String::from_utf8(output.stdout)?);
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    for secret in &secrets {
        if printed.contains(secret) {
            return Err("a PIN was printed".into());
        }
        search_folder(rig.site(), secret)?;
    }
    Ok(())
}

fn search_folder(folder: &Path, secret: &str) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search_folder(&path, secret)?;
            continue;
        }
        let its_own = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("pin"));
        let bytes = fs::read(&path)?;
        if !its_own
            && bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        {
            return Err(format!("{} has a PIN in it", path.display()).into());
        }
    }
    Ok(())
}
