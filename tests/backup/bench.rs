//! A site with custodians and a spare token, and the tools at it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use keyrite_tests::{Rig, Stack, TpmState};
use sandbox::Swtpm;
use tempfile::TempDir;

/// The zone whose keys are backed up.
pub const ZONE: &str = "fi.cr";
/// The custodians, of whom the first three have shares of 2-of-3.
pub const CUSTODIANS: [&str; 7] = ["ana", "luis", "rosa", "hugo", "ines", "omar", "tere"];

/// How the spare token of PKCS#11 stands in site.yaml.
const SPARE: &str = "  spare:\n    address: pkcs11:token=spare?module-path=/usr/lib/softhsm/libsofthsm2.so\n    pin: tpm:0x81020004\n    \
                     so-pin: tpm:0x81020005\n";

/// m of n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// How many shares suffice.
    pub needed: usize,
    /// How many there are.
    pub shares: usize,
}

impl Split {
    pub const SMALL: Self = Self { needed: 2, shares: 3 };
    pub const LARGE: Self = Self { needed: 5, shares: 7 };

    /// Every choice of as many custodians as are needed.
    pub fn choices(self) -> Vec<Vec<&'static str>> {
        let threshold = backup::Threshold::new(self.needed, self.shares).unwrap();
        let names = |places: Vec<usize>| places.iter().map(|place| CUSTODIANS[*place]).collect();
        threshold.subsets().map(names).collect()
    }
}

/// A bundle of the site, and where its shares are.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub id: String,
    /// The folder of its shares, from the site.
    pub shares: String,
    pub split: Split,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    #[expect(dead_code, reason = "shown where a test fails")]
    pub text: String,
}

/// The site.
pub struct Bench {
    rig: Rig,
    // Dropped after the stack's daemons.
    folder: TempDir,
    tools: PathBuf,
}

impl Bench {
    /// With the token `cr` of that stack, and a token `spare` beside it.
    pub fn new(stack: Stack) -> Self {
        let folder = tempfile::Builder::new().prefix("keyrite-").tempdir().unwrap();
        let rig = Rig::new(folder.path(), stack, TpmState::Fresh).unwrap();
        let tools = keyrite_tests::tools().to_owned();
        let bench = Self { rig, folder, tools };
        bench.must("keyrite-tpm-init provision");
        if stack == Stack::SoftHsm {
            bench.add_token(SPARE);
            bench.must("keyrite-tpm-init token --token spare");
        }
        bench.must("keyrite-tpm-init token --token cr");
        bench.must(&format!("$FIXTURES/custodians {}", CUSTODIANS.join(" ")));
        bench
    }

    /// A second TPM at the site, under the name `spare`, which works as long as what is given back lives.
    pub fn spare_tpm(&self) -> Swtpm {
        let spare = Swtpm::start(&self.folder.path().join("spare-tpm")).unwrap();
        self.must("umask 077; tpm2_getrandom --hex 16 >../spare-pin");
        let accepted = [
            "identity",
            "firmware-advisories",
            "firmware-known",
            "endorsement-key",
        ];
        let accepted = accepted.map(|check| format!("        {check}: a test, on a TPM in software\n"));
        // The auth values go to the site's custodians: a second TPM keeps none for the site.
        self.add_token(&format!(
            "  spare:\n    address: tpm2:{}\n    pin: file:../spare-pin\n    setup:\n      accepted:\n{}",
            spare.tcti(),
            accepted.concat()
        ));
        self.must("keyrite-tpm-init provision --tpm spare");
        spare
    }

    fn add_token(&self, entry: &str) {
        let path = self.site().join("site.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("tokens:\n", &format!("tokens:\n{entry}"), 1)).unwrap();
    }

    /// The site's folder.
    pub fn site(&self) -> &Path {
        self.rig.site()
    }

    /// The folder that the site lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A line for sh, in the site.
    pub fn run(&self, line: &str) -> Output {
        self.rig
            .command("sh")
            .args(["-c", line])
            .env(
                "PATH",
                format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.tools.display()),
            )
            .env("HOME", self.site())
            .env("TSS2_LOG", "all+NONE")
            .env("FIXTURES", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
            .output()
            .unwrap()
    }

    /// The same; all that it said.
    pub fn said(&self, line: &str) -> Said {
        let output = self.run(line);
        let text = [output.stdout, output.stderr].concat();
        Said {
            code: output.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    /// A line that must end well; what it printed.
    pub fn must(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(
            output.status.success(),
            "{line}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that makes a bundle, given without its custody.
    pub fn bundle(&self, command: &str, split: Split) -> Bundle {
        let shares = format!("../shares-{}", fs::read_dir(self.folder()).unwrap().count());
        self.must(&format!("mkdir {shares}"));
        let custodians: Vec<_> = CUSTODIANS[..split.shares]
            .iter()
            .map(|name| format!("--custodian {name}"))
            .collect();
        let made = self.must(&format!(
            "{command} --needed {} {} --shares {shares} --officer ana=../people/ana --json",
            split.needed,
            custodians.join(" ")
        ));
        let report: serde_json::Value = serde_json::from_str(&made).unwrap();
        Bundle {
            id: report["bundle"].as_str().unwrap().to_owned(),
            shares,
            split,
        }
    }

    /// The objects of a token whose PIN is sealed at that handle, as pkcs11-tool lists them.
    pub fn objects(&self, token: &str, pin: &str) -> String {
        self.must(&format!("$FIXTURES/p11 {token} {pin} -O 2>/dev/null"))
    }
}

impl Bundle {
    /// The options with the shares of these custodians.
    pub fn shares_of(&self, custodians: &[&str]) -> String {
        let share = |name: &&str| {
            format!(
                "--share file:{}/{}-{name}.age --identity ../people/{name}.key",
                self.shares, self.id
            )
        };
        custodians.iter().map(share).collect::<Vec<_>>().join(" ")
    }
}
