//! The TPM and the token of a ceremony: a real swtpm and a real SoftHSM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ceremony::log::{LogKey, TpmAnchors, names};
use key_metadata::{Digest, NvIndex, PcrNumber, PcrSelection, TpmHandle};
use sandbox::{SOFTHSM_MODULE, SoftHsm, Swtpm};
use tpm::{Anchor, AttestationKeyState, EkTemplate, Holds, Statement, Tpm, pcr_file};

/// A TPM with what anchors a log.
pub struct Anchors {
    pub swtpm: Swtpm,
    pub tpm: Tpm,
}

pub fn at() -> TpmHandle {
    0x8101_0020.try_into().unwrap()
}

pub fn log_index() -> NvIndex {
    "0x01800020".parse().unwrap()
}

pub fn counter_index() -> NvIndex {
    "0x01800021".parse().unwrap()
}

impl Anchors {
    /// Starts the TPM whose state is there; a new one is provisioned.
    pub fn start(state: &Path) -> Self {
        let swtpm = Swtpm::start(state).expect("swtpm and tpm2-tools must be installed");
        let tpm = Tpm::connect(&swtpm.tcti().parse().unwrap()).unwrap();
        let anchors = Self { swtpm, tpm };
        if anchors.tpm.attestation_key(at()).unwrap() == AttestationKeyState::Absent {
            anchors.provision();
        }
        anchors
    }

    pub fn provision(&self) {
        self.tpm.ensure_srk(None).unwrap();
        self.tpm
            .create_attestation_key(at(), EkTemplate::P256, None, None)
            .unwrap();
        for (anchor, index) in [(Anchor::Log, log_index()), (Anchor::Counter, counter_index())] {
            self.tpm.define_anchor(anchor, index, None).unwrap();
        }
        self.tpm.raise_counter(counter_index()).unwrap();
    }

    pub fn of_genesis(&self) -> TpmAnchors {
        let AttestationKeyState::Ours(key) = self.tpm.attestation_key(at()).unwrap() else {
            panic!("no attestation key");
        };
        let name = |anchor: Anchor, index| anchor.name(index, Holds::Something).unwrap().to_string();
        TpmAnchors {
            ek_certificate: None,
            ak_name: key.name().to_string(),
            ak: BASE64_STANDARD.encode(key.spki()),
            log_index: log_index().to_string(),
            log_index_name: name(Anchor::Log, log_index()),
            log_value: self
                .tpm
                .log_value(log_index())
                .unwrap()
                .map_or(Digest::ZERO, Digest::from),
            log_counter: counter_index().to_string(),
            log_counter_name: name(Anchor::Counter, counter_index()),
            counter: self.tpm.counter(counter_index()).unwrap(),
        }
    }

    /// The files of its statements on a checkpoint.
    pub fn statements(&self, number: u64, checkpoint: &[u8]) -> Vec<(String, Vec<u8>)> {
        let for_it = *Digest::of(checkpoint).bytes();
        let mut files = Vec::new();
        let mut add = |what: &str, statement: &Statement| {
            files.push((names::tpm(number, what, "attest"), statement.attested().to_vec()));
            files.push((names::tpm(number, what, "sig"), statement.signature_der()));
        };
        for (what, anchor, index) in [
            ("extend", Anchor::Log, log_index()),
            ("counter", Anchor::Counter, counter_index()),
        ] {
            add(what, &self.tpm.certify_nv(at(), anchor, index, &for_it).unwrap());
        }
        let pcrs: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, 9]
            .map(|pcr| PcrNumber::try_from(pcr).unwrap())
            .into();
        let quote = self
            .tpm
            .quote(at(), &PcrSelection::try_from(pcrs).unwrap(), &for_it)
            .unwrap();
        add("quote", &quote.statement);
        files.push((
            names::tpm(number, "quote", "tss"),
            quote.statement.signature_tpmt(),
        ));
        files.push((names::tpm(number, "quote", "pcrs"), pcr_file(&quote.values)));
        files
    }
}

/// A token with a P-256 key that signs a log, used by OpenSC's tool: a module is told its store by the environment of its process.
pub struct LogToken {
    configuration: PathBuf,
    folder: PathBuf,
}

impl LogToken {
    pub fn make(folder: &Path) -> Self {
        let store = SoftHsm::new(folder).unwrap();
        let token = Self {
            configuration: store.configuration().to_owned(),
            folder: folder.to_owned(),
        };
        token.run(
            "softhsm2-util",
            &[
                "--init-token",
                "--free",
                "--label",
                "log",
                "--so-pin",
                "87654321",
                "--pin",
                "1234",
            ],
        );
        token.tool(&[
            "--keypairgen",
            "--key-type",
            "EC:prime256v1",
            "--id",
            "01",
            "--label",
            "log",
        ]);
        token
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program)
            .env("SOFTHSM2_CONF", &self.configuration)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn tool(&self, arguments: &[&str]) {
        let always = [
            "--module",
            SOFTHSM_MODULE,
            "--token-label",
            "log",
            "--login",
            "--pin",
            "1234",
        ];
        self.run("pkcs11-tool", &[&always[..], arguments].concat());
    }

    pub fn of_genesis(&self) -> LogKey {
        let file = self.folder.join("key.der");
        self.tool(&[
            "--read-object",
            "--type",
            "pubkey",
            "--id",
            "01",
            "--output-file",
            file.to_str().unwrap(),
        ]);
        LogKey {
            token: "log".to_owned(),
            key: BASE64_STANDARD.encode(fs::read(file).unwrap()),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let [data, signature] = ["data", "signature"].map(|name| self.folder.join(name));
        // SoftHSM hashes nothing for a curve.
        fs::write(&data, Digest::of(message).bytes()).unwrap();
        self.tool(&[
            "--sign",
            "--mechanism",
            "ECDSA",
            "--signature-format",
            "openssl",
            "--id",
            "01",
            "--input-file",
            data.to_str().unwrap(),
            "--output-file",
            signature.to_str().unwrap(),
        ]);
        fs::read(signature).unwrap()
    }
}
