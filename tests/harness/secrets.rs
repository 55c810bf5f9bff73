//! No secret that a transcript used may stand in the site or in what was printed.

use std::error::Error;
use std::fs;
use std::path::Path;

use keyrite_tests::{Rig, Secret, TpmState, sealed_secrets};

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
    // Otherwise none is asked: there is nothing, or nothing that answers.
    if !matches!(rig.tpm(), None | Some(TpmState::Failed)) {
        let tool = |name: &str, arguments: &[&str]| {
            let mut command = rig.command(name);
            command.args(arguments).env("PATH", "/usr/bin:/bin").output()
        };
        let (sealed, not_given) = sealed_secrets(&tool)?;
        secrets.extend(sealed);
        skipped.extend(not_given);
    }
    for secret in &secrets {
        if let Some(form) = secret.form_in(printed.as_bytes()) {
            return Err(format!("the secret of {} was printed, {form}", secret.kept).into());
        }
        secret.search(rig.site(), &its_own)?;
    }
    Ok(skipped)
}
