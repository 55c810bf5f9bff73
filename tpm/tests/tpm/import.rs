//! Keys of other programs, taken under the storage root key.

use key_metadata::{Advice, Algorithm, SoftwareKey, SoftwareSecret, verifies};
use keyrite_tpm::{ImportError, KeyBlob, SignError, Tpm};
use sandbox::{Tap, software_key};

use crate::{secret, tool, with_state, with_tpm};

const DATA: &[u8] = b"an RRset in canonical form";

/// What swtpm signs with.
const KEYS: [(Algorithm, u16); 5] = [
    (Algorithm::RsaSha256, 2048),
    (Algorithm::RsaSha512, 2048),
    (Algorithm::RsaSha256, 3072),
    (Algorithm::EcdsaP256Sha256, 256),
    (Algorithm::EcdsaP384Sha384, 384),
];

fn key(algorithm: Algorithm, bits: u16) -> SoftwareKey {
    software_key(algorithm, bits).expect("openssl must be installed")
}

/// Imports a key, and has it sign from its file.
fn import_and_sign(tpm: &Tpm, key: &SoftwareKey, pin: &str) {
    let algorithm = key.public_key.algorithm().made().unwrap();
    let auth = (!pin.is_empty()).then(|| secret(pin));
    let blob = tpm.import_key(key, auth.as_ref()).unwrap();
    let blob = KeyBlob::from_bytes(&blob.to_bytes()).unwrap();
    assert_eq!(blob.public_key(algorithm).unwrap(), key.public_key);
    let loaded = tpm.load(&blob, auth.as_ref()).unwrap();
    let signature = loaded.sign(algorithm, DATA).unwrap();
    assert!(verifies(&key.public_key, DATA, &signature), "{algorithm}");
}

#[test]
fn keys_of_every_kind_are_taken_and_sign() {
    with_tpm(|tpm, _| {
        for (algorithm, bits) in KEYS {
            let key = key(algorithm, bits);
            import_and_sign(tpm, &key, "");
            import_and_sign(tpm, &key, "a PIN");
        }
    });
}

/// The other form of seed: OAEP.
#[test]
fn an_rsa_storage_root_key_takes_keys_too() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        let zeros = folder.path().join("zeros");
        std::fs::write(&zeros, [0; 256]).unwrap();
        tool(
            swtpm,
            &format!(
                "tpm2_createprimary -Q -C o -G rsa2048:aes128cfb -u {} -a \
                 fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt -c {}",
                zeros.display(),
                folder.path().join("ctx").display()
            ),
        );
        tool(
            swtpm,
            &format!(
                "tpm2_evictcontrol -Q -C o -c {} 0x81000001",
                folder.path().join("ctx").display()
            ),
        );
        tool(swtpm, "tpm2_flushcontext -t");
        import_and_sign(tpm, &key(Algorithm::EcdsaP256Sha256, 256), "a PIN");
        import_and_sign(tpm, &key(Algorithm::RsaSha256, 2048), "a PIN");
    });
}

#[test]
fn the_key_has_its_auth_value_and_stays_in_the_tpm() {
    with_tpm(|tpm, swtpm| {
        let pin = secret("a PIN");
        let blob = tpm
            .import_key(&key(Algorithm::EcdsaP256Sha256, 256), Some(&pin))
            .unwrap();
        let wrong = tpm.load(&blob, Some(&secret("wrong"))).unwrap();
        let refused = wrong.sign(Algorithm::EcdsaP256Sha256, DATA);
        assert!(
            matches!(refused, Err(SignError::AuthRefused { .. })),
            "{refused:?}"
        );
        drop(wrong);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(file("public"), blob.public_part()).unwrap();
        std::fs::write(file("private"), blob.private_part()).unwrap();
        tool(
            swtpm,
            &format!(
                "tpm2_load -Q -C 0x81000001 -u {} -r {} -c {}",
                file("public"),
                file("private"),
                file("ctx")
            ),
        );
        let attributes = tool(swtpm, &format!("tpm2_readpublic -c {}", file("ctx")));
        assert!(attributes.contains("value: userwithauth|sign\n"), "{attributes}");
        tool(swtpm, "tpm2_flushcontext -t");
        // Even the policy that says no more than what the session is for does not let it go: the key has none.
        tool(
            swtpm,
            &format!("tpm2_startauthsession -Q --policy-session -S {}", file("session")),
        );
        tool(
            swtpm,
            &format!(
                "tpm2_policycommandcode -Q -S {} TPM2_CC_Duplicate",
                file("session")
            ),
        );
        let line = format!(
            "-C null -c {} -G null -p session:{} -r {} -s {}",
            file("ctx"),
            file("session"),
            file("duplicate"),
            file("seed")
        );
        let words: Vec<_> = line.split(' ').collect();
        let output = swtpm.tool("tpm2_duplicate", &words).unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains("0x99D"), "{error}");
        tool(swtpm, &format!("tpm2_flushcontext {}", file("session")));
        tool(swtpm, "tpm2_flushcontext -t");
    });
}

