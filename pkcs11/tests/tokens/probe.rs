//! What each token was measured to do, and that a probe of it leaves nothing behind.

use cryptoki::context::Pkcs11;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use key_metadata::{Advice, Algorithm, Extractability, KeySpec};
use keyrite_pkcs11::{BackupError, Module, Probe, ProbeError, Storage, Token, WrapError, WrapMechanism};

use crate::{Outcome, id, kryoptic, opencryptoki, pin, ready, softhsm_module, tpm_module, uri};

/// Everything but a wrapped Ed25519 key; 0x210a is its number for RFC 5649.
pub fn softhsm() -> Outcome {
    let token = with_a_key(&softhsm_module()?)?;
    let probe = token.probe()?;
    assert_eq!(keys(&probe), KeySpec::ALL.map(|spec| format!("{spec} works")));
    assert_eq!(
        wraps(&probe),
        [
            "CKM_AES_KEY_WRAP_KWP (0x210b): refused: C_WrapKey answered CKR_MECHANISM_INVALID",
            "CKM_AES_KEY_WRAP_PAD (0x210a), ECDSAP256SHA256: works",
            "CKM_AES_KEY_WRAP_PAD (0x210a), RSASHA256 (2048 bits): works",
            "CKM_AES_KEY_WRAP_PAD (0x210a), ED25519: refused: C_WrapKey answered CKR_KEY_NOT_WRAPPABLE",
            "CKM_RSA_AES_KEY_WRAP (0x1054): refused: C_WrapKey answered CKR_MECHANISM_INVALID",
            "CKM_AES_CBC_PAD (0x1085): refused: C_WrapKey answered CKR_MECHANISM_INVALID",
        ]
    );
    assert_eq!((probe.storage, probe.removed), (Storage::Session, 0));
    assert_eq!(objects(sandbox::SOFTHSM_MODULE)?, 2);
    Ok(())
}

/// Neither RSA-4096 nor Ed25519, no session objects, no key that can leave, and nothing to wrap it with.
pub fn tpm() -> Outcome {
    let token = with_a_key(&tpm_module()?)?;
    let probe = token.probe()?;
    let made = KeySpec::ALL
        .into_iter()
        .filter(|spec| spec.bits() <= 3072 && spec.algorithm() != Algorithm::Ed25519)
        .map(|spec| format!("{spec} works"));
    assert_eq!(keys(&probe), made.collect::<Vec<_>>());
    let refused = "refused: C_GenerateKeyPair answered CKR_ATTRIBUTE_VALUE_INVALID";
    assert_eq!(
        wraps(&probe),
        [
            "CKM_AES_KEY_WRAP_KWP (0x210b): refused: C_GenerateKey answered CKR_FUNCTION_NOT_SUPPORTED"
                .to_owned(),
            "CKM_AES_KEY_WRAP_PAD (0x210a): refused: C_GenerateKey answered CKR_FUNCTION_NOT_SUPPORTED"
                .to_owned(),
            format!("CKM_RSA_AES_KEY_WRAP (0x1054), ECDSAP256SHA256: {refused}"),
            format!("CKM_RSA_AES_KEY_WRAP (0x1054), RSASHA256 (2048 bits): {refused}"),
            "CKM_AES_CBC_PAD (0x1085): refused: C_GenerateKey answered CKR_FUNCTION_NOT_SUPPORTED".to_owned(),
        ]
    );
    assert_eq!((probe.storage, probe.removed), (Storage::Token, 0));
    assert_eq!(objects(&sandbox::tpm2_pkcs11_module())?, 2);
    Ok(())
}

