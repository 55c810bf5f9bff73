//! The TPMs of a site: which one a command is about, and the owner auth of the one that keeps its PINs.

use std::ffi::OsStr;

use cli::{Exit, Failure, Outcome};
use key_metadata::{AuthDelivery, SiteFolder, Tcti, TokenName, TpmHandle};
use tpm::{AuthValue, PersistentKind, Tpm};
use tpm_init::step::HierarchyName;

use crate::target::read_auth;

/// The TPM that was named, or the only one.
pub fn choose_tpm<'a>(
    folder: &'a SiteFolder,
    wanted: Option<&TokenName>,
) -> Outcome<(&'a TokenName, &'a Tcti)> {
    let tpms: Vec<_> = folder.site().tpms().collect();
    let names = tpms
        .iter()
        .map(|(name, _)| name.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let hint = "list it in site.yaml with an address such as tpm2:device:/dev/tpmrm0".to_owned();
    match (wanted, tpms.as_slice()) {
        (Some(wanted), all) => match all.iter().find(|(name, _)| *name == wanted) {
            Some(found) => Ok(*found),
            None => Err(Failure::new(
                Exit::Usage,
                format!("the site has no TPM named '{wanted}'; there is: {names}"),
            )
            .hint(hint)),
        },
        (None, [only]) => Ok(*only),
        (None, []) => Err(Failure::new(Exit::Usage, "the site has no TPM").hint(hint)),
        (None, _) => Err(
            Failure::new(Exit::Usage, format!("the site has several TPMs: {names}"))
                .hint("choose one with --tpm NAME".to_owned()),
        ),
    }
}

/// The owner auth of the site's one TPM, where the PIN of `handle` is or is to be: as it was given, else where it is sealed. `None` where it is
/// empty, or only its custodians have it.
pub fn owner_auth(
    folder: &SiteFolder,
    handle: TpmHandle,
    tpm: &Tpm,
    option: Option<&OsStr>,
) -> Outcome<Option<AuthValue>> {
    let given = read_auth(HierarchyName::Owner, option)?;
    if given.is_some() || !tpm.lockout()?.owner_auth_set {
        return Ok(given);
    }
    let (name, _) = folder.site().only_tpm(handle)?;
    match folder.site().tpm_setup(name).owner_auth {
        AuthDelivery::Sealed(place) if tpm.persistent_kind(place)? == Some(PersistentKind::SealedData) => {
            Ok(Some(tpm.unseal_auth(place)?))
        }
        AuthDelivery::Sealed(_) | AuthDelivery::Custodians => Ok(None),
    }
}
