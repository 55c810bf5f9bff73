//! Running other software, and a token with keys for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use key_metadata::{
    Algorithm, Extractability, KeyId, KeyRecord, KeyState, KeyTimes, PublicKey, Role, Time, ZoneName,
};
use sandbox::{SOFTHSM_MODULE, SoftHsm};

pub const PIN: &str = "8642-geheim";
pub const TOKEN: &str = "cr zsk";

/// Runs a program of that package; it is on the path of root, too.
pub fn run(package: &str, folder: &Path, softhsm: Option<&Path>, argv: &[&str]) -> Output {
    let mut command = Command::new(argv[0]);
    command
        .args(&argv[1..])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TZ", "UTC");
    if let Some(configuration) = softhsm {
        command.env("SOFTHSM2_CONF", configuration);
    }
    command.output().unwrap_or_else(|error| {
        panic!(
            "{} cannot be run: {error}; install the Debian package {package}",
            argv[0]
        )
    })
}

/// The same, and it must succeed.
pub fn succeed(package: &str, folder: &Path, softhsm: Option<&Path>, argv: &[&str]) -> String {
    let out = run(package, folder, softhsm, argv);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(
        out.status.success(),
        "{argv:?} in {}: {stdout}{stderr}",
        folder.display()
    );
    stdout.into_owned()
}

/// A SoftHSM token with keys by `pkcs11-tool`.
pub struct Token {
    pub configuration: PathBuf,
    folder: PathBuf,
}

impl Token {
    pub fn new(folder: &Path) -> Self {
        let store = SoftHsm::new(folder).unwrap();
        let token = Self {
            configuration: store.configuration().to_owned(),
            folder: folder.to_owned(),
        };
        let init = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            TOKEN,
            "--pin",
            PIN,
            "--so-pin",
            "12345678",
        ];
        succeed("softhsm2", folder, Some(&token.configuration), &init);
        token
    }

    /// Makes a pair; its public half is read from the token.
    pub fn generate(&self, last: u8, algorithm: Algorithm) -> (KeyId, PublicKey) {
        let id = KeyId::from_random([last; 16]);
        let (kind, text) = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => ("rsa:2048", id.to_string()),
            Algorithm::EcdsaP256Sha256 => ("EC:secp256r1", id.to_string()),
            Algorithm::EcdsaP384Sha384 => ("EC:secp384r1", id.to_string()),
            Algorithm::Ed25519 => ("EC:edwards25519", id.to_string()),
        };
        let tool = [
            "pkcs11-tool",
            "--module",
            SOFTHSM_MODULE,
            "--token-label",
            TOKEN,
            "--login",
            "--pin",
            PIN,
        ];
        let make = [
            "--keypairgen",
            "--key-type",
            kind,
            "--id",
            &text,
            "--label",
            "made",
        ];
        let shown = succeed(
            "opensc",
            &self.folder,
            Some(&self.configuration),
            &[&tool[..], &make].concat(),
        );
        let length = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
                let read = [
                    "--read-object",
                    "--type",
                    "pubkey",
                    "--id",
                    &text,
                    "--output-file",
                    "pub.der",
                ];
                succeed(
                    "opensc",
                    &self.folder,
                    Some(&self.configuration),
                    &[&tool[..], &read].concat(),
                );
                let der = std::fs::read(self.folder.join("pub.der")).unwrap();
                // SubjectPublicKeyInfo or RSAPublicKey, by the version of the tool: exponent 65537 ends both, the modulus is before it.
                let (modulus, end) = der.split_at(der.len() - 5);
                assert_eq!(end, [2, 3, 1, 0, 1]);
                return (
                    id,
                    PublicKey::rsa(algorithm, &modulus[modulus.len() - 256..], &end[2..]).unwrap(),
                );
            }
            Algorithm::EcdsaP256Sha256 => 64,
            Algorithm::EcdsaP384Sha384 => 96,
            Algorithm::Ed25519 => 32,
        };
        // The tool cannot export each curve's key, but shows its point when it has made it.
        let point = shown
            .lines()
            .find_map(|line| line.trim().strip_prefix("EC_POINT:"))
            .unwrap()
            .trim();
        let bytes: Vec<u8> = (0..point.len() / 2)
            .map(|byte| u8::from_str_radix(&point[2 * byte..2 * byte + 2], 16).unwrap())
            .collect();
        let bytes = &bytes[bytes.len() - length..];
        (id, PublicKey::from_dnskey(algorithm, bytes).unwrap())
    }
}

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

/// A record of a key in the token, with an hour between the times that its state has behind it.
pub fn record(id: KeyId, public_key: PublicKey, role: Role, state: KeyState) -> KeyRecord {
    let at = |hour: u8| time(&format!("2026-11-23T{hour:02}:00:00Z"));
    let mut times = KeyTimes::generated(time("2026-11-23T01:00:00Z"));
    use KeyState::{
        Active, Dead, Destroyed, Generated, PostActive, PreActive, Published, Ready, Removed, RetireActive,
        Retired, Revoked,
    };
    let usual = [Published, Ready, Active, Retired, Dead, Removed];
    let path: Vec<KeyState> = match state {
        Generated | Published | Ready | Active | Retired | Dead | Removed | Destroyed => {
            let last = usual.iter().position(|known| *known == state);
            usual[..last.map_or(0, |last| last + 1)].to_vec()
        }
        Revoked => vec![Published, Ready, Active, Retired, Revoked],
        PreActive => vec![PreActive],
        RetireActive => vec![PreActive, Published, Ready, Active, RetireActive],
        PostActive if role == Role::Csk => vec![Published, Active, RetireActive, PostActive],
        PostActive => vec![Published, Active, PostActive],
    };
    for (hour, state) in (2..).zip(path) {
        times.set(state, at(hour));
    }
    let escaped: String = id.as_bytes().iter().map(|byte| format!("%{byte:02x}")).collect();
    KeyRecord {
        id,
        role,
        public_key,
        reference: format!("pkcs11:token=cr%20zsk;id={escaped}").parse().unwrap(),
        state,
        times,
        backup: key_metadata::Backup::none(Extractability::Never),
    }
}