/// All but Ed25519. Its number for RFC 5649 is 0x210b, and it lacks 0x1054 as well.
pub fn kryoptic() -> Outcome {
    let token = kryoptic::with_a_key()?;
    let probe = token.probe()?;
    let made = KeySpec::ALL
        .into_iter()
        .filter(|spec| spec.algorithm() != Algorithm::Ed25519)
        .map(|spec| format!("{spec} works"));
    assert_eq!(keys(&probe), made.collect::<Vec<_>>());
    let refused = "refused: C_WrapKey answered CKR_MECHANISM_INVALID";
    assert_eq!(
        wraps(&probe),
        [
            "CKM_AES_KEY_WRAP_KWP (0x210b), ECDSAP256SHA256: works".to_owned(),
            "CKM_AES_KEY_WRAP_KWP (0x210b), RSASHA256 (2048 bits): works".to_owned(),
            format!("CKM_AES_KEY_WRAP_PAD (0x210a): {refused}"),
            format!("CKM_RSA_AES_KEY_WRAP (0x1054): {refused}"),
            "CKM_AES_CBC_PAD (0x1085), ECDSAP256SHA256: works".to_owned(),
            "CKM_AES_CBC_PAD (0x1085), RSASHA256 (2048 bits): works".to_owned(),
        ]
    );
    assert_eq!((probe.storage, probe.removed), (Storage::Session, 0));
    assert_eq!(token.keys()?.len(), 1);
    Ok(())
}

/// RSA only, of every size, and no way to wrap that shows a change.
pub fn soft() -> Outcome {
    let token = opencryptoki::with_a_key()?;
    let probe = token.probe()?;
    let made = KeySpec::ALL.into_iter().filter(is_rsa);
    assert_eq!(
        keys(&probe),
        made.map(|spec| format!("{spec} works")).collect::<Vec<_>>()
    );
    assert_eq!(
        wraps(&probe),
        of_opencryptoki("CKM_AES_CBC_PAD (0x1085), RSASHA256 (2048 bits): works")
    );
    assert_eq!((probe.storage, probe.removed), (Storage::Session, 0));
    assert_eq!(token.probe()?.removed, 0);
    assert_eq!(token.keys()?.len(), 1);
    Ok(())
}

/// RSA of 2048 bits; what it wraps, and says that it did, it does not take back.
pub fn tpm12() -> Outcome {
    let token = opencryptoki::with_a_key()?;
    let probe = token.probe()?;
    let made = KeySpec::ALL
        .into_iter()
        .filter(|spec| is_rsa(spec) && spec.bits() == 2048);
    assert_eq!(
        keys(&probe),
        made.map(|spec| format!("{spec} works")).collect::<Vec<_>>()
    );
    assert_eq!(
        wraps(&probe),
        of_opencryptoki(
            "CKM_AES_CBC_PAD (0x1085), RSASHA256 (2048 bits): lies: what was wrapped does not come back: C_UnwrapKey \
             answered CKR_FUNCTION_FAILED"
        )
    );
    assert_eq!((probe.storage, probe.removed), (Storage::Session, 0));
    assert_eq!(token.keys()?.len(), 1);
    Ok(())
}

fn is_rsa(spec: &KeySpec) -> bool {
    matches!(spec.algorithm(), Algorithm::RsaSha256 | Algorithm::RsaSha512)
}

/// What opencryptoki's tokens answer to the newer ways, and then that.
fn of_opencryptoki(last: &str) -> [String; 4] {
    let refused = |name| format!("{name}: refused: C_WrapKey answered CKR_MECHANISM_INVALID");
    [
        refused("CKM_AES_KEY_WRAP_KWP (0x210b)"),
        refused("CKM_AES_KEY_WRAP_PAD (0x210a)"),
        refused("CKM_RSA_AES_KEY_WRAP (0x1054)"),
        last.to_owned(),
    ]
}

/// What a probe that was killed in a token without session objects has left is removed by the next; other keys stay.
pub fn killed() -> Outcome {
    let token = with_a_key(&softhsm_module()?)?;
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let session = context.open_rw_session(context.get_slots_with_initialized_token()?[0])?;
    let keys = session.find_objects(&[])?;
    for key in keys {
        let named = [
            Attribute::Label(b"keyrite probe".to_vec()),
            Attribute::Token(true),
        ];
        session.copy_object(key, &named)?;
    }
    assert_eq!(objects(sandbox::SOFTHSM_MODULE)?, 4);
    assert_eq!(token.probe()?.removed, 2);
    assert_eq!(objects(sandbox::SOFTHSM_MODULE)?, 2);
    assert!(token.key(id(1)).is_ok());
    Ok(())
}

