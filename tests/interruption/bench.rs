//! A site on a stack of tokens, which is put back to where it was as often as wanted.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use key_metadata::{CkaId, KeyRecord, KeyState, SiteFolder, ZoneKeys, ZoneName};
use keyrite_tests::{Rig, Stack, TpmState};
use tempfile::TempDir;

/// The zone whose key is made and destroyed.
pub const ZONE: &str = "fi.cr";
/// A zone that has a key already, which nothing may touch.
pub const BYSTANDER: &str = "go.cr";

/// The tools that are killed.
pub const KEYCTL: &str = "keyrite-keyctl";
pub const BACKUP: &str = "keyrite-backup";
const TPM_INIT: &str = "keyrite-tpm-init";
/// The first argument of this program where it is to judge the site in its folder.
pub const JUDGE: &str = "judge";

/// Who has shares.
pub const CUSTODIANS: [&str; 3] = ["ana", "luis", "rosa"];

/// The tokens of a site, each with the handle of its PIN.
const TOKENS: [(&str, &str); 2] = [("cr", "0x81020000"), (SPARE, "0x81020004")];
/// The token that keys are restored into.
pub const SPARE: &str = "spare";

/// A site whose TPM is provisioned, whose token is initialised, and whose zone [`BYSTANDER`] has a key.
///
/// No key is kept in the TPM itself: native keys are files of the site, and those behind PKCS#11 are rows or files of the token's store. So the
/// TPM runs on while the folders around it are put back.
pub struct Bench {
    pub stack: Stack,
    rig: Rig,
    folder: TempDir,
    tools: PathBuf,
    /// The folders that are put back.
    parts: Vec<&'static str>,
    /// What `pkcs11-tool` is to look into.
    tokens: Vec<(&'static str, &'static str)>,
}

impl Bench {
    pub fn new(stack: Stack, tools: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("keyrite-").tempdir().unwrap();
        let rig = Rig::new(folder.path(), stack, TpmState::Fresh).unwrap();
        let bench = Self {
            stack,
            rig,
            folder,
            tools: tools.to_owned(),
            parts: match stack {
                Stack::Tpm => vec!["site"],
                Stack::SoftHsm | Stack::Tpm2Pkcs11 | Stack::OpencryptokiSoft | Stack::Tpm12 => {
                    vec!["site", "tokens"]
                }
            },
            tokens: vec![TOKENS[0]],
        };
        let generate = [
            KEYCTL, "generate", "--zone", BYSTANDER, "--role", "ksk", "--backup", "none",
        ];
        for command in [
            &[TPM_INIT, "provision"][..],
            &[TPM_INIT, "token", "--token", "cr"],
            &generate,
        ] {
            bench.run(command).unwrap();
        }
        bench
    }

    /// The same with three custodians, a folder for their shares, and in SoftHSM a spare token.
    pub fn with_custodians(stack: Stack, tools: &Path) -> Self {
        let mut bench = Self::new(stack, tools);
        if stack == Stack::SoftHsm {
            let site = bench.rig.site().join("site.yaml");
            let module = sandbox::SOFTHSM_MODULE;
            let spare = format!(
                "tokens:\n  {SPARE}:\n    address: pkcs11:token={SPARE}?module-path={module}\n    pin: tpm:0x81020004\n    \
                 so-pin: tpm:0x81020005\n"
            );
            let text = fs::read_to_string(&site).unwrap();
            fs::write(&site, text.replacen("tokens:\n", &spare, 1)).unwrap();
            bench.run(&[TPM_INIT, "token", "--token", SPARE]).unwrap();
            bench.tokens.push(TOKENS[1]);
        }
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/custodians");
        let mut custodians = bench.command(fixture, &CUSTODIANS);
        let path = format!("{}:/usr/bin:/bin", tools.display());
        said(custodians.env("PATH", path)).unwrap();
        bench.parts.push("shares");
        bench
    }

