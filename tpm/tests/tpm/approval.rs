use std::fs;
use std::process::Command;
use std::thread;

use key_metadata::Advice;
use keyrite_tpm::{
    ApprovalError, Authority, AuthorityError, Guard, PcrAccess, SealError, SignatureError, Tpm, UnsealError,
    pcr_policy_digest,
};
use proptest::prelude::*;
use sandbox::Swtpm;
use secrecy::ExposeSecret;

use crate::authority_key::{AuthorityKey, P256, RSA, openssl, pcrs};
use crate::{handle, lock, secret, tool, with_state, with_tpm};

const PLACE: u32 = 0x8102_0000;
const EVENT: [u8; 32] = [0x5a; 32];

fn extend(swtpm: &Swtpm) {
    tool(swtpm, &format!("tpm2_pcrextend 7:sha256={}", "5a".repeat(32)));
}

/// Has the authority approve what is in the PCRs now, and uses the policy.
fn approve_now(tpm: &Tpm, key: &AuthorityKey, access: &PcrAccess) {
    let digest = pcr_policy_digest(&tpm.pcr_values(access.pcrs()).unwrap());
    access.approvals().write(digest, &key.sign(digest)).unwrap();
    tpm.use_pcr_policy(Some(access.clone()));
}

fn pin(tpm: &Tpm) -> Result<String, UnsealError> {
    tpm.unseal(handle(PLACE))
        .map(|pin| pin.expose_secret().to_owned())
}

/// The whole way: nothing is sealed before the state is approved; a change closes it; an approval signed before the change opens it again,
/// after a restart too.
#[test]
fn an_update_that_was_approved_before_it_is_survived() {
    for kind in [P256, RSA] {
        let (state, approved) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = AuthorityKey::new(kind);
        let access = key.access(7, approved.path());
        with_state(state.path(), |tpm, swtpm| {
            tpm.ensure_srk(None).unwrap();
            tpm.use_pcr_policy(Some(access.clone()));
            let error = tpm.seal(&secret("1234"), handle(PLACE), None).unwrap_err();
            assert!(
                matches!(error, SealError::Approval(ApprovalError::Missing { .. })) && error.is_credential(),
                "{error}"
            );
            assert_eq!(tpm.persistent_kind(handle(PLACE)), Ok(None));

            approve_now(tpm, &key, &access);
            tpm.check_approval(&access).unwrap();
            tpm.seal(&secret("1234"), handle(PLACE), None).unwrap();
            assert_eq!(pin(tpm).unwrap(), "1234");
            let policy = key.public().policy_digest();
            assert_eq!(tpm.guard(handle(PLACE)).unwrap(), Some(Guard::Policy(policy)));

            // The values after the update are computed and approved before it.
            let mut values = tpm.pcr_values(access.pcrs()).unwrap();
            for value in values.values_mut() {
                *value = value.extended(EVENT);
            }
            let later = pcr_policy_digest(&values);
            let signature = key.sign(later);
            assert_eq!(
                tpm.takes_approval(&key.public(), later, &signature).unwrap(),
                Ok(())
            );
            extend(swtpm);
            let error = pin(tpm).unwrap_err();
            assert!(
                error.is_credential() && error.hint().unwrap().contains("pcr digest"),
                "{error}"
            );
            let sought = format!("{later}.sig");
            assert!(error.to_string().contains(&later.to_string()), "{error}");
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(&sought), "{source}");
            access.approvals().write(later, &signature).unwrap();
            assert_eq!(pin(tpm).unwrap(), "1234");
            // No password was tried in all that.
            assert_eq!(tpm.lockout().unwrap().counter, 0);
        });
        // The PCR is as it was at first.
        with_state(state.path(), |tpm, _| {
            tpm.use_pcr_policy(Some(access.clone()));
            assert_eq!(pin(tpm).unwrap(), "1234");
        });
    }
}

