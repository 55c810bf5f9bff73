//! What is sealed in a TPM, read by tpm2-tools.

use std::error::Error;
use std::io;
use std::ops::RangeInclusive;
use std::process::Output;

use crate::secret::Secret;

/// The handles at which PINs and auth values are sealed, in transcripts and in rehearsals.
const SEALED: RangeInclusive<u32> = 0x8102_0000..=0x8102_001f;

/// One of tpm2-tools with its arguments, run against the TPM.
pub type Tool<'t> = &'t dyn Fn(&str, &[&str]) -> io::Result<Output>;

/// The secrets that are sealed in a TPM, and a line for each that it did not give out, as where a policy guards it.
pub fn sealed_secrets(tool: Tool<'_>) -> Result<(Vec<Secret>, Vec<String>), Box<dyn Error>> {
    let (mut secrets, mut skipped) = (Vec::new(), Vec::new());
    for handle in handles(tool)? {
        let unsealed = unseal(tool, &handle)?;
        if unsealed.status.success() {
            secrets.extend(Secret::new(handle, &unsealed.stdout));
        } else if text(&tool("tpm2_readpublic", &["-c", &handle])?).contains("keyedhash") {
            let said = String::from_utf8_lossy(&unsealed.stderr).into_owned();
            let why = said.lines().find_map(|line| line.strip_prefix("ERROR: "));
            let why = why.map_or(said.as_str(), |line| line);
            skipped.push(format!("what is sealed at {handle} was not looked for: {why}"));
        }
    }
    Ok((secrets, skipped))
}

/// The handles of that range that are taken.
fn handles(tool: Tool<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let listed = tool("tpm2_getcap", &["handles-persistent"])?;
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
fn unseal(tool: Tool<'_>, handle: &str) -> Result<Output, Box<dyn Error>> {
    let by_password = tool("tpm2_unseal", &["-c", handle])?;
    if by_password.status.success() {
        return Ok(by_password);
    }
    let folder = tempfile::tempdir()?;
    let session = folder.path().join("session").display().to_string();
    tool("tpm2_startauthsession", &["--policy-session", "-S", &session])?;
    tool("tpm2_policycommandcode", &["-S", &session, "TPM2_CC_Unseal"])?;
    let by_policy = tool(
        "tpm2_unseal",
        &["-c", handle, "-p", &format!("session:{session}")],
    )?;
    tool("tpm2_flushcontext", &[&session])?;
    Ok(by_policy)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
