//! Where a ceremony is held: a site with its tokens, and people with keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyrite_tests::{Rig, Stack, TpmState};
use tempfile::TempDir;

/// The people by seat, with their initials.
pub const PEOPLE: [(&str, &str, &str); 3] = [
    ("officer-1", "Ana Mora", "AM"),
    ("officer-2", "Bea Solis", "BS"),
    ("witness-1", "Cyn Vega", "CV"),
];

/// A place.
pub struct Place {
    rig: Rig,
    folder: TempDir,
    tools: PathBuf,
}

impl Place {
    /// A TPM that is provisioned, a token that is initialised, a medium in its drive, and a script in the site.
    pub fn new(script: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("keyrite-").tempdir().unwrap();
        let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh).unwrap();
        let tools = keyrite_tests::tools().to_owned();
        let place = Self { rig, folder, tools };
        for arguments in [&["provision"][..], &["token"]] {
            let said = place.tool("keyrite-tpm-init").args(arguments).output().unwrap();
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        }
        let mut signers = String::new();
        for (seat, _, _) in PEOPLE {
            let key = place.key(seat);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
                .arg(&key)
                .status();
            assert!(made.unwrap().success());
            let public = fs::read_to_string(key.with_extension("pub")).unwrap();
            signers += &format!("{} {}\n", principal(seat), public.trim());
        }
        fs::write(place.site().join("allowed_signers"), signers).unwrap();
        fs::create_dir_all(place.site().join("media/a")).unwrap();
        fs::write(place.site().join("script.yaml"), script).unwrap();
        place
    }

    /// The site's folder.
    pub fn site(&self) -> &Path {
        self.rig.site()
    }

    /// A ceremony's folder.
    pub fn ceremony(&self, id: &str) -> PathBuf {
        self.site().join("ceremonies").join(id)
    }

    /// The private key of a seat; its public half is the same name and `.pub`.
    pub fn key(&self, seat: &str) -> PathBuf {
        self.folder.path().join(seat)
    }

    /// A tool of the suite in the site.
    pub fn tool(&self, name: &str) -> Command {
        self.rig.command(self.tools.join(name))
    }

    /// `keyrite-ceremony run` of the script, the keys of all seats known.
    pub fn run(&self) -> Command {
        let mut command = self.tool("keyrite-ceremony");
        command.args(["run", "script.yaml", "--first-ceremony"]);
        for (seat, _, _) in PEOPLE {
            command.arg(format!("--signing-key={seat}={}", self.key(seat).display()));
        }
        command
    }

    /// Takes from the TPM what a killed program left there.
    pub fn flush(&self) {
        self.rig.flush_leaked_handles().unwrap();
    }

    /// Transient objects and sessions that are left in the TPM.
    pub fn leaked_handles(&self) -> Vec<String> {
        self.rig.leaked_handles().unwrap().unwrap()
    }
}

/// Whose signatures a seat makes.
pub fn principal(seat: &str) -> String {
    format!("{seat}@rehearsal")
}