#[test]
fn another_signature_approves_nothing() {
    let approved = tempfile::tempdir().unwrap();
    for (kind, other) in [(P256, RSA), (RSA, P256)] {
        with_tpm(|tpm, _| {
            let key = AuthorityKey::new(kind);
            let access = key.access(7, approved.path());
            approve_now(tpm, &key, &access);
            tpm.seal(&secret("1234"), handle(PLACE), None).unwrap();
            let digest = pcr_policy_digest(&tpm.pcr_values(access.pcrs()).unwrap());
            let mut another = digest;
            another.0[0] ^= 1;
            let mut cut = key.sign(digest);
            cut.truncate(20);
            for bad in [
                AuthorityKey::new(kind).sign(digest),
                AuthorityKey::new(other).sign(digest),
                key.sign(another),
                cut,
                Vec::new(),
                vec![0xff; 256],
            ] {
                access.approvals().write(digest, &bad).unwrap();
                let error = pin(tpm).unwrap_err();
                assert!(
                    matches!(error, UnsealError::Approval(ApprovalError::Refused { .. }))
                        && error.is_credential(),
                    "{error}"
                );
                // Software and TPM agree.
                let of_tpm = tpm.takes_approval(&key.public(), digest, &bad).unwrap();
                assert_eq!(key.public().check(digest, &bad), of_tpm);
                assert!(tpm.seal(&secret("5678"), handle(PLACE + 1), None).is_err());
            }
            let good = key.sign(digest);
            assert_eq!(key.public().check(digest, &good), Ok(()));
            access.approvals().write(digest, &good).unwrap();
            assert_eq!(pin(tpm).unwrap(), "1234");
        });
    }
}

/// An approval stands for one state: under another's name it is refused, and by itself it opens nothing.
#[test]
fn an_old_approval_does_not_open_a_new_state() {
    let approved = tempfile::tempdir().unwrap();
    with_tpm(|tpm, swtpm| {
        let key = AuthorityKey::new(P256);
        let access = key.access(7, approved.path());
        approve_now(tpm, &key, &access);
        tpm.seal(&secret("1234"), handle(PLACE), None).unwrap();
        let old = pcr_policy_digest(&tpm.pcr_values(access.pcrs()).unwrap());
        extend(swtpm);
        let new = pcr_policy_digest(&tpm.pcr_values(access.pcrs()).unwrap());
        fs::copy(access.approvals().path(old), access.approvals().path(new)).unwrap();
        let error = pin(tpm).unwrap_err();
        assert!(
            matches!(
                error,
                UnsealError::Approval(ApprovalError::Refused {
                    source: SignatureError::Wrong { .. },
                    ..
                })
            ),
            "{error}"
        );
    });
}

/// What was sealed without the policy stays as it is; what was sealed under it asks for it, and for this authority.
#[test]
fn each_object_keeps_its_own_guard() {
    let approved = tempfile::tempdir().unwrap();
    with_tpm(|tpm, swtpm| {
        tpm.seal(&secret("plain"), handle(PLACE), None).unwrap();
        let key = AuthorityKey::new(P256);
        let access = key.access(7, approved.path());
        approve_now(tpm, &key, &access);
        tpm.seal(&secret("bound"), handle(PLACE + 1), None).unwrap();
        assert_eq!(tpm.guard(handle(PLACE)).unwrap(), Some(Guard::Lockout));
        assert_eq!(tpm.guard(handle(PLACE + 2)).unwrap(), None);
        assert_eq!(tpm.guard(handle(0x8100_0001)).unwrap(), None);

        let bound = |tpm: &Tpm| tpm.unseal(handle(PLACE + 1));
        for access in [None, Some(AuthorityKey::new(P256).access(7, approved.path()))] {
            tpm.use_pcr_policy(access);
            let error = bound(tpm).unwrap_err();
            assert!(
                matches!(error, UnsealError::OtherPolicy { .. }) && error.is_credential(),
                "{error}"
            );
        }
        tpm.use_pcr_policy(Some(access.clone()));
        // An empty password, which opens the other, does not open this one.
        let refused = swtpm.tool("tpm2_unseal", &["-c", "0x81020001"]).unwrap();
        assert!(!refused.status.success());
        extend(swtpm);
        assert!(bound(tpm).is_err());
        assert_eq!(pin(tpm).unwrap(), "plain");
        approve_now(tpm, &key, &access);
        // A lockout holds back what has a password, not what has a policy instead.
        lock(tpm, swtpm);
        assert!(pin(tpm).is_err());
        assert_eq!(bound(tpm).unwrap().expose_secret(), "bound");
    });
}