    /// Keeps the site and the store under a name.
    pub fn save(&self, name: &str) {
        let kept = self.folder.path().join("kept").join(name);
        let _ = fs::remove_dir_all(&kept);
        fs::create_dir_all(&kept).unwrap();
        for part in &self.parts {
            copy(&self.folder.path().join(part), &kept);
        }
    }

    /// Puts the site and the store back to where they were, and takes from the TPM what a killed program left there.
    pub fn load(&self, name: &str) {
        let kept = self.folder.path().join("kept").join(name);
        for part in &self.parts {
            fs::remove_dir_all(self.folder.path().join(part)).unwrap();
            copy(&kept.join(part), self.folder.path());
        }
        self.clean();
    }

    /// What a bare software TPM keeps of a killed program, a resource manager gives back.
    pub fn clean(&self) {
        self.rig.flush_leaked_handles().unwrap();
    }

    /// The folder that has the site and the store.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The site.
    pub fn site(&self) -> &Path {
        self.rig.site()
    }

    /// A tool and its arguments, at the site; what it says goes nowhere.
    pub fn tool(&self, command: &[&str]) -> Command {
        self.command(self.tools.join(command[0]), &command[1..])
    }

    /// Any command, at the site; what it says goes nowhere.
    pub fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = self.rig.command(program);
        command
            .args(arguments)
            .env("PATH", "/usr/bin:/bin")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs a tool, which must succeed.
    pub fn run(&self, command: &[&str]) -> Result<(), String> {
        self.said(command).map(drop)
    }

    /// What a tool prints, which must succeed.
    pub fn said(&self, command: &[&str]) -> Result<String, String> {
        said(&mut self.tool(command))
    }

    /// The same, with room for so many blocks of 512 bytes in each file that it writes.
    pub fn run_with_room(&self, blocks: u32, command: &[&str]) -> Result<(), String> {
        // POSIX counts in such blocks; a write beyond them fails, where the signal is ignored.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut shell = self.command("sh", &["-c", &script, "sh"]);
        said(shell.arg(self.tools.join(command[0])).args(&command[1..])).map(drop)
    }

    /// The keys of a zone; their history is verified by reading them.
    pub fn keys(&self, zone: &str) -> Result<ZoneKeys, String> {
        let site = SiteFolder::open(self.rig.site()).map_err(|error| error.to_string())?;
        let zone: ZoneName = zone.parse().unwrap();
        site.keys(&zone).map_err(|error| error.to_string())
    }

    /// The keys of both zones that are not destroyed.
    fn living(&self) -> Result<Vec<KeyRecord>, String> {
        let mut keys = self.keys(ZONE)?.keys().to_vec();
        keys.extend(self.keys(BYSTANDER)?.keys().to_vec());
        keys.retain(|key| key.state != KeyState::Destroyed);
        Ok(keys)
    }

    /// The bytes of the zone's file.
    pub fn file(&self) -> Vec<u8> {
        fs::read(self.rig.site().join(format!("keys/{ZONE}.yaml"))).map_or_else(|_| Vec::new(), |bytes| bytes)
    }

    /// Whether the metadata and the tokens agree, by our own libraries (`judge`) and by others' tools; nothing may be pending.
    pub fn agrees(&self) -> Result<(), String> {
        let own = std::env::current_exe().unwrap();
        said(&mut self.command(own, &[JUDGE]))?;
        for (token, pin) in &self.tokens {
            let site = SiteFolder::open(self.rig.site()).map_err(|error| error.to_string())?;
            let is_there = |key: &KeyRecord| {
                let place = site.site().token_of(&key.reference);
                place.is_some_and(|(name, _)| name.to_string() == *token)
            };
            let living = self.living()?.into_iter().filter(is_there);
            let mut expected: Vec<String> = living.map(|key| key.id.to_string()).collect();
            expected.sort();
            let (private, public) = self.listed(token, pin)?;
            if private != expected || public != expected {
                return Err(format!(
                    "the keys of token '{token}' are {expected:?}, its private ones {private:?}, its public ones {public:?}"
                ));
            }
        }
        Ok(())
    }