#[test]
fn what_the_tpm_cannot_take_is_said() {
    with_tpm(|tpm, _| {
        let refused = |algorithm, bits| {
            let error = tpm.import_key(&key(algorithm, bits), None).unwrap_err();
            assert!(error.hint().is_some() && !error.is_credential(), "{error}");
            error
        };
        for (algorithm, bits) in [(Algorithm::Ed25519, 256), (Algorithm::RsaSha256, 4096)] {
            let error = refused(algorithm, bits);
            assert!(matches!(error, ImportError::Unsupported { .. }), "{error}");
            assert!(
                error.to_string().contains("it takes RSASHA256 (2048 bits), "),
                "{error}"
            );
        }
        assert!(matches!(
            refused(Algorithm::RsaSha256, 1024),
            ImportError::Size(_)
        ));
        let long = secret(&"x".repeat(33));
        let good = key(Algorithm::EcdsaP256Sha256, 256);
        assert_eq!(
            tpm.import_key(&good, Some(&long)),
            Err(ImportError::AuthLength { length: 33 })
        );
    });
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    with_tpm(|tpm, _| {
        for (algorithm, bits) in KEYS {
            let mut mixed = key(algorithm, bits);
            mixed.public_key = key(algorithm, bits).public_key;
            let error = tpm.import_key(&mixed, None).unwrap_err();
            assert!(
                matches!(
                    error,
                    ImportError::Refused { .. } | ImportError::Load(_) | ImportError::NotThatKey { .. }
                ),
                "{algorithm}: {error:?}"
            );
        }
        let mut other = key(Algorithm::EcdsaP256Sha256, 256);
        other.secret = key(Algorithm::EcdsaP384Sha384, 384).secret;
        let other = tpm.import_key(&other, None);
        assert!(matches!(other, Err(ImportError::OtherKind { .. })), "{other:?}");
    });
}

#[test]
fn neither_the_key_nor_its_auth_value_crosses_the_bus_in_the_clear() {
    with_tpm(|tpm, swtpm| {
        let name = tpm.srk_name().unwrap();
        let tap = Tap::on(swtpm).unwrap();
        let heard = Tpm::connect(&tap.tcti().parse().unwrap()).unwrap();
        heard.pin_srk(&name).unwrap();
        for (algorithm, bits) in [(Algorithm::RsaSha256, 2048), (Algorithm::EcdsaP256Sha256, 256)] {
            let key = key(algorithm, bits);
            heard.import_key(&key, Some(&secret("KEY-AUTH-VALUE"))).unwrap();
            let public = key
                .public_key
                .rsa_parts()
                .map_or(key.public_key.as_dnskey(), |(n, _)| n);
            assert!(tap.saw(&public[..32]), "the tap listens");
            let secrets = match &key.secret {
                SoftwareSecret::Scalar(scalar) => vec![scalar],
                SoftwareSecret::Rsa(rsa) => vec![&rsa.prime1, &rsa.prime2, &rsa.private_exponent],
            };
            for secret in secrets {
                assert!(!tap.saw(&secret[..16]), "{algorithm}");
                assert!(!tap.saw(&secret[secret.len() - 16..]), "{algorithm}");
            }
        }
        assert!(!tap.saw(b"KEY-AUTH-VALUE"));
    });
}
