//! The life of tokens and keys in SoftHSM.

use std::path::Path;
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use key_metadata::{Advice, Algorithm, Extractability, KeySpec};
use keyrite_pkcs11::{
    DestroyError, Family, FindError, GenerateError, InitialiseError, Initialised, ListError, LoadError,
    LoginError, Module, OpenError, PinState, SignError, Token, verifies,
};

use crate::{
    Body, Outcome, id, import, inventory, log_key, pin, pins, probe, ready, softhsm_module, uri, wrapping,
};

pub const TESTS: &[(&str, Body)] = &[
    (
        "every algorithm is generated, signs, and verifies",
        every_algorithm,
    ),
    ("a missing module names its package", missing_module),
    ("a file that is no module is refused", no_module),
    ("a module is loaded once", loaded_once),
    ("a missing token lists those that are there", missing_token),
    ("two tokens of one label are told apart by serial", two_of_a_label),
    ("a wrong PIN is refused and told", wrong_pin),
    ("a PIN of the wrong length is not given to the token", pin_length),
    ("without login nothing is seen", no_login),
    ("a token is initialised once", initialised_once),
    ("a token without user PIN is completed", half_initialised),
    ("a token without any PIN is passed over", dead),
    ("an id is never used again", id_never_reused),
    ("a destroyed key is gone", destroyed),
    ("a private half that is missing is told", private_missing),
    (
        "keys of other tools are found by any id and by label",
        inventory::other_tools,
    ),
    (
        "a key is found by its public half alone",
        inventory::found_by_public_half,
    ),
    (
        "keys of one id or of none are listed each",
        inventory::listed_each,
    ),
    ("what is there of a key is told", inventory::presence),
    (
        "a key without a name is not taken for one that was never finished",
        inventory::nameless_stays,
    ),
    (
        "an object without anything stands in no way",
        inventory::blank_stays,
    ),
    (
        "RSA and ECDSA keys leave wrapped, come back, and sign",
        wrapping::there_and_back,
    ),
    (
        "several keys leave at once, as far as the first that does not",
        wrapping::several,
    ),
    ("what openssl wrapped is restored", wrapping::of_openssl),
    ("no key is restored over another, or twice", wrapping::occupied),
    (
        "a private half alone is known for the key that it is",
        wrapping::lone_half,
    ),
    (
        "a blob with a byte changed, or of another key, is not put in",
        wrapping::changed,
    ),
    (
        "what cannot leave is told, and what never left is imported",
        wrapping::refused,
    ),
    (
        "keys of every algorithm are taken from outside",
        import::in_softhsm,
    ),
    (
        "a key whose halves do not belong together is not kept",
        import::wrong_keys,
    ),
    ("a label that would be cut is refused", label_length),
    ("a log key is made once, found, and signs", log_key::in_softhsm),
    (
        "a log key that can leave is refused, and half a one replaced",
        log_key::refusals,
    ),
    ("a log key is not seen without a login", log_key::no_login),
    ("extractability is as asked", extractability),
    ("a private key only signs", only_signs),
    ("sixteen threads sign with one key", threads),
    ("a module that another process has locked is waited for", waits),
    ("a token is found again after all was dropped", dropped_and_loaded),
    ("PINs are changed by their owners", pins::changed_in_softhsm),
    (
        "a forgotten PIN is replaced by the security officer",
        pins::unlocked_in_softhsm,
    ),
    (
        "a wrong current PIN changes nothing",
        pins::wrong_current_in_softhsm,
    ),
    (
        "what cannot be a PIN is refused before one is tried",
        pins::bad_new,
    ),
    ("the last try is kept until it is asked for", pins::final_try),
    ("a locked PIN is not tried, and unlocked", pins::locked),
    ("a PIN that is to be changed is told", pins::to_be_changed),
    (
        "a probe finds what was measured, and leaves nothing",
        probe::softhsm,
    ),
    ("a probe removes what a killed one left", probe::killed),
    ("a probe wants a login", probe::without_login),
    (
        "a key is shown to be backed up before it is made",
        probe::backup_in_softhsm,
    ),
];

pub const P256: Algorithm = Algorithm::EcdsaP256Sha256;

pub fn p256() -> Result<KeySpec, key_metadata::algorithm::KeySpecError> {
    KeySpec::new(P256, None)
}

