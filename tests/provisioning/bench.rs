//! A TPM behind a tap, and a site that is to provision it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use sandbox::{SOFTHSM_MODULE, SoftHsm, Swtpm, Tap};
use tempfile::TempDir;

/// A fresh TPM, a tap before it, and a site with one custodian, who gets two of the auth values; the third is sealed.
pub struct Bench {
    pub tap: Tap,
    pub swtpm: Swtpm,
    softhsm: Option<SoftHsm>,
    folder: TempDir,
}

const SITE: &str = "version: 1
tokens:
  tpm:
    address: tpm2:TCTI
    setup:
      endorsement-auth: tpm:0x81020011
      accepted: {identity: a test, endorsement-key: a test, firmware-advisories: a test, firmware-known: a test}
TOKENzones: {}
custodians:
  ana: RECIPIENT
";

const TOKEN: &str = "  cr:
    address: pkcs11:token=cr?module-path=MODULE
    pin: tpm:0x81020000
    so-pin: tpm:0x81020001
";

impl Bench {
    pub fn new() -> Self {
        Self::set_up("", None, tempfile::tempdir().unwrap())
    }

    /// The same, with a PKCS#11 token whose PINs are sealed in the TPM.
    pub fn with_token() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let softhsm = SoftHsm::new(folder.path()).unwrap();
        Self::set_up(&TOKEN.replace("MODULE", SOFTHSM_MODULE), Some(softhsm), folder)
    }

    fn set_up(token: &str, softhsm: Option<SoftHsm>, folder: TempDir) -> Self {
        let swtpm = Swtpm::start(&folder.path().join("tpm")).unwrap();
        let tap = Tap::on(&swtpm).unwrap();
        let bench = Self {
            tap,
            swtpm,
            softhsm,
            folder,
        };
        fs::create_dir(bench.site()).unwrap();
        let made = Command::new("age-keygen")
            .arg("-o")
            .arg(bench.key())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("age-keygen (Debian: age)").success());
        let recipient = output(Command::new("age-keygen").arg("-y").arg(bench.key()));
        let text = SITE
            .replace("TOKEN", token)
            .replace("TCTI", bench.tap.tcti())
            .replace("RECIPIENT", recipient.trim());
        fs::write(bench.site().join("site.yaml"), text).unwrap();
        bench
    }

    fn site(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// The custodian's own key.
    fn key(&self) -> PathBuf {
        self.folder.path().join("ana.key")
    }

    /// The tool with these arguments, at the site; what it says goes nowhere.
    pub fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(keyrite_tests::tools().join("keyrite-tpm-init"));
        command.args(arguments).current_dir(self.site()).env_clear();
        if let Some(softhsm) = &self.softhsm {
            command.env("SOFTHSM2_CONF", softhsm.configuration());
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    pub fn provision(&self) -> io::Result<ExitStatus> {
        self.tool(&["provision"]).stderr(Stdio::inherit()).status()
    }

    /// What the TPM and the site came to, without what is drawn at random; fails if an auth value that was delivered does not open the TPM.
    pub fn end(&self) -> String {
        let mut end = String::new();
        for capability in ["handles-persistent", "handles-nv-index"] {
            end.push_str(&self.tpm2("tpm2_getcap", &[capability]));
        }
        let variable = self.tpm2("tpm2_getcap", &["properties-variable"]);
        for line in variable
            .lines()
            .filter(|line| !line.contains("_AVAIL") && !line.contains("ACTIVE"))
        {
            end.push_str(line);
            end.push('\n');
        }
        let mut files: Vec<_> = fs::read_dir(self.site().join("tpm/tpm"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        end.push_str(&files.join(" "));
        // A right auth value that replaces itself: others' tools say whether it is right.
        for (hierarchy, text) in [
            ("owner", self.delivered("owner")),
            ("lockout", self.delivered("lockout")),
            ("endorsement", self.sealed()),
        ] {
            self.tpm2("tpm2_changeauth", &["-c", hierarchy, "-p", &text, &text]);
        }
        end
    }

    /// An auth value that the custodian has, as tpm2-tools take it.
    fn delivered(&self, hierarchy: &str) -> String {
        let file = self.site().join(format!("tpm/tpm/{hierarchy}-auth.age"));
        output(Command::new("age").arg("-d").arg("-i").arg(self.key()).arg(file))
            .trim()
            .to_owned()
    }

    /// Writes what the custodian opened into files, and gives the options that name them: first the owner auth's.
    pub fn give_auths(&self) -> Vec<String> {
        let mut options = Vec::new();
        for hierarchy in ["owner", "lockout"] {
            let path = self.folder.path().join(hierarchy);
            fs::write(&path, self.delivered(hierarchy)).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            options.push(format!("--{hierarchy}-auth"));
            options.push(format!("file:{}", path.display()));
        }
        options
    }

    /// The auth value that is sealed, which its policy gives to whoever asks for it with TPM2_Unseal.
    fn sealed(&self) -> String {
        let session = self.folder.path().join("session");
        let session = session.to_str().unwrap();
        self.tpm2("tpm2_startauthsession", &["--policy-session", "-S", session]);
        self.tpm2("tpm2_policycommandcode", &["-S", session, "TPM2_CC_Unseal"]);
        let auth = format!("session:{session}");
        let bytes = self
            .swtpm
            .must("tpm2_unseal", &["-c", "0x81020011", "-p", &auth])
            .unwrap();
        self.tpm2("tpm2_flushcontext", &[session]);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("hex:{digits}")
    }

    /// Every secret that the tool used, by what it is.
    pub fn secrets(&self) -> Vec<(&'static str, Vec<u8>)> {
        let auth = |text: String| bytes(text.strip_prefix("hex:").unwrap());
        let pin = |handle| self.swtpm.must("tpm2_unseal", &["-c", handle]).unwrap();
        vec![
            ("owner auth", auth(self.delivered("owner"))),
            ("lockout auth", auth(self.delivered("lockout"))),
            ("endorsement auth", auth(self.sealed())),
            ("user PIN", pin("0x81020000")),
            ("SO PIN", pin("0x81020001")),
        ]
    }

    fn tpm2(&self, tool: &str, arguments: &[&str]) -> String {
        String::from_utf8(self.swtpm.must(tool, arguments).unwrap()).unwrap()
    }
}

/// The bytes of hex digits.
pub fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