    /// The ids of the private and of the public keys of zones, sorted, as `pkcs11-tool` or the folder of native keys lists them.
    fn listed(&self, token: &str, pin: &str) -> Result<(Vec<String>, Vec<String>), String> {
        if self.stack == Stack::Tpm {
            return Ok(self.native());
        }
        let listed = said(&mut self.pkcs11_tool(token, pin, &["-O"])?)?;
        let mut objects: Vec<(&str, &str)> = Vec::new();
        for line in listed.lines() {
            match (line.split_once(" Object"), objects.last_mut()) {
                (Some((class, _)), _) => objects.push((class, "without an id")),
                (None, Some((_, id))) => {
                    if let Some(text) = line.trim().strip_prefix("ID:") {
                        *id = text.trim();
                    }
                }
                (None, None) => {}
            }
        }
        let of = |class| {
            let of_class = objects.iter().filter(|object| object.0 == class);
            let mut ids: Vec<_> = of_class.map(|object| object.1.to_owned()).collect();
            ids.sort();
            ids
        };
        let (mut private, mut public) = (of("Private Key"), of("Public Key"));
        if private.len() + public.len() != objects.len() {
            return Err(format!("token '{token}' has other objects: {listed}"));
        }
        // What signs logs and manifests is no key of a zone; it is whole, or not there.
        let log_key = hex::encode(CkaId::CEREMONY_LOG);
        let log_keys = |ids: &[String]| ids.iter().filter(|id| **id == log_key).count();
        if log_keys(&private) != log_keys(&public) || log_keys(&private) > 1 {
            return Err(format!("token '{token}' has a part of a log key: {listed}"));
        }
        private.retain(|id| *id != log_key);
        public.retain(|id| *id != log_key);
        Ok((private, public))
    }

    /// `pkcs11-tool`, with a token's user PIN.
    fn pkcs11_tool(&self, token: &str, pin: &str, arguments: &[&str]) -> Result<Command, String> {
        let module = match self.stack {
            Stack::SoftHsm => sandbox::SOFTHSM_MODULE.to_owned(),
            Stack::Tpm2Pkcs11 => sandbox::tpm2_pkcs11_module(),
            Stack::Tpm | Stack::OpencryptokiSoft | Stack::Tpm12 => {
                return Err(format!("{} is not listed", self.stack));
            }
        };
        let pin = said(&mut self.command("tpm2_unseal", &["-c", pin]))?;
        let login = [
            "--module",
            &module,
            "--token-label",
            token,
            "--login",
            "--pin",
            "env:PIN",
        ];
        let mut command = self.command("pkcs11-tool", &login);
        command.args(arguments).env("PIN", pin);
        Ok(command)
    }

    /// The private parts of the zone's keys are lost, as with a token that broke.
    pub fn lose_keys(&self) -> Result<(), String> {
        for key in self.keys(ZONE)?.keys() {
            let id = key.id.to_string();
            if self.stack == Stack::Tpm {
                fs::remove_file(self.rig.site().join(format!("keys/tpm/{id}.tpm"))).unwrap();
                continue;
            }
            for kind in ["privkey", "pubkey"] {
                let delete = ["--delete-object", "--type", kind, "--id", &id];
                said(&mut self.pkcs11_tool(TOKENS[0].0, TOKENS[0].1, &delete)?)?;
            }
        }
        Ok(())
    }

    /// Every file of the folder, also those that are no key's by their name; but what was there before a restore is kept beside.
    fn native(&self) -> (Vec<String>, Vec<String>) {
        let files = fs::read_dir(self.rig.site().join("keys/tpm")).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let stem = |name: String| name.strip_suffix(".tpm").map_or(name.clone(), str::to_owned);
        let mut names: Vec<_> = files.map(|entry| stem(name(entry.unwrap()))).collect();
        names.sort();
        (names.clone(), names)
    }
}

/// What it printed, where it succeeded; else what it said.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    Err(format!("{command:?} ended with {}: {text}", output.status))
}

fn copy(from: &Path, into: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(into).status().unwrap();
    assert!(status.success(), "{} was not copied", from.display());
}
