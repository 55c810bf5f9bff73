//! Certificates of endorsement keys: those that swtpm_setup makes, and all that can be wrong with others, made with openssl.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use key_metadata::{Advice, Time};
use sandbox::{EkCa, Swtpm};
use tempfile::TempDir;
use tpm::{Credential, EkPublicKey, EkTemplate, Tpm};
use tpm_init::{Bundle, BundleError, EkVerdict, certified_key, matches, roca, verify};

/// Within the validity of everything that is made here: that begins at the test's own time.
fn now() -> Time {
    chrono::Utc::now().into()
}

fn run(folder: &Path, program: &str, line: &str) {
    let output = Command::new(program)
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const EXTENSIONS: &str = "
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[ek]
basicConstraints = critical, CA:FALSE
keyUsage = critical, keyAgreement
extendedKeyUsage = 2.23.133.8.1
subjectAltName = critical, dirName:tpm
[tpm]
1.2.23.133.2.1 = id:4E544300
2.2.23.133.2.2 = NPCT75x
[plain]
subjectAltName = critical, dirName:tpm
[server]
extendedKeyUsage = serverAuth
[odd]
1.2.3.4 = critical, ASN1:NULL
";

/// A root, an issuer under it, and what the issuer signs; every key is P-256.
struct Maker {
    folder: TempDir,
}

impl Maker {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("openssl.cnf"), EXTENSIONS).unwrap();
        let maker = Self { folder };
        maker.openssl(
            "req -x509 -config openssl.cnf -extensions ca -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout \
             root.key -out root.pem -days 36500 -subj /CN=Root",
        );
        maker.signed("issuer", "ca", "root", 3650);
        maker
    }

    fn openssl(&self, line: &str) {
        run(self.folder.path(), "openssl", line);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate that `by` signs, as PEM and, for the caller, as DER.
    fn signed(&self, name: &str, extensions: &str, by: &str, days: u32) -> Vec<u8> {
        self.openssl(&format!(
            "req -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out \
             {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -set_serial 0x1234 -days {days} -extfile openssl.cnf \
             -extensions {extensions} -out {name}.pem"
        ));
        self.openssl(&format!("x509 -in {name}.pem -outform der -out {name}.der"));
        fs::read(self.file(&format!("{name}.der"))).unwrap()
    }

    fn bundle(&self) -> Bundle {
        bundle_of(&[&self.file("root.pem"), &self.file("issuer.pem")]).unwrap()
    }
}

fn bundle_of(files: &[&Path]) -> Result<Bundle, BundleError> {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    Bundle::from_folder(folder.path())
}

