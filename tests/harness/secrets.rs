//! No secret that a transcript used may stand in the site or in what was printed.

use std::error::Error;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Output;

use keyrite_tests::{Rig, TpmState};

use crate::secret::Secret;

/// The handles at which transcripts seal PINs and auth values.
const SEALED: RangeInclusive<u32> = 0x8102_0000..=0x8102_001f;
/// The files of the site's top folder in which a transcript keeps its own.
const OWN: [&str; 2] = ["pin", "auth"];

/// Looks for every PIN and auth value: those in `pin*` and `auth*` files of the site's top folder, and those sealed in the TPM, which
/// tpm2-tools unseals. A line for each that it could not look for, as where a policy guards it.
pub fn search(rig: &Rig, printed: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let its_own = |path: &Path| {
        let name = path
            .file_name()
            .map_or_else(Default::default, |name| name.to_string_lossy());
        path.parent() == Some(rig.site()) && OWN.iter().any(|own| name.starts_with(own))
    };
    let (mut secrets, mut skipped) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(rig.site())? {
        let path = entry?.path();
        if its_own(&path) && path.is_file() {
            secrets.extend(Secret::new(
                path.display().to_string(),
                fs::read(&path)?.trim_ascii_end(),
            ));
        }
    }
    for handle in sealed(rig)? {
        let unsealed = unseal(rig, &handle)?;
        if unsealed.status.success() {
            secrets.extend(Secret::new(handle, &unsealed.stdout));
        } else if text(&tool(rig, "tpm2_readpublic", &["-c", &handle])?).contains("keyedhash") {
            let said = String::from_utf8_lossy(&unsealed.stderr).into_owned();
            let why = said.lines().find_map(|line| line.strip_prefix("ERROR: "));
            let why = why.map_or(said.as_str(), |line| line);
            skipped.push(format!("what is sealed at {handle} was not looked for: {why}"));
        }
    }
    for secret in &secrets {
        if let Some(form) = secret.form_in(printed.as_bytes()) {
            return Err(format!("the secret of {} was printed, {form}", secret.kept).into());
        }
        secret.search(rig.site(), &its_own)?;
    }
    Ok(skipped)
}

/// The handles of that range that are taken.
fn sealed(rig: &Rig) -> Result<Vec<String>, Box<dyn Error>> {
    // Neither is asked: there is nothing, or nothing that answers.
    if matches!(rig.tpm(), None | Some(TpmState::Failed)) {
        return Ok(Vec::new());
    }
    let listed = tool(rig, "tpm2_getcap", &["handles-persistent"])?;
    if !listed.status.success() {
        return Err(format!(
            "the sealed secrets cannot be listed: {}",
            String::from_utf8_lossy(&listed.stderr)
        )
        .into());
    }
    let mut handles = Vec::new();
    for line in text(&listed).lines() {
        let digits = line
            .strip_prefix("- 0x")
            .ok_or_else(|| format!("tpm2_getcap printed '{line}'"))?;
        let number = u32::from_str_radix(digits, 16)?;
        if SEALED.contains(&number) {
            handles.push(format!("{number:#010x}"));
        }
    }
    Ok(handles)
}

/// What is sealed at a handle: with its empty password, or with the policy that auth values have, which allows TPM2_Unseal.
fn unseal(rig: &Rig, handle: &str) -> Result<Output, Box<dyn Error>> {
    let by_password = tool(rig, "tpm2_unseal", &["-c", handle])?;
    if by_password.status.success() {
        return Ok(by_password);
    }
    let folder = tempfile::tempdir()?;
    let session = folder.path().join("session").display().to_string();
    tool(
        rig,
        "tpm2_startauthsession",
        &["--policy-session", "-S", &session],
    )?;
    tool(rig, "tpm2_policycommandcode", &["-S", &session, "TPM2_CC_Unseal"])?;
    let by_policy = tool(
        rig,
        "tpm2_unseal",
        &["-c", handle, "-p", &format!("session:{session}")],
    )?;
    tool(rig, "tpm2_flushcontext", &[&session])?;
    Ok(by_policy)
}

fn tool(rig: &Rig, name: &str, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
    Ok(rig
        .command(name)
        .args(arguments)
        .env("PATH", "/usr/bin:/bin")
        .output()?)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