fn every_algorithm() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let specs = [
        (Algorithm::RsaSha256, Some(2048), Family::Rsa { bits: 2048 }),
        (Algorithm::RsaSha512, Some(3072), Family::Rsa { bits: 3072 }),
        (Algorithm::RsaSha256, Some(4096), Family::Rsa { bits: 4096 }),
        (Algorithm::EcdsaP256Sha256, None, Family::P256),
        (Algorithm::EcdsaP384Sha384, None, Family::P384),
        (Algorithm::Ed25519, None, Family::Ed25519),
    ];
    for (number, (algorithm, bits, family)) in (1..).zip(specs) {
        let made = token.generate(
            KeySpec::new(algorithm, bits)?,
            id(number),
            "ksk",
            Extractability::Never,
        )?;
        let key = token.key(id(number))?;
        assert_eq!(key.family(), family);
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
    let key = token.key(id(4))?;
    // The verifier of a probe tells another key's signature from the key's own.
    token.generate(p256()?, id(99), "other", Extractability::Never)?;
    let other = token.key(id(99))?.public_key(P256)?;
    let signature = key.sign(P256, b"x")?;
    assert!(verifies(&key.public_key(P256)?, b"x", &signature) && !verifies(&other, b"x", &signature));
    token.destroy(id(99))?;
    assert!(matches!(
        key.sign(Algorithm::Ed25519, b"x"),
        Err(SignError::Key(_))
    ));
    assert_eq!(token.keys()?.len(), specs.len());
    assert_eq!(token.random(33)?.len(), 33);
    assert_eq!(token.info()?.manufacturer, "SoftHSM project");
    assert!(
        token
            .mechanisms()?
            .iter()
            .any(|mechanism| mechanism.name == "CKM_EDDSA" && mechanism.signs)
    );
    Ok(())
}

fn missing_module() -> Outcome {
    let Err(error) = Module::load(Path::new("/nowhere/libsofthsm2.so")) else {
        return Err("it was loaded".into());
    };
    assert!(matches!(error, LoadError::Missing { .. }) && !error.is_credential());
    assert_eq!(error.to_string(), "no PKCS#11 module at /nowhere/libsofthsm2.so");
    assert_eq!(error.hint().as_deref(), Some("'apt install softhsm2' brings it"));
    Ok(())
}

fn no_module() -> Outcome {
    for path in ["/etc/passwd", "/lib/x86_64-linux-gnu/libm.so.6"] {
        let Err(error) = Module::load(Path::new(path)) else {
            return Err("it was loaded".into());
        };
        assert!(matches!(error, LoadError::NotLoadable { .. }), "{error}");
    }
    Ok(())
}

fn loaded_once() -> Outcome {
    let (first, second) = (softhsm_module()?, softhsm_module()?);
    assert_eq!(first.path(), second.path());
    let token = ready(&first, "cr")?;
    let same = Token::open(&second, &uri("cr")?)?;
    drop(token);
    // The login went with the sessions of the first handle or stayed with those of the second; either way it is good for a new one.
    same.login(&pin("user-secret"))?;
    same.keys()?;
    Ok(())
}

fn missing_token() -> Outcome {
    let module = softhsm_module()?;
    ready(&module, "cr")?;
    ready(&module, "fi.cr")?;
    let Err(error) = Token::open(&module, &uri("cr2")?) else {
        return Err("it was opened".into());
    };
    assert_eq!(error.to_string(), "no token is labelled 'cr2'");
    assert_eq!(error.hint().as_deref(), Some("its tokens are: cr, fi.cr"));
    assert!(error.is_credential());
    Ok(())
}

fn two_of_a_label() -> Outcome {
    let module = softhsm_module()?;
    ready(&module, "cr")?;
    let status = Command::new("/usr/bin/softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "cr",
            "--so-pin",
            "so-secret",
            "--pin",
            "user-secret",
        ])
        .output()?
        .status;
    assert!(status.success());
    drop(module);
    let module = softhsm_module()?;
    let Err(OpenError::Ambiguous { serials, .. }) = Token::open(&module, &uri("cr")?) else {
        return Err("the label alone opened one of two tokens".into());
    };
    assert_eq!(serials.len(), 2);
    for serial in serials {
        let mut uri = uri("cr")?;
        uri.serial = Some(serial.clone());
        assert_eq!(Token::open(&module, &uri)?.info()?.serial, serial);
    }
    let mut uri = uri("cr")?;
    uri.serial = Some("00".to_owned());
    assert!(matches!(
        Token::open(&module, &uri),
        Err(OpenError::NoSerial { .. })
    ));
    let again = Token::initialise(&module, &"cr".parse()?, &pin("so-secret"), &pin("user-secret"));
    assert!(matches!(again, Err(InitialiseError::Ambiguous { count: 2, .. })));
    Ok(())
}

