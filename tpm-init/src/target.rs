//! The TPM that a verb works on, and the auth values that its user gives.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::{AuthDelivery, Recipient, SiteFolder, Tcti, TokenName, TpmHandle, TpmSetup};
use tpm::{AuthValue, PersistentKind, Tpm};
use tpm_init::step::HierarchyName;

/// Which TPM of the site, and what is known of its auth values.
#[derive(Args)]
pub struct TargetArguments {
    /// The TPM's name in site.yaml; its only one when absent
    #[arg(long, value_name = "NAME")]
    tpm: Option<TokenName>,
    // None of these is parsed by clap: its error would quote a secret that was given by mistake.
    /// Where the owner auth comes from, if it is set: prompt, file:PATH or fd:NUMBER
    #[arg(long, value_name = "SOURCE")]
    owner_auth: Option<OsString>,
    /// Where the endorsement auth comes from, if it is set
    #[arg(long, value_name = "SOURCE")]
    endorsement_auth: Option<OsString>,
    /// Where the lockout auth comes from, if it is set; a wrong one blocks the TPM's lockout hierarchy
    #[arg(long, value_name = "SOURCE")]
    lockout_auth: Option<OsString>,
}

/// A TPM of a site.
pub struct Target {
    /// The site.
    pub folder: SiteFolder,
    /// The TPM's name in it.
    pub name: TokenName,
    /// Where it is.
    pub tcti: Tcti,
    /// How it is set up.
    pub setup: TpmSetup,
}

/// Auth values, by whose they are.
pub type Auths = BTreeMap<HierarchyName, AuthValue>;

impl TargetArguments {
    /// Opens the site, finds the TPM and reads the auth values.
    pub fn open(&self, site: &SiteArguments) -> Outcome<(Target, Auths)> {
        let folder = site.open()?;
        let (name, tcti) = choose(&folder, self.tpm.as_ref())?;
        let mut given = Auths::new();
        for (hierarchy, option) in [
            (HierarchyName::Owner, &self.owner_auth),
            (HierarchyName::Endorsement, &self.endorsement_auth),
            (HierarchyName::Lockout, &self.lockout_auth),
        ] {
            if let Some(auth) = read_auth(hierarchy, option.as_deref())? {
                given.insert(hierarchy, auth);
            }
        }
        let setup = folder.site().tpm_setup(&name);
        let target = Target {
            folder,
            name,
            tcti,
            setup,
        };
        Ok((target, given))
    }
}

impl Target {
    /// A file about this TPM.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.tpm_path(&self.name, file)
    }

    /// The handles and indices that the site names: what is there is not foreign.
    pub fn places(&self) -> Vec<String> {
        let pins = self.folder.site().sealed_pins().map(|handle| handle.to_string());
        self.setup
            .places()
            .chain(pins)
            .chain([TpmHandle::SRK.to_string()])
            .collect()
    }

    /// The custodians of the site, by name.
    pub fn custodians(&self) -> BTreeMap<String, Recipient> {
        let custodians = &self.folder.site().custodians;
        custodians
            .iter()
            .map(|(name, recipient)| (name.to_string(), recipient.clone()))
            .collect()
    }
}

/// A hierarchy's auth value, where its source was given.
pub fn read_auth(hierarchy: HierarchyName, option: Option<&OsStr>) -> Outcome<Option<AuthValue>> {
    let Some(value) = option else { return Ok(None) };
    let source = cli::parse_pin_source(&format!("--{hierarchy}-auth"), value)?;
    let secret = cli::read_pin(
        &source,
        &format!("the {hierarchy} auth"),
        Path::new(""),
        |handle| {
            let failure = Failure::new(
                Exit::Usage,
                format!("the {hierarchy} auth is not taken from {handle} by an option"),
            );
            Err(failure.hint(format!(
                "say in site.yaml where it is sealed: setup: {{{hierarchy}-auth: tpm:{handle}}}"
            )))
        },
    )?;
    Ok(Some(AuthValue::from_text(&secret)?))
}

/// The site's one TPM, where the PIN of `handle` is or is to be; another one in its place is refused.
pub fn site_tpm(folder: &SiteFolder, handle: TpmHandle) -> Outcome<Tpm> {
    let (name, tcti) = folder.site().only_tpm(handle)?;
    let identity = folder.tpm_identity(name)?;
    let tpm = Tpm::connect(tcti)?;
    tpm.pin(identity.as_ref())?;
    Ok(tpm)
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

/// The TPM that was named, or the only one.
pub fn choose(folder: &SiteFolder, wanted: Option<&TokenName>) -> Outcome<(TokenName, Tcti)> {
    let tpms: Vec<_> = folder.site().tpms().collect();
    let names = tpms
        .iter()
        .map(|(name, _)| name.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let hint = "list it in site.yaml with an address such as tpm2:device:/dev/tpmrm0".to_owned();
    let found = match (wanted, tpms.as_slice()) {
        (Some(wanted), all) => all.iter().find(|(name, _)| *name == wanted).ok_or_else(|| {
            let text = format!("the site has no TPM named '{wanted}'; there is: {names}");
            Failure::new(Exit::Usage, text).hint(hint)
        })?,
        (None, [only]) => only,
        (None, []) => return Err(Failure::new(Exit::Usage, "the site has no TPM").hint(hint)),
        (None, _) => {
            let text = format!("the site has several TPMs: {names}");
            return Err(Failure::new(Exit::Usage, text).hint("choose one with --tpm NAME".to_owned()));
        }
    };
    Ok((found.0.clone(), found.1.clone()))
}
