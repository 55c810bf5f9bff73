//! The same life in a TPM, behind tpm2-pkcs11 and the resource manager.

use key_metadata::{Algorithm, Extractability, KeySpec};
use keyrite_pkcs11::{FindError, GenerateError, Initialised, LoginError, Token, verifies};

use crate::softhsm::sign_in_threads;

use crate::{Body, Outcome, id, import, log_key, pin, pins, probe, ready, tpm_module, uri, wrapping};

pub const TESTS: &[(&str, Body)] = &[
    ("RSA and both curves are generated, sign, and verify", supported),
    ("what a TPM lacks is refused by probe", unsupported),
    ("a key from outside is refused in a TPM", import::in_tpm),
    ("a wrong PIN is refused in a TPM", wrong_pin),
    ("a log key is made in a TPM, and signs", log_key::in_tpm),
    ("a token in a TPM is initialised once", initialised_once),
    ("a wrappable key is refused in a TPM", wrappable),
    ("four threads sign with one key in a TPM", threads),
    ("PINs in a TPM are changed by their owners", pins::changed_in_tpm),
    (
        "a forgotten PIN in a TPM is replaced by the security officer",
        pins::unlocked_in_tpm,
    ),
    (
        "a wrong current PIN changes nothing in a TPM",
        pins::wrong_current_in_tpm,
    ),
    (
        "a probe finds what was measured of a TPM, and leaves nothing",
        probe::tpm,
    ),
    (
        "no key in a TPM can be backed up, which is told before",
        probe::backup_in_tpm,
    ),
    (
        "a TPM takes no key to wrap with, and what to do instead is said",
        wrapping::in_tpm,
    ),
];

fn supported() -> Outcome {
    let token = ready(&tpm_module()?, "cr")?;
    let specs = [
        (Algorithm::RsaSha256, Some(2048)),
        (Algorithm::EcdsaP256Sha256, None),
        (Algorithm::EcdsaP384Sha384, None),
    ];
    for (number, (algorithm, bits)) in (1..).zip(specs) {
        let made = token.generate(
            KeySpec::new(algorithm, bits)?,
            id(number),
            "zsk",
            Extractability::Never,
        )?;
        let key = token.key(id(number))?;
        assert_eq!(key.public_key(algorithm)?, made);
        for data in [&b""[..], b"a", &[7; 5000]] {
            let signature = key.sign(algorithm, data)?;
            assert!(
                verifies(&made, data, &signature),
                "{algorithm}, {} bytes",
                data.len()
            );
        }
    }
    let key = token.key(id(1))?;
    let signature = key.sign(Algorithm::RsaSha512, b"one key, another hash")?;
    assert!(verifies(
        &key.public_key(Algorithm::RsaSha512)?,
        b"one key, another hash",
        &signature
    ));
    let keys = token.keys()?;
    assert_eq!(keys.len(), specs.len());
    assert!(
        keys.iter()
            .all(|key| key.sensitive == Some(true) && key.extractable == Some(false))
    );
    token.destroy(id(1))?;
    assert!(matches!(token.key(id(1)), Err(FindError::NoKey { .. })));
    let again = token.generate(
        KeySpec::new(Algorithm::EcdsaP256Sha256, None)?,
        id(2),
        "zsk",
        Extractability::Never,
    );
    assert!(matches!(again, Err(GenerateError::IdUsed { .. })));
    assert_eq!(token.random(20)?.len(), 20);
    Ok(())
}

fn unsupported() -> Outcome {
    let token = ready(&tpm_module()?, "cr")?;
    for (algorithm, bits) in [(Algorithm::Ed25519, None), (Algorithm::RsaSha256, Some(4096))] {
        let Err(error) = token.generate(
            KeySpec::new(algorithm, bits)?,
            id(1),
            "zsk",
            Extractability::Never,
        ) else {
            return Err("it was made".into());
        };
        assert!(matches!(error, GenerateError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("it offers RSA of "), "{error}");
    }
    assert!(token.keys()?.is_empty());
    Ok(())
}

fn wrong_pin() -> Outcome {
    let module = tpm_module()?;
    drop(ready(&module, "cr")?);
    let token = Token::open(&module, &uri("cr")?)?;
    let refused = token.login(&pin("not-the-pin"));
    assert!(
        matches!(refused, Err(LoginError::PinRefused { .. })),
        "{refused:?}"
    );
    token.login(&pin("user-secret"))?;
    Ok(())
}

fn initialised_once() -> Outcome {
    let module = tpm_module()?;
    drop(ready(&module, "cr")?);
    let label = "cr".parse()?;
    assert_eq!(
        Token::initialise(&module, &label, &pin("so-secret"), &pin("user-secret"))?,
        Initialised::AlreadyThere
    );
    drop(ready(&module, "fi.cr")?);
    drop(module);
    let module = tpm_module()?;
    Token::open(&module, &uri("cr")?)?.login(&pin("user-secret"))?;
    Token::open(&module, &uri("fi.cr")?)?.login(&pin("user-secret"))?;
    Ok(())
}

fn wrappable() -> Outcome {
    let token = ready(&tpm_module()?, "cr")?;
    let made = token.generate(
        KeySpec::new(Algorithm::EcdsaP256Sha256, None)?,
        id(1),
        "zsk",
        Extractability::Wrapped,
    );
    assert!(
        matches!(made, Err(GenerateError::NotWrappable { .. })),
        "{made:?}"
    );
    assert!(token.keys()?.is_empty());
    Ok(())
}

fn threads() -> Outcome {
    let token = ready(&tpm_module()?, "cr")?;
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    let public = token.generate(spec, id(1), "zsk", Extractability::Never)?;
    sign_in_threads(&token, spec.algorithm(), &public, 4, 50)
}