fn wrong_pin() -> Outcome {
    let module = softhsm_module()?;
    drop(ready(&module, "cr")?);
    let token = Token::open(&module, &uri("cr")?)?;
    let Err(error) = token.login(&pin("not-the-pin")) else {
        return Err("it logged in".into());
    };
    assert!(
        matches!(
            error,
            LoginError::PinRefused {
                state: PinState::CountLow,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "token 'cr' refused the user PIN");
    assert!(error.is_credential());
    token.login(&pin("user-secret"))?;
    token.login(&pin("user-secret"))?;
    Ok(())
}

fn pin_length() -> Outcome {
    let module = softhsm_module()?;
    let Err(error) = Token::initialise(&module, &"cr".parse()?, &pin("so-secret"), &pin("no")) else {
        return Err("it was initialised".into());
    };
    assert_eq!(
        error.to_string(),
        "token 'cr' takes user PINs of 4 to 255 bytes, the one given has another length"
    );
    assert!(
        matches!(Token::open(&module, &uri("cr")?), Err(OpenError::NoToken { .. })),
        "nothing was changed"
    );
    let token = ready(&module, "cr")?;
    assert_eq!(
        (token.pin_length_limits()?.min, token.pin_length_limits()?.max),
        (4, 255)
    );
    assert!(matches!(token.login(&pin("")), Err(LoginError::PinLength { .. })));
    Ok(())
}

fn no_login() -> Outcome {
    let module = softhsm_module()?;
    let token = ready(&module, "cr")?;
    token.generate(p256()?, id(1), "zsk", Extractability::Never)?;
    drop(token);
    let token = Token::open(&module, &uri("cr")?)?;
    assert!(matches!(token.key(id(1)), Err(FindError::NotLoggedIn { .. })));
    assert!(matches!(token.keys(), Err(ListError::NotLoggedIn { .. })));
    assert!(matches!(
        token.destroy(id(1)),
        Err(DestroyError::NotLoggedIn { .. })
    ));
    let made = token.generate(p256()?, id(2), "zsk", Extractability::Never);
    assert!(matches!(made, Err(GenerateError::NotLoggedIn { .. })));
    Ok(())
}

fn initialised_once() -> Outcome {
    let module = softhsm_module()?;
    let token = ready(&module, "cr")?;
    token.generate(p256()?, id(1), "zsk", Extractability::Never)?;
    let again = Token::initialise(&module, &"cr".parse()?, &pin("another-so"), &pin("another-user"))?;
    assert_eq!(again, Initialised::AlreadyThere);
    assert!(token.key(id(1)).is_ok());
    Ok(())
}

/// What a kill between C_InitToken and C_InitPIN leaves.
fn half_initialised() -> Outcome {
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = context.get_slots_with_token()?.remove(0);
    context.init_token(slot, &pin("so-secret"), "cr")?;
    context.finalize()?;
    let module = softhsm_module()?;
    let token = Token::open(&module, &uri("cr")?)?;
    assert!(matches!(
        token.login(&pin("user-secret")),
        Err(LoginError::NoUserPin { .. })
    ));
    drop(token);
    let wrong = Token::initialise(&module, &"cr".parse()?, &pin("not-the-so"), &pin("user-secret"));
    assert!(
        matches!(wrong, Err(InitialiseError::SoPinRefused { .. })),
        "{wrong:?}"
    );
    let label = "cr".parse()?;
    assert_eq!(
        Token::initialise(&module, &label, &pin("so-secret"), &pin("user-secret"))?,
        Initialised::Completed
    );
    assert_eq!(
        Token::initialise(&module, &label, &pin("so-secret"), &pin("user-secret"))?,
        Initialised::AlreadyThere
    );
    Token::open(&module, &uri("cr")?)?.login(&pin("user-secret"))?;
    Ok(())
}

/// What a kill within SoftHSM's C_InitToken leaves: a token file that ends before the SO PIN.
fn dead() -> Outcome {
    drop(ready(&softhsm_module()?, "cr")?);
    let file = pins::token_file()?;
    // Generation, label and serial number as they are; then the flags (0x8000534b, type 2).
    let mut bytes = std::fs::read(&file)?;
    let flags = bytes
        .windows(8)
        .position(|bytes| bytes == b"\0\0\0\0\x80\0\x53\x4b")
        .ok_or("no flags")?;
    bytes.truncate(flags);
    bytes.extend_from_slice(b"\0\0\0\0\x80\0\x53\x4b\0\0\0\0\0\0\0\x02\0\0\0\0\x00\xc0\x04\x25");
    std::fs::write(&file, bytes)?;
    let module = softhsm_module()?;
    assert!(
        matches!(Token::open(&module, &uri("cr")?), Err(OpenError::NoToken { others, .. }) if others.is_empty())
    );
    ready(&module, "cr")?;
    Ok(())
}

fn id_never_reused() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let made = token.generate(p256()?, id(1), "zsk", Extractability::Never)?;
    let again = token.generate(
        KeySpec::new(Algorithm::Ed25519, None)?,
        id(1),
        "zsk",
        Extractability::Never,
    );
    assert!(matches!(again, Err(GenerateError::IdUsed { .. })));
    assert_eq!(token.key(id(1))?.public_key(P256)?, made);
    Ok(())
}

fn destroyed() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    token.generate(p256()?, id(1), "one", Extractability::Never)?;
    token.generate(p256()?, id(2), "two", Extractability::Never)?;
    token.destroy(id(1))?;
    assert!(matches!(token.key(id(1)), Err(FindError::NoKey { .. })));
    assert!(matches!(token.destroy(id(1)), Err(DestroyError::NoKey { .. })));
    assert!(token.key(id(2)).is_ok());
    Ok(())
}