fn why(verdict: EkVerdict) -> String {
    match verdict {
        EkVerdict::Invalid { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn three_verdicts() {
    let (maker, stranger) = (Maker::new(), Maker::new());
    let der = maker.signed("tpm", "ek", "issuer", 30);
    let bundle = maker.bundle();
    assert_eq!(
        verify(&der, &bundle, now()),
        EkVerdict::Genuine {
            issuer: "CN=issuer".to_owned(),
            serial: "1234".to_owned()
        }
    );
    // Of somebody else, whose names happen to be the same.
    let forged = stranger.signed("tpm", "ek", "issuer", 30);
    assert!(why(verify(&forged, &bundle, now())).contains("somebody else signed it"));
    // Of somebody whom the bundle does not know; and so where it has the root without the issuer.
    stranger.signed("other", "ca", "root", 30);
    let unknown = stranger.signed("tpm", "ek", "other", 30);
    let by_other = EkVerdict::UnknownCa {
        issuer: "CN=other".to_owned(),
    };
    assert_eq!(verify(&unknown, &bundle, now()), by_other);
    let root = bundle_of(&[&maker.file("root.pem")]).unwrap();
    assert!(matches!(verify(&der, &root, now()), EkVerdict::UnknownCa { .. }));
}

#[test]
fn each_bit_counts() {
    let maker = Maker::new();
    let der = maker.signed("tpm", "ek", "issuer", 30);
    let bundle = maker.bundle();
    for position in 0..der.len() {
        let mut changed = der.clone();
        changed[position] ^= 1;
        let verdict = verify(&changed, &bundle, now());
        assert!(!matches!(verdict, EkVerdict::Genuine { .. }), "{position}");
        let verdict = verify(&der[..position], &bundle, now());
        assert!(matches!(verdict, EkVerdict::Invalid { .. }), "{position}");
    }
    assert_eq!(why(verify(&[], &bundle, now())), "it is no certificate");
    assert_eq!(why(verify(&[0xff; 900], &bundle, now())), "it is no certificate");
    let longer = [&der[..], &[0]].concat();
    assert_eq!(why(verify(&longer, &bundle, now())), "it is no certificate");
}

#[test]
fn dates() {
    let maker = Maker::new();
    let der = maker.signed("tpm", "ek", "issuer", 30);
    let bundle = maker.bundle();
    let later = |days| Time::from(chrono::Utc::now() + chrono::Duration::days(days));
    assert!(matches!(
        verify(&der, &bundle, later(29)),
        EkVerdict::Genuine { .. }
    ));
    let expired = why(verify(&der, &bundle, later(31)));
    assert!(
        expired.starts_with("it expired on 20") && expired.ends_with('Z'),
        "{expired}"
    );
    let early = why(verify(&der, &bundle, later(-1)));
    assert!(early.contains("is not valid before"), "{early}");
    assert!(why(verify(&der, &bundle, "1969-12-31T00:00:00Z".parse().unwrap())).contains("not valid before"));
    // The issuer's ten years are over, the key's are not.
    let long = maker.signed("long", "ek", "issuer", 9000);
    let expired = why(verify(&long, &bundle, later(4000)));
    assert!(expired.starts_with("a CA above it expired on"), "{expired}");
}

#[test]
fn what_it_is_for() {
    let maker = Maker::new();
    let bundle = maker.bundle();
    let verdict = |name, extensions| verify(&maker.signed(name, extensions, "issuer", 30), &bundle, now());
    assert!(matches!(verdict("plain", "plain"), EkVerdict::Genuine { .. }));
    assert_eq!(why(verdict("web", "server")), "it is not for an endorsement key");
    assert_eq!(why(verdict("ca", "ca")), "it is a CA's, not an endorsement key's");
    assert!(why(verdict("odd", "odd")).contains("UnsupportedCriticalExtension"));
    // What no CA signed cannot sign either.
    maker.signed("tpm", "ek", "issuer", 30);
    let files = ["root.pem", "issuer.pem", "tpm.pem"].map(|name| maker.file(name));
    let bundle = bundle_of(&[&files[0], &files[1], &files[2]]).unwrap();
    let by_tpm = maker.signed("below", "ek", "tpm", 30);
    assert!(matches!(
        verify(&by_tpm, &bundle, now()),
        EkVerdict::Invalid { .. }
    ));
}

#[test]
fn folders() {
    let maker = Maker::new();
    let der = maker.signed("tpm", "ek", "issuer", 30);
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let read = || Bundle::from_folder(folder.path());
    let error = read().unwrap_err();
    assert!(
        matches!(error, BundleError::NoAnchor { .. }) && error.hint().is_some(),
        "{error}"
    );
    put("README", b"where these come from");
    put("issuer.CER", &fs::read(maker.file("issuer.der")).unwrap());
    assert!(matches!(read(), Err(BundleError::NoAnchor { .. })));
    let text = [
        b"a note\n".to_vec(),
        fs::read(maker.file("root.pem")).unwrap(),
        fs::read(Maker::new().file("root.pem")).unwrap(),
    ];
    put("roots.pem", &text.concat());
    let bundle = read().unwrap();
    assert_eq!((bundle.len(), bundle.is_empty()), (3, false));
    assert!(matches!(verify(&der, &bundle, now()), EkVerdict::Genuine { .. }));
    for (name, bytes, reason) in [
        ("bad.der", vec![0x30, 0x03, 1, 2, 3], "BadDer"),
        ("bad.pem", b"nothing".to_vec(), "neither PEM nor DER"),
        (
            "key.crt",
            fs::read(maker.file("root.key")).unwrap(),
            "neither PEM nor DER",
        ),
    ] {
        put(name, &bytes);
        let error = read().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(reason), "{error}");
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    put("large.pem", &vec![b'x'; (1 << 20) + 1]);
    let error = read().unwrap_err().to_string();
    assert!(error.contains("large.pem has more than 1048576 bytes"), "{error}");
    let error = Bundle::from_folder(&folder.path().join("absent")).unwrap_err();
    assert!(error.to_string().ends_with("absent cannot be read"), "{error}");
}

/// The whole way with a software TPM: certificates from NV, their chain, the key, its fingerprint, and the attestation key.
#[test]
fn swtpm_is_what_its_maker_certified() {
    let folder = tempfile::tempdir().unwrap();
    let ca = EkCa::new(&folder.path().join("ca"), "Maker").unwrap();
    let state = |name| folder.path().join(name);
    let bundle = bundle_of(&[&ca.root(), &ca.issuer()]).unwrap();
    let swtpm = Swtpm::manufactured(&state("tpm"), &ca).unwrap();
    let tpm = Tpm::connect(&swtpm.tcti().parse().unwrap()).unwrap();
    let certificates = tpm.ek_certificates().unwrap();
    assert_eq!(certificates.len(), 2);
    let mut keys = Vec::new();
    for certificate in &certificates {
        let verdict = verify(&certificate.der, &bundle, now());
        assert!(
            matches!(&verdict, EkVerdict::Genuine { issuer, .. } if issuer == "CN=Maker TPM EK Issuing CA,O=Maker"),
            "{verdict:?}"
        );
        assert!(matches!(
            verify(&certificate.der, &Maker::new().bundle(), now()),
            EkVerdict::UnknownCa { .. }
        ));
        let template = EkTemplate::of_certificate(certificate.index).unwrap();
        let key = tpm.endorsement_key(template, None).unwrap();
        assert!(matches(&certificate.der, &key));
        let certified = certified_key(&certificate.der).unwrap();
        if let EkPublicKey::Rsa { modulus, .. } = &certified {
            assert!(!roca::has_fingerprint(modulus));
        }
        let at = (0x8101_0020 + certificate.index % 16).try_into().unwrap();
        let ak = tpm.create_attestation_key(at, template, None, None).unwrap();
        let credential = Credential::make(template, &certified, ak.name(), b"secret").unwrap();
        assert_eq!(
            tpm.activate(&credential, at, template, None).unwrap().as_slice(),
            b"secret"
        );
        keys.push(key);
    }
    // Crosswise they do not fit.
    assert!(!matches(&certificates[0].der, &keys[1]) && !matches(b"nothing", &keys[0]));
    // Neither does a certificate that was put into another TPM; and one bit of a signature is noticed.
    let other = Swtpm::with_other_ek(&state("other"), &ca).unwrap();
    let other = Tpm::connect(&other.tcti().parse().unwrap()).unwrap();
    for certificate in other.ek_certificates().unwrap() {
        let template = EkTemplate::of_certificate(certificate.index).unwrap();
        let verdict = verify(&certificate.der, &bundle, now());
        assert!(matches!(verdict, EkVerdict::Genuine { .. }), "{verdict:?}");
        assert!(!matches(
            &certificate.der,
            &other.endorsement_key(template, None).unwrap()
        ));
    }
    let tampered = Swtpm::with_tampered_ek(&state("tampered"), &ca).unwrap();
    let tampered = Tpm::connect(&tampered.tcti().parse().unwrap()).unwrap();
    for certificate in tampered.ek_certificates().unwrap() {
        assert!(why(verify(&certificate.der, &bundle, now())).contains("it was changed"));
    }
}