/// All but Ed25519 can be backed up in SoftHSM, by its number for RFC 5649; and nothing is left, whether it can or not.
pub fn backup_in_softhsm() -> Outcome {
    let token = with_a_key(&softhsm_module()?)?;
    for spec in KeySpec::ALL {
        let proof = token.proves_backup(spec);
        assert_eq!(objects(sandbox::SOFTHSM_MODULE)?, 2, "{spec}");
        if spec.algorithm() != Algorithm::Ed25519 {
            let proof = proof?;
            assert_eq!(
                (proof.spec, proof.mechanism),
                (spec, WrapMechanism::AesKeyWrapPad)
            );
            continue;
        }
        let Err(error) = proof else {
            return Err("SoftHSM wraps no Ed25519 key".into());
        };
        assert_eq!(
            error.to_string(),
            "token 'cr' wraps no private key for ED25519: \
             CKM_AES_KEY_WRAP_KWP (0x210b) refused: C_WrapKey answered CKR_MECHANISM_INVALID; \
             CKM_AES_KEY_WRAP_PAD (0x210a) refused: C_WrapKey answered CKR_KEY_NOT_WRAPPABLE"
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("--backup none")));
    }
    drop(token);
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    let refused = token.proves_backup(KeySpec::ALL[0]);
    assert!(
        matches!(refused, Err(BackupError::Wrap(WrapError::NotLoggedIn { .. }))),
        "{refused:?}"
    );
    Ok(())
}

/// tpm2-pkcs11 takes no key to wrap with.
pub fn backup_in_tpm() -> Outcome {
    let token = with_a_key(&tpm_module()?)?;
    for spec in KeySpec::ALL {
        let Err(error) = token.proves_backup(spec) else {
            return Err(format!("tpm2-pkcs11 backs up {spec}").into());
        };
        if spec.bits() > 3072 || spec.algorithm() == Algorithm::Ed25519 {
            assert!(matches!(error, BackupError::Unsupported { .. }), "{error}");
            continue;
        }
        assert_eq!(
            error.to_string(),
            "token 'cr' takes no key-encryption key for a session (C_CreateObject of CKK_AES with CKA_TOKEN false)"
        );
    }
    assert_eq!(objects(&sandbox::tpm2_pkcs11_module())?, 2);
    Ok(())
}

pub fn without_login() -> Outcome {
    let module = softhsm_module()?;
    drop(ready(&module, "cr")?);
    let token = Token::open(&module, &uri("cr")?)?;
    assert!(matches!(token.probe(), Err(ProbeError::NotLoggedIn { .. })));
    Ok(())
}

fn with_a_key(module: &Module) -> Result<Token, Box<dyn std::error::Error>> {
    let token = ready(module, "cr")?;
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    token.generate(spec, id(1), "zsk", Extractability::Never)?;
    Ok(token)
}

fn keys(probe: &Probe) -> Vec<String> {
    probe
        .keys
        .iter()
        .map(|key| format!("{} {}", key.spec, key.verdict))
        .collect()
}

fn wraps(probe: &Probe) -> Vec<String> {
    let wraps = probe.wraps.iter().map(|wrap| match wrap.spec {
        Some(spec) => format!("{}, {spec}: {}", wrap.mechanism, wrap.verdict),
        None => format!("{}: {}", wrap.mechanism, wrap.verdict),
    });
    wraps.collect()
}

/// How many objects the only token has, by another hand than ours.
fn objects(module: &str) -> Result<usize, Box<dyn std::error::Error>> {
    let context = Pkcs11::new(module)?;
    let session = context.open_ro_session(context.get_slots_with_initialized_token()?[0])?;
    // The login of the token under test holds for the whole process.
    let _ = session.login(UserType::User, Some(&pin("user-secret")));
    Ok(session.find_objects(&[])?.len())
}