fn private_missing() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    token.generate(p256()?, id(0xab), "half", Extractability::Never)?;
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let slots = context.get_slots_with_initialized_token()?;
    let session = context.open_rw_session(slots[0])?;
    let private = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
    session.destroy_object(private[0])?;
    drop(session);
    assert!(matches!(
        token.key(id(0xab)),
        Err(FindError::PrivateMissing { .. })
    ));
    let keys = token.keys()?;
    assert!(
        matches!(keys.as_slice(), [half] if half.has_public && !half.has_private && half.label == "half")
    );
    token.destroy(id(0xab))?;
    assert!(token.keys()?.is_empty());
    Ok(())
}

fn label_length() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let long = "x".repeat(33);
    let made = token.generate(p256()?, id(1), &long, Extractability::Never);
    assert!(matches!(made, Err(GenerateError::LabelLength { .. })));
    token.generate(p256()?, id(1), &long[..32], Extractability::Never)?;
    assert_eq!(token.keys()?[0].label, long[..32]);
    Ok(())
}

fn extractability() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    token.generate(p256()?, id(1), "never", Extractability::Never)?;
    token.generate(p256()?, id(2), "wrapped", Extractability::Wrapped)?;
    let keys = token.keys()?;
    let protections: Vec<_> = keys.iter().map(|key| (key.sensitive, key.extractable)).collect();
    assert_eq!(protections, [(Some(true), Some(false)), (Some(true), Some(true))]);
    Ok(())
}

fn only_signs() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    token.generate(
        KeySpec::new(Algorithm::RsaSha256, None)?,
        id(1),
        "ksk",
        Extractability::Never,
    )?;
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let session = context.open_ro_session(context.get_slots_with_initialized_token()?[0])?;
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Sign(true)])?;
    let uses = [
        AttributeType::Decrypt,
        AttributeType::Unwrap,
        AttributeType::SignRecover,
        AttributeType::Derive,
    ];
    assert_eq!(
        session.get_attributes(keys[0], &uses)?,
        [
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::SignRecover(false),
            Attribute::Derive(false)
        ]
    );
    Ok(())
}

fn threads() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let public = token.generate(p256()?, id(1), "zsk", Extractability::Never)?;
    sign_in_threads(&token, P256, &public, 16, 50)
}

/// `threads` threads make `count` signatures each, and all verify.
pub fn sign_in_threads(
    token: &Token,
    algorithm: Algorithm,
    public: &key_metadata::PublicKey,
    threads: usize,
    count: usize,
) -> Outcome {
    let key = token.key(id(1))?;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|thread| {
                let key = key.clone();
                scope.spawn(move || {
                    let sign = |number| {
                        let data = format!("{thread} {number}").into_bytes();
                        match key.sign(algorithm, &data) {
                            Ok(signature) if verifies(public, &data, &signature) => None,
                            Ok(_) => Some("a signature does not verify".to_owned()),
                            Err(error) => Some(format!("{error:?}")),
                        }
                    };
                    (0..count).filter_map(sign).collect::<Vec<_>>()
                })
            })
            .collect();
        started
            .into_iter()
            .flat_map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| vec!["a thread panicked".to_owned()])
            })
            .collect()
    });
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("{} failures: {:?}", failures.len(), failures.first()).into())
    }
}

fn dropped_and_loaded() -> Outcome {
    for round in 0..20 {
        let module = softhsm_module()?;
        let token = match round {
            0 => ready(&module, "cr")?,
            _ => Token::open(&module, &uri("cr")?)?,
        };
        token.login(&pin("user-secret"))?;
        token.generate(p256()?, id(round), "zsk", Extractability::Never)?;
        let key = token.key(id(round))?;
        drop((module, token));
        key.sign(P256, b"the key alone keeps the module")?;
    }
    Ok(())
}

fn waits() -> Outcome {
    let file = std::fs::File::open(sandbox::SOFTHSM_MODULE)?;
    file.lock()?;
    let other = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(file);
    });
    softhsm_module()?;
    assert!(other.is_finished());
    Ok(())
}
