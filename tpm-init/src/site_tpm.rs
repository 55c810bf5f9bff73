//! Which of a site's TPMs a command is about.

use cli::{Exit, Failure, Outcome};
use key_metadata::{SiteFolder, Tcti, TokenName};

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