/// The PCR is extended after the TPM looked at it and before it unseals: while the approval is read, which is a pipe here.
#[test]
fn a_change_in_between_is_noticed() {
    let approved = tempfile::tempdir().unwrap();
    with_tpm(|tpm, swtpm| {
        let key = AuthorityKey::new(P256);
        let access = key.access(7, approved.path());
        approve_now(tpm, &key, &access);
        tpm.seal(&secret("1234"), handle(PLACE), None).unwrap();
        let digest = pcr_policy_digest(&tpm.pcr_values(access.pcrs()).unwrap());
        let path = access.approvals().path(digest);
        let signature = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                // Opening waits for the reader.
                let pipe = fs::File::options().write(true).open(&path).unwrap();
                extend(swtpm);
                std::io::Write::write_all(&mut &pipe, &signature).unwrap();
            });
            pin(tpm).unwrap_err()
        });
        assert!(
            matches!(error, UnsealError::Approval(ApprovalError::Changed { .. })),
            "{error}"
        );
        assert!(!error.is_credential() && error.hint().is_some());
    });
}

#[test]
fn an_update_is_simulated_and_leaves_nothing() {
    with_tpm(|tpm, swtpm| {
        let debug = pcrs(&[16]);
        for _ in 0..2 {
            let simulation = tpm.simulate_update().unwrap();
            assert_ne!(simulation.before, simulation.after);
            let values = tpm.pcr_values(&debug).unwrap();
            assert_eq!(pcr_policy_digest(&values), simulation.before);
            assert!(values.values().all(|value| value.0 == [0; 32]));
            // A run that was killed left it so.
            tool(swtpm, &format!("tpm2_pcrextend 16:sha256={}", "5a".repeat(32)));
        }
        assert_eq!(
            tool(swtpm, "tpm2_getcap handles-persistent").trim(),
            "- 0x81000001"
        );
    });
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        let error = tpm.simulate_update().unwrap_err();
        assert!(error.hint().unwrap().contains("provision"), "{error}");
    });
}

/// A swtpm whose SHA-256 bank is off would compute a policy on nothing.
#[test]
fn a_pcr_that_is_not_there_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |_, swtpm| {
        tool(swtpm, "tpm2_pcrallocate sha1:all+sha256:none");
    });
    with_state(folder.path(), |tpm, _| {
        let error = tpm.pcr_values(&pcrs(&[7])).unwrap_err();
        assert!(error.hint().unwrap().contains("SHA-256 bank"), "{error}");
    });
}

#[test]
fn only_public_keys_of_two_kinds_are_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let pem = |kind: &[&str]| {
        openssl(folder.path(), &[&["genpkey", "-out", "key"], kind].concat());
        openssl(
            folder.path(),
            &["pkey", "-in", "key", "-pubout", "-out", "key.pem"],
        );
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        (read("key"), read("key.pem"))
    };
    let of = |text: &str| Authority::from_pem(text).map(|authority| authority.kind().to_owned());
    let (private, public) = pem(&P256);
    assert_eq!(of(&private), Err(AuthorityError::PrivateKey));
    assert_eq!(of(&(private + &public)), Err(AuthorityError::PrivateKey));
    assert_eq!(of(&public).as_deref(), Ok("P-256"));
    assert_eq!(of(&pem(&RSA).1).as_deref(), Ok("RSA-2048"));
    for kind in [
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"][..],
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3"],
        &["-algorithm", "ED25519"],
    ] {
        assert_eq!(of(&pem(kind).1), Err(AuthorityError::OtherKind), "{kind:?}");
    }
    assert_eq!(of("nothing"), Err(AuthorityError::NotPem));
    assert_eq!(of(&public.replace("MF", "!F")), Err(AuthorityError::NotPem));
    assert_eq!(of(&public.replace("MF", "NF")), Err(AuthorityError::NotAKey));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(text: String, bytes: Vec<u8>, digest: [u8; 32]) {
        let _ = Authority::from_pem(&text);
        let _ = Authority::from_pem(&format!("-----BEGIN PUBLIC KEY-----{text}-----END PUBLIC KEY-----"));
        let _ = Authority::from_spki_der(&bytes);
        // The base point of P-256.
        let point = "-----BEGIN PUBLIC KEY-----
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
            -----END PUBLIC KEY-----";
        let authority = Authority::from_pem(point).unwrap();
        let digest = key_metadata::PolicyDigest(digest);
        prop_assert!(authority.check(digest, &bytes).is_err());
        let mut framed = vec![0x30, bytes.len() as u8];
        framed.extend_from_slice(&bytes);
        prop_assert!(authority.check(digest, &framed).is_err());
    }
}
