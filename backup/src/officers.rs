//! Signatures of officers and custodians by their SSH keys.

use std::path::{Path, PathBuf};

use cli::{Exit, Failure, Outcome};
use key_metadata::store::read_bytes_if_there;
use key_metadata::{SiteFolder, Time};
use sshsig::{AllowedSigners, Expected, KeyPlace, OpenSsh};

/// Who may sign, by the site's `allowed_signers`; `None` where there is none.
pub fn allowed_signers(site: &SiteFolder) -> Outcome<Option<AllowedSigners>> {
    read_signers(&site.path("allowed_signers"))
}

/// The same from any file.
pub fn read_signers(path: &Path) -> Outcome<Option<AllowedSigners>> {
    let Some(bytes) = read_bytes_if_there(path)? else {
        return Ok(None);
    };
    let allowed = AllowedSigners::parse(&bytes).map_err(|error| {
        Failure::of(Exit::Failed, &error).within(format!("cannot use {}", path.display()))
    })?;
    Ok(Some(allowed))
}

/// Has somebody sign, with ssh-keygen: passphrases are its own affair.
pub fn sign(
    allowed: &AllowedSigners,
    name: &str,
    place: &KeyPlace,
    namespace: &str,
    message: &[u8],
    at: Time,
) -> Outcome<Vec<u8>> {
    let agent = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
    let openssh = OpenSsh::find(agent, std::env::temp_dir())?;
    let expected = Expected {
        allowed,
        principal: name,
        namespace,
        at,
    };
    let signed = openssh
        .sign(&expected, place, message)
        .map_err(|error| Failure::from(error).within(format!("{name} did not sign")))?;
    Ok(signed.armoured)
}

/// The failure where somebody is to sign and nobody knows who may.
pub fn no_signers(site: &SiteFolder) -> Failure {
    let failure = Failure::new(
        Exit::Failed,
        format!(
            "there is no {}, so nobody may sign",
            site.path("allowed_signers").display()
        ),
    );
    failure.hint(
        "it has a line for each who signs: NAME ssh-ed25519 AAAA... (ssh-keygen(1), ALLOWED SIGNERS)"
            .to_owned(),
    )
}
