//! The maker of TPMs, as far as its certificates go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certification authority that certifies endorsement keys: a root and, under it, an issuer. Throwaway, in a folder of the caller's.
pub struct EkCa {
    folder: PathBuf,
}

/// RSA-2048: our choice.
const KEY: [&str; 4] = ["-newkey", "rsa:2048", "-nodes", "-batch"];
const EXTENSIONS: &str = "[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

impl EkCa {
    /// Makes one in `folder`; `name` is in the subject of both its certificates.
    pub fn new(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let ca = Self {
            folder: fs::canonicalize(folder)?,
        };
        fs::write(ca.folder.join("openssl.cnf"), EXTENSIONS)?;
        let subject = |what| format!("/O={name}/CN={name} TPM EK {what}");
        ca.openssl(&[
            &["req", "-x509", "-config", "openssl.cnf", "-extensions", "ca"][..],
            &KEY,
            &["-keyout", "rootkey.pem", "-out", "root.pem", "-days", "3650"],
            &["-subj", &subject("Root CA")],
        ])?;
        ca.openssl(&[
            &["req", "-config", "openssl.cnf"][..],
            &KEY,
            &["-keyout", "issuerkey.pem", "-out", "issuer.csr"],
            &["-subj", &subject("Issuing CA")],
        ])?;
        ca.openssl(&[
            &[
                "x509",
                "-req",
                "-in",
                "issuer.csr",
                "-out",
                "issuer.pem",
                "-days",
                "3650",
            ][..],
            &["-CA", "root.pem", "-CAkey", "rootkey.pem", "-set_serial", "2"],
            &["-extfile", "openssl.cnf", "-extensions", "ca"],
        ])?;
        ca.configure()?;
        Ok(ca)
    }

    /// The PEM file with the root's certificate.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// The PEM file with the issuer's certificate, which the root signed.
    pub fn issuer(&self) -> PathBuf {
        self.folder.join("issuer.pem")
    }

    /// The files that swtpm_setup and swtpm_localca read.
    fn configure(&self) -> io::Result<()> {
        let folder = self.folder.display();
        fs::write(
            self.folder.join("swtpm-localca.conf"),
            format!(
                "statedir = {folder}\nsigningkey = {folder}/issuerkey.pem\nissuercert = {folder}/issuer.pem\n\
                 certserial = {folder}/certserial\n"
            ),
        )?;
        fs::write(
            self.folder.join("swtpm-localca.options"),
            "--platform-manufacturer Keyrite\n--platform-version 1\n--platform-model sandbox\n",
        )?;
        fs::write(
            self.folder.join("swtpm_setup.conf"),
            format!(
                "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {folder}/swtpm-localca.conf\n\
                 create_certs_tool_options = {folder}/swtpm-localca.options\nactive_pcr_banks = sha256\n"
            ),
        )
    }

    /// Makes the state of a new TPM: endorsement keys at 0x81010001 (RSA-2048) and 0x81010016 (P-384), their certificates and the
    /// platform's in NV.
    pub(crate) fn manufacture(&self, state: &Path) -> io::Result<()> {
        fs::create_dir_all(state)?;
        let mut setup = Command::new("swtpm_setup");
        setup
            .arg("--tpm2")
            .args(["--create-ek-cert", "--create-platform-cert", "--lock-nvram"])
            .arg("--overwrite")
            .arg("--tpmstate")
            .arg(fs::canonicalize(state)?)
            .arg("--config")
            .arg(self.folder.join("swtpm_setup.conf"));
        succeed(setup, "swtpm-tools")
    }

    fn openssl(&self, arguments: &[&[&str]]) -> io::Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments.concat()).current_dir(&self.folder);
        succeed(openssl, "openssl")
    }
}

fn succeed(mut command: Command, package: &str) -> io::Result<()> {
    let name = command.get_program().display().to_string();
    let output = command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .map_err(|error| {
            let problem = format!("cannot start {name} (Debian: {package}): {error}");
            io::Error::new(error.kind(), problem)
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{name} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}
