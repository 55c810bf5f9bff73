//! A site with its tokens running.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::{Abrmd, EkCa, SOFTHSM_MODULE, SoftHsm, Swtpm, tpm2_pkcs11_module};

use crate::stack::Stack;
use crate::tpm_state::TpmState;
use crate::{ZONES, zone_fixtures};

/// A site folder of the eight zones, on a stack whose daemons run until this is dropped.
pub struct Rig {
    site: PathBuf,
    environment: Vec<(String, String)>,
    tpm: TpmState,
    // In the order in which they must end.
    abrmd: Option<Abrmd>,
    swtpm: Swtpm,
}

impl Rig {
    /// Starts the stack in `folder`, which is made, and writes `folder`/site with its zones, and no token initialised. A TPM that has
    /// certificates is met by a site with its maker's (or another maker's) in `site`/tpm/ek-roots.
    pub fn new(folder: &Path, stack: Stack, tpm: TpmState) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let (swtpm, maker) = tpm.start(&folder)?;
        let mut environment = vec![("TPM2TOOLS_TCTI".to_owned(), swtpm.tcti().to_owned())];
        let (mut abrmd, mut tcti) = (None, swtpm.tcti().to_owned());
        match stack {
            Stack::SoftHsm => {
                let store = SoftHsm::new(&folder)?;
                environment.push((
                    "SOFTHSM2_CONF".to_owned(),
                    store.configuration().display().to_string(),
                ));
            }
            Stack::Tpm => {}
            Stack::Tpm2Pkcs11 => {
                let manager = Abrmd::start(&folder, &swtpm)?;
                let store = folder.join("tokens");
                fs::create_dir_all(&store)?;
                tcti = Abrmd::TCTI.to_owned();
                environment = vec![
                    ("TPM2TOOLS_TCTI".to_owned(), tcti.clone()),
                    ("TPM2_PKCS11_TCTI".to_owned(), tcti.clone()),
                    ("TPM2_PKCS11_STORE".to_owned(), store.display().to_string()),
                    ("DBUS_SESSION_BUS_ADDRESS".to_owned(), manager.bus().to_owned()),
                ];
                abrmd = Some(manager);
            }
        }
        let site = folder.join("site");
        write_site(&site, stack, &tcti, tpm)?;
        if let Some(maker) = maker {
            write_ek_roots(&site, &maker)?;
        }
        Ok(Self {
            site,
            environment,
            tpm,
            abrmd,
            swtpm,
        })
    }

    /// The site's folder.
    pub fn site(&self) -> &Path {
        &self.site
    }

    /// How the TPM was when the site first met it.
    pub fn tpm(&self) -> TpmState {
        self.tpm
    }

    /// A command in the site's folder, whose environment has the variables with which tools reach the tokens, and nothing else; no input.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command
            .current_dir(&self.site)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null());
        command
    }

    /// Transient objects and sessions that were left in the TPM; `None` behind the resource manager, which shows each program only its own,
    /// and where the TPM has failed.
    pub fn leaked_handles(&self) -> io::Result<Option<Vec<String>>> {
        if self.abrmd.is_some() || self.tpm == TpmState::Failed {
            return Ok(None);
        }
        self.swtpm.leaked_handles().map(Some)
    }
}

fn write_ek_roots(site: &Path, maker: &EkCa) -> io::Result<()> {
    let folder = site.join("tpm/ek-roots");
    fs::create_dir_all(&folder)?;
    fs::copy(maker.root(), folder.join("root.pem"))?;
    fs::copy(maker.issuer(), folder.join("issuer.pem"))?;
    Ok(())
}

fn write_site(site: &Path, stack: Stack, tcti: &str, state: TpmState) -> io::Result<()> {
    let zones = site.join("zones");
    fs::create_dir_all(&zones)?;
    let pins = "    pin: tpm:0x81020000\n";
    let so_pin = "    so-pin: tpm:0x81020001\n";
    let setup = setup(state);
    let tpm = |name, rest| format!("  {name}:\n    address: tpm2:{tcti}\n{rest}{setup}");
    let pkcs11 =
        |module: &str| format!("  cr:\n    address: pkcs11:token=cr?module-path={module}\n{pins}{so_pin}");
    let tokens = match stack {
        Stack::SoftHsm => tpm("tpm", "") + &pkcs11(SOFTHSM_MODULE),
        Stack::Tpm => tpm("cr", pins),
        Stack::Tpm2Pkcs11 => tpm("tpm", "") + &pkcs11(&tpm2_pkcs11_module()),
    };
    let mut text = format!("version: 1\ntokens:\n{tokens}zones:\n");
    for zone in ZONES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {zone}: {{policy: small-tld, token: cr}}");
        fs::copy(
            zone_fixtures().join(format!("{zone}.zone")),
            zones.join(format!("{zone}.zone")),
        )?;
    }
    fs::write(site.join("site.yaml"), text)
}

/// A TPM that nobody keeps the auth values of, and that is in software: what says so is accepted, and nothing else.
fn setup(state: TpmState) -> String {
    let accepted = |check: &str| format!("        {check}: a test, on a TPM in software\n");
    let mut text =
        "    setup:\n      owner-auth: tpm:0x81020010\n      endorsement-auth: tpm:0x81020011\n      \
                    lockout-auth: tpm:0x81020012\n      accepted:\n"
            .to_owned();
    for check in ["identity", "firmware-advisories", "firmware-known"] {
        text.push_str(&accepted(check));
    }
    if state == TpmState::Fresh {
        text.push_str(&accepted("endorsement-key"));
    }
    text
}
