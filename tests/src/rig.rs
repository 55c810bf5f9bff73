//! A site with its tokens running.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::{
    Abrmd, EkCa, Opencryptoki, SOFTHSM_MODULE, SoftHsm, Swtpm, opencryptoki_module, tpm2_pkcs11_module,
};

use crate::stack::Stack;
use crate::tpm_state::TpmState;
use crate::{ZONES, zone_fixtures};

/// A site folder of the eight zones, on a stack whose daemons run until this is dropped.
pub struct Rig {
    site: PathBuf,
    environment: Vec<(String, String)>,
    // In the order in which they must end.
    opencryptoki: Option<Opencryptoki>,
    abrmd: Option<Abrmd>,
    tpm: Option<(Swtpm, TpmState)>,
}

impl Rig {
    /// Starts the stack in `folder`, which is made, and writes `folder`/site with its zones, and no token initialised. A TPM that has
    /// certificates is met by a site with its maker's (or another maker's) in `site`/tpm/ek-roots.
    pub fn new(folder: &Path, stack: Stack, tpm: TpmState) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let mut rig = Self {
            site: folder.join("site"),
            environment: Vec::new(),
            opencryptoki: None,
            abrmd: None,
            tpm: None,
        };
        let mut maker = None;
        if stack.has_tpm2() {
            let (swtpm, its_maker) = tpm.start(&folder)?;
            rig.set("TPM2TOOLS_TCTI", swtpm.tcti());
            (rig.tpm, maker) = (Some((swtpm, tpm)), its_maker);
        } else if tpm != TpmState::Fresh {
            return Err(io::Error::other(format!(
                "the stack '{stack}' has no TPM 2.0 that is {tpm}"
            )));
        }
        match stack {
            Stack::SoftHsm => {
                let store = SoftHsm::new(&folder)?;
                rig.set("SOFTHSM2_CONF", &store.configuration().display().to_string());
            }
            Stack::Tpm => {}
            Stack::Tpm2Pkcs11 => rig.start_abrmd(&folder)?,
            Stack::OpencryptokiSoft => rig.opencryptoki = Some(Opencryptoki::soft(&folder)?),
            Stack::Tpm12 => rig.opencryptoki = Some(Opencryptoki::tpm12(&folder)?),
        }
        write_site(&rig.site, stack, rig.tcti(), tpm)?;
        if let Some(maker) = maker {
            write_ek_roots(&rig.site, &maker)?;
        }
        Ok(rig)
    }

    fn start_abrmd(&mut self, folder: &Path) -> io::Result<()> {
        if let Some((swtpm, _)) = &self.tpm {
            let manager = Abrmd::start(folder, swtpm)?;
            let store = folder.join("tokens");
            fs::create_dir_all(&store)?;
            self.set("TPM2TOOLS_TCTI", Abrmd::TCTI);
            self.set("TPM2_PKCS11_TCTI", Abrmd::TCTI);
            self.set("TPM2_PKCS11_STORE", &store.display().to_string());
            self.set("DBUS_SESSION_BUS_ADDRESS", manager.bus());
            self.abrmd = Some(manager);
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// How the site's tools reach the TPM 2.0, if there is one.
    fn tcti(&self) -> Option<&str> {
        match (&self.abrmd, &self.tpm) {
            (Some(_), _) => Some(Abrmd::TCTI),
            (None, Some((swtpm, _))) => Some(swtpm.tcti()),
            (None, None) => None,
        }
    }

    /// The site's folder.
    pub fn site(&self) -> &Path {
        &self.site
    }

    /// How the TPM 2.0 was when the site first met it; `None` where there is none.
    pub fn tpm(&self) -> Option<TpmState> {
        self.tpm.as_ref().map(|(_, state)| *state)
    }

    /// A command in the site's folder, whose environment has the variables with which tools reach the tokens, and nothing else; no input.
    /// It runs where the tokens are: opencryptoki's are in namespaces of their own.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.opencryptoki {
            Some(opencryptoki) => opencryptoki.command(program, &self.site),
            None => {
                let mut command = Command::new(program);
                command.current_dir(&self.site).env_clear();
                command
            }
        };
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.envs(environment).stdin(Stdio::null());
        command
    }

    /// Transient objects and sessions that were left in the TPM 2.0; `None` behind the resource manager, which shows each program only its
    /// own, where the TPM has failed, and where there is none.
    pub fn leaked_handles(&self) -> io::Result<Option<Vec<String>>> {
        match &self.tpm {
            Some((swtpm, state)) if self.abrmd.is_none() && *state != TpmState::Failed => {
                swtpm.leaked_handles().map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Takes from a bare TPM what a killed program left there; behind the resource manager that is done already.
    pub fn flush_leaked_handles(&self) -> io::Result<()> {
        match &self.tpm {
            Some((swtpm, _)) if self.abrmd.is_none() => swtpm.flush_leaked_handles(),
            Some(_) | None => Ok(()),
        }
    }
}

fn write_ek_roots(site: &Path, maker: &EkCa) -> io::Result<()> {
    let folder = site.join("tpm/ek-roots");
    fs::create_dir_all(&folder)?;
    fs::copy(maker.root(), folder.join("root.pem"))?;
    fs::copy(maker.issuer(), folder.join("issuer.pem"))?;
    Ok(())
}

fn write_site(site: &Path, stack: Stack, tcti: Option<&str>, state: TpmState) -> io::Result<()> {
    let zones = site.join("zones");
    fs::create_dir_all(&zones)?;
    let sealed = "    pin: tpm:0x81020000\n";
    let both_sealed = "    pin: tpm:0x81020000\n    so-pin: tpm:0x81020001\n";
    let in_files = "    pin: file:pin\n    so-pin: file:pin-so\n";
    let setup = setup(state);
    let tpm = |name, rest: &str| {
        tcti.map_or_else(String::new, |tcti| {
            format!("  {name}:\n    address: tpm2:{tcti}\n{rest}{setup}")
        })
    };
    let pkcs11 = |module: &str, pins: &str| {
        format!("  cr:\n    address: pkcs11:token=cr?module-path={module}\n{pins}")
    };
    let tokens = match stack {
        Stack::SoftHsm => tpm("tpm", "") + &pkcs11(SOFTHSM_MODULE, both_sealed),
        Stack::Tpm => tpm("cr", sealed),
        Stack::Tpm2Pkcs11 => tpm("tpm", "") + &pkcs11(&tpm2_pkcs11_module(), both_sealed),
        Stack::OpencryptokiSoft => tpm("tpm", "") + &pkcs11(&opencryptoki_module(), both_sealed),
        Stack::Tpm12 => pkcs11(&opencryptoki_module(), in_files),
    };
    let policy = match stack {
        Stack::SoftHsm | Stack::Tpm | Stack::Tpm2Pkcs11 => "small-tld",
        Stack::OpencryptokiSoft | Stack::Tpm12 => {
            write_rsa_policy(site)?;
            "rsa"
        }
    };
    let mut text = format!("version: 1\ntokens:\n{tokens}zones:\n");
    for zone in ZONES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {zone}: {{policy: {policy}, token: cr}}");
        fs::copy(
            zone_fixtures().join(format!("{zone}.zone")),
            zones.join(format!("{zone}.zone")),
        )?;
    }
    fs::write(site.join("site.yaml"), text)
}

/// The shipped policy with RSA-2048 keys, for tokens that make no others.
fn write_rsa_policy(site: &Path) -> io::Result<()> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/small-tld.yaml");
    let policy = fs::read_to_string(shipped)?;
    let rsa = "algorithm: RSASHA256\n    bits: 2048";
    fs::create_dir_all(site.join("policies"))?;
    fs::write(
        site.join("policies/rsa.yaml"),
        policy.replace("algorithm: ECDSAP256SHA256", rsa),
    )
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
