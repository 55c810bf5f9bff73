//! A site on a stack of tokens, which is put back to where it was as often as wanted.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use key_metadata::{KeyRecord, KeyState, SiteFolder, ZoneKeys, ZoneName};
use keyrite_tests::{Rig, Stack, TpmState};
use tempfile::TempDir;

/// The zone whose key is made and destroyed.
pub const ZONE: &str = "fi.cr";
/// A zone that has a key already, which nothing may touch.
pub const BYSTANDER: &str = "go.cr";

/// The tool that is killed.
pub const KEYCTL: &str = "keyrite-keyctl";
/// The first argument of this program where it is to judge the site in its folder.
pub const JUDGE: &str = "judge";

/// The PIN's handle in every site of a [`Rig`].
const PIN: &str = "0x81020000";

/// A site whose TPM is provisioned, whose token is initialised, and whose zone [`BYSTANDER`] has a key.
///
/// No key is kept in the TPM itself: native keys are files of the site, and those behind PKCS#11 are rows or files of the token's store. So the
/// TPM runs on while the folders around it are put back.
pub struct Bench {
    pub stack: Stack,
    rig: Rig,
    folder: TempDir,
    tools: PathBuf,
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
        };
        let generate = [
            "generate", "--zone", BYSTANDER, "--role", "ksk", "--backup", "none",
        ];
        for (tool, arguments) in [
            ("keyrite-tpm-init", &["provision"][..]),
            ("keyrite-tpm-init", &["token", "--token", "cr"]),
            (KEYCTL, &generate),
        ] {
            said(&mut bench.tool(tool, arguments)).unwrap();
        }
        bench
    }

    /// Keeps the site and the store under a name.
    pub fn save(&self, name: &str) {
        let kept = self.folder.path().join("kept").join(name);
        let _ = fs::remove_dir_all(&kept);
        fs::create_dir_all(&kept).unwrap();
        for part in self.parts() {
            copy(&self.folder.path().join(part), &kept);
        }
    }

    /// Puts the site and the store back to where they were, and takes from the TPM what a killed program left there.
    pub fn load(&self, name: &str) {
        let kept = self.folder.path().join("kept").join(name);
        for part in self.parts() {
            fs::remove_dir_all(self.folder.path().join(part)).unwrap();
            copy(&kept.join(part), self.folder.path());
        }
        self.clean();
    }

    fn parts(&self) -> &'static [&'static str] {
        match self.stack {
            Stack::Tpm => &["site"],
            Stack::SoftHsm | Stack::Tpm2Pkcs11 | Stack::OpencryptokiSoft | Stack::Tpm12 => {
                &["site", "tokens"]
            }
        }
    }

    /// What a bare software TPM keeps of a killed program, a resource manager gives back.
    pub fn clean(&self) {
        self.rig.flush_leaked_handles().unwrap();
    }

    /// The folder that has the site and the store.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A tool, at the site; what it says goes nowhere.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Command {
        self.command(self.tools.join(name), arguments)
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

    /// Runs `keyrite-keyctl`, which must succeed.
    pub fn run(&self, arguments: &[&str]) -> Result<(), String> {
        said(&mut self.tool(KEYCTL, arguments)).map(drop)
    }

    /// The same, with room for so many blocks of 512 bytes in each file that it writes.
    pub fn run_with_room(&self, blocks: u32, arguments: &[&str]) -> Result<(), String> {
        // POSIX counts in such blocks; a write beyond them fails, where the signal is ignored.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = self.command("sh", &["-c", &script, "sh"]);
        said(command.arg(self.tools.join(KEYCTL)).args(arguments)).map(drop)
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

    /// Whether the metadata and the token agree, by our own libraries (`judge`) and by others' tools; nothing may be pending.
    pub fn agrees(&self) -> Result<(), String> {
        let own = std::env::current_exe().unwrap();
        said(&mut self.command(own, &[JUDGE]))?;
        let mut expected: Vec<String> = self.living()?.iter().map(|key| key.id.to_string()).collect();
        expected.sort();
        let (private, public) = self.listed()?;
        if private != expected || public != expected {
            return Err(format!(
                "the keys are {expected:?}, the token's private ones {private:?}, its public ones {public:?}"
            ));
        }
        Ok(())
    }

    /// The ids of the private and of the public keys, sorted, as `pkcs11-tool` or the folder of native keys lists them.
    fn listed(&self) -> Result<(Vec<String>, Vec<String>), String> {
        let module = match self.stack {
            Stack::Tpm => return Ok(self.native()),
            Stack::SoftHsm => sandbox::SOFTHSM_MODULE.to_owned(),
            Stack::Tpm2Pkcs11 => sandbox::tpm2_pkcs11_module(),
            Stack::OpencryptokiSoft | Stack::Tpm12 => return Err(format!("{} is not listed", self.stack)),
        };
        let pin = said(&mut self.command("tpm2_unseal", &["-c", PIN]))?;
        let arguments = [
            "--module",
            &module,
            "--token-label",
            "cr",
            "--login",
            "--pin",
            "env:PIN",
            "-O",
        ];
        let mut list = self.command("pkcs11-tool", &arguments);
        let listed = said(list.env("PIN", pin))?;
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
            let mut ids: Vec<_> = objects
                .iter()
                .filter(|object| object.0 == class)
                .map(|object| object.1.to_owned())
                .collect();
            ids.sort();
            ids
        };
        let (private, public) = (of("Private Key"), of("Public Key"));
        match private.len() + public.len() == objects.len() {
            true => Ok((private, public)),
            false => Err(format!("the token has other objects: {listed}")),
        }
    }

    /// Every file of the folder, also those that are no key's by their name.
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
