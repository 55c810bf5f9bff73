//! The same life in opencryptoki: in its software token, and under a TPM 1.2. PINs have 4 to 8 characters, and the third wrong one locks.

use std::error::Error;
use std::path::Path;

use key_metadata::{Advice, Algorithm, Extractability, KeySpec};
use keyrite_pkcs11::{
    DeliveredPins, DestroyError, Family, FindError, GenerateError, InitialiseError, Initialised, LastTry,
    LoadError, LoginError, Module, OpenError, PinChangeError, PinOwner, PinState, Token, verifies,
};

use crate::softhsm::sign_in_threads;
use crate::{Body, Outcome, id, log_key, pin, probe, uri, wrapping};

pub const SOFT: &[(&str, Body)] = &[
    (
        "RSA is generated, signs, outlasts a restart, and is destroyed",
        life,
    ),
    ("RSA of every size is made and signs", every_size),
    (
        "a log key is made of RSA where there are no curves, and signs",
        log_key,
    ),
    (
        "a token is told what it was delivered with, or not initialised",
        delivered_with,
    ),
    ("an interrupted initialisation is completed", interrupted),
    ("no curve is made", no_curve),
    ("the third wrong PIN is not tried, and locks", wrong_pins),
    ("PINs are changed by their owners in opencryptoki", changed),
    ("a locked PIN is replaced by the security officer", unlocked),
    ("four threads sign with one key in opencryptoki", threads),
    ("a probe finds what was measured of opencryptoki", probe::soft),
    (
        "opencryptoki wraps nothing, and imports what is restored",
        wrapping::in_opencryptoki,
    ),
];

pub const TPM12: &[(&str, Body)] = &[
    ("RSA-2048 lives and dies under a TPM 1.2", life),
    (
        "a token under a TPM 1.2 asks for both delivered PINs",
        both_delivered,
    ),
    ("neither a curve nor RSA-4096 is made under a TPM 1.2", no_curve),
    ("the third wrong PIN locks under a TPM 1.2", wrong_pins),
    ("PINs under a TPM 1.2 are changed by their owners", changed),
    (
        "a user PIN under a TPM 1.2 is not replaced, and that is told",
        not_unlocked,
    ),
    ("four threads sign with one key under a TPM 1.2", threads),
    (
        "a probe finds what was measured of a TPM 1.2, and its lie",
        probe::tpm12,
    ),
    (
        "a TPM 1.2 wraps nothing, and imports what is restored",
        wrapping::in_opencryptoki,
    ),
];

const SO: &str = "so-pin";
const USER: &str = "user-pin";
const RSA: Algorithm = Algorithm::RsaSha256;

fn module() -> Result<Module, LoadError> {
    Module::load(Path::new(&sandbox::opencryptoki_module()))
}

fn rsa(bits: u16) -> Result<KeySpec, key_metadata::algorithm::KeySpecError> {
    KeySpec::new(RSA, Some(bits))
}

fn delivered(user: Option<&str>) -> DeliveredPins {
    DeliveredPins {
        so: Some(pin("87654321")),
        user: user.map(pin),
    }
}

type Attempt = Result<Initialised, InitialiseError>;

fn initialise(module: &Module, delivered: &DeliveredPins) -> Result<Attempt, Box<dyn Error>> {
    let label = "cr".parse()?;
    Ok(Token::initialise_with(
        module,
        &label,
        &pin(SO),
        &pin(USER),
        delivered,
    ))
}

/// The token after the module has been finalised, if no handle of it is left, opened and logged in to. Under a TPM 1.2 a process that has
/// initialised the token takes it for new until then, and one that logs in a second time sees each private key twice.
fn reopened(user_pin: &str) -> Result<Token, Box<dyn Error>> {
    let token = Token::open(&module()?, &uri("cr")?)?;
    token.login(&pin(user_pin))?;
    Ok(token)
}

/// A new token, opened and logged in to.
fn ready() -> Result<Token, Box<dyn Error>> {
    let made = initialise(&module()?, &delivered(Some("12345678")))??;
    assert_eq!(made, Initialised::New);
    reopened(USER)
}

/// The same with key 1 in it.
pub fn with_a_key() -> Result<Token, Box<dyn Error>> {
    let token = ready()?;
    token.generate(rsa(2048)?, id(1), "zsk", Extractability::Never)?;
    Ok(token)
}

fn life() -> Outcome {
    let token = ready()?;
    let made = token.generate(rsa(2048)?, id(1), "zsk", Extractability::Never)?;
    token.generate(rsa(2048)?, id(2), "ksk", Extractability::Wrapped)?;
    let again = token.generate(rsa(2048)?, id(1), "zsk", Extractability::Never);
    assert!(matches!(again, Err(GenerateError::IdUsed { .. })), "{again:?}");
    assert_eq!(token.random(20)?.len(), 20);
    drop(token);
    let token = Token::open(&module()?, &uri("cr")?)?;
    assert!(matches!(token.key(id(1)), Err(FindError::NotLoggedIn { .. })));
    assert!(matches!(
        token.destroy(id(1)),
        Err(DestroyError::NotLoggedIn { .. })
    ));
    token.login(&pin(USER))?;
    let key = token.key(id(1))?;
    assert_eq!(key.family(), Family::Rsa { bits: 2048 });
    assert_eq!(key.public_key(RSA)?, made);
    for algorithm in [RSA, Algorithm::RsaSha512] {
        for data in [&b""[..], b"a", &[7; 5000]] {
            let signature = key.sign(algorithm, data)?;
            assert!(
                verifies(&key.public_key(algorithm)?, data, &signature),
                "{algorithm}"
            );
        }
    }
    let keys = token.keys()?;
    let shown = keys
        .iter()
        .map(|key| (key.label.as_str(), key.has_private, key.has_public));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [("zsk", true, true), ("ksk", true, true)]
    );
    let protection = keys.iter().map(|key| (key.sensitive, key.extractable));
    assert_eq!(
        protection.collect::<Vec<_>>(),
        [(Some(true), Some(false)), (Some(true), Some(true))]
    );
    token.destroy(id(1))?;
    assert!(matches!(token.key(id(1)), Err(FindError::NoKey { .. })));
    assert!(matches!(token.destroy(id(1)), Err(DestroyError::NoKey { .. })));
    drop((key, token));
    assert_eq!(reopened(USER)?.keys()?.len(), 1);
    Ok(())
}

fn every_size() -> Outcome {
    let token = ready()?;
    for (number, bits) in [(1, 2048), (2, 3072), (3, 4096)] {
        let made = token.generate(rsa(bits)?, id(number), "zsk", Extractability::Never)?;
        let signature = token.key(id(number))?.sign(RSA, b"a")?;
        assert!(verifies(&made, b"a", &signature), "{bits}");
    }
    Ok(())
}

fn log_key() -> Outcome {
    log_key::made_and_signs(&ready()?, Family::Rsa { bits: 2048 })
}

fn delivered_with() -> Outcome {
    let module = module()?;
    let Err(error) = initialise(&module, &DeliveredPins::default())? else {
        return Err("it was initialised".into());
    };
    assert_eq!(
        error.to_string(),
        "the SO PIN that token 'cr' was delivered with is to be changed, and was not given"
    );
    assert!(!error.is_partial() && error.hint().is_some());
    let wrong = DeliveredPins {
        so: Some(pin("11111111")),
        user: None,
    };
    let refused = initialise(&module, &wrong)?;
    assert!(
        matches!(
            refused,
            Err(InitialiseError::DeliveredPinRefused {
                owner: PinOwner::SecurityOfficer,
                ..
            })
        ),
        "{refused:?}"
    );
    // The security officer sets the first user PIN, so that no delivered one is asked for.
    assert_eq!(initialise(&module, &delivered(None))??, Initialised::New);
    assert_eq!(
        initialise(&module, &DeliveredPins::default())??,
        Initialised::AlreadyThere
    );
    Ok(())
}

/// With an SO PIN that is still the delivered one.
fn interrupted() -> Outcome {
    let module = module()?;
    let context = cryptoki::context::Pkcs11::new(sandbox::opencryptoki_module())?;
    let slot = context.get_slots_with_token()?[0];
    context.init_token(slot, &pin("87654321"), "cr")?;
    assert!(matches!(
        initialise(&module, &DeliveredPins::default())?,
        Err(InitialiseError::NoDeliveredPin { .. })
    ));
    assert_eq!(initialise(&module, &delivered(None))??, Initialised::Completed);
    Token::open(&module, &uri("cr")?)?.login(&pin(USER))?;
    Ok(())
}

fn both_delivered() -> Outcome {
    let module = module()?;
    let Err(error) = initialise(&module, &delivered(None))? else {
        return Err("it was initialised".into());
    };
    assert_eq!(
        error.to_string(),
        "the user PIN that token 'cr' was delivered with is to be changed, and was not given"
    );
    assert!(error.is_partial());
    let refused = initialise(&module, &delivered(Some("11111111")))?;
    assert!(
        matches!(
            refused,
            Err(InitialiseError::DeliveredPinRefused {
                owner: PinOwner::User,
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(
        initialise(&module, &delivered(Some("12345678")))??,
        Initialised::Completed
    );
    Token::open(&module, &uri("cr")?)?.login(&pin(USER))?;
    Ok(())
}

/// What the token lacks is told by its own list of mechanisms.
fn no_curve() -> Outcome {
    let token = ready()?;
    let lacking = KeySpec::ALL
        .into_iter()
        .filter(|spec| !token.supports(*spec).unwrap_or(true));
    let mut curves = 0;
    for spec in lacking {
        let refused = token.generate(spec, id(1), "zsk", Extractability::Never);
        let Err(error @ GenerateError::Unsupported { .. }) = refused else {
            return Err(format!("{spec}: {refused:?}").into());
        };
        assert!(error.to_string().contains("it offers RSA of 512 to "), "{error}");
        curves += usize::from(spec.algorithm() != RSA && spec.algorithm() != Algorithm::RsaSha512);
    }
    assert_eq!(curves, 3);
    assert!(token.keys()?.is_empty());
    Ok(())
}

fn wrong_pins() -> Outcome {
    let module = module()?;
    drop(ready()?);
    let missing = Token::open(&module, &uri("fi.cr")?);
    assert!(matches!(missing, Err(OpenError::NoToken { .. })));
    let token = Token::open(&module, &uri("cr")?)?;
    let length = token.login(&pin("longer-than-eight"));
    assert!(matches!(length, Err(LoginError::PinLength { .. })), "{length:?}");
    for told in [PinState::CountLow, PinState::FinalTry] {
        let refused = token.login(&pin("not-it"));
        let Err(LoginError::PinRefused { state, .. }) = refused else {
            return Err(format!("{refused:?}").into());
        };
        assert_eq!(state, told);
    }
    let kept = token.login(&pin("not-it"));
    assert!(matches!(kept, Err(LoginError::FinalTry { .. })), "{kept:?}");
    token.login_with(&pin(USER), LastTry::Use)?;
    assert_eq!(token.info()?.user_pin, PinState::Fine);
    Ok(())
}

fn changed() -> Outcome {
    let token = with_a_key()?;
    token.change_user_pin(&pin(USER), &pin("second"), LastTry::Keep)?;
    token.change_so_pin(&pin(SO), &pin("other-so"), LastTry::Keep)?;
    drop(token);
    let token = Token::open(&module()?, &uri("cr")?)?;
    token.check_pin(PinOwner::SecurityOfficer, &pin("other-so"), LastTry::Keep)?;
    let old = token.check_pin(PinOwner::User, &pin(USER), LastTry::Keep);
    assert!(matches!(old, Err(LoginError::PinRefused { .. })), "{old:?}");
    drop(token);
    signs("second")
}

/// Locks the user PIN.
fn lock(token: &Token) -> Outcome {
    for _ in 0..3 {
        let refused = token.check_pin(PinOwner::User, &pin("not-it"), LastTry::Use);
        assert!(
            matches!(
                refused,
                Err(LoginError::PinRefused { .. } | LoginError::PinLocked { .. })
            ),
            "{refused:?}"
        );
    }
    assert_eq!(token.info()?.user_pin, PinState::Locked);
    let right = token.login(&pin(USER));
    assert!(matches!(right, Err(LoginError::PinLocked { .. })), "{right:?}");
    Ok(())
}

fn unlocked() -> Outcome {
    let token = with_a_key()?;
    lock(&token)?;
    token.set_user_pin(&pin(SO), &pin("second"), LastTry::Keep)?;
    drop(token);
    signs("second")
}

/// C_InitPIN answers CKR_OK, lifts the lock, and leaves the PIN what it was.
fn not_unlocked() -> Outcome {
    let token = with_a_key()?;
    lock(&token)?;
    let set = token.set_user_pin(&pin(SO), &pin("second"), LastTry::Keep);
    let Err(error @ PinChangeError::NotProved { .. }) = &set else {
        return Err(format!("{set:?}").into());
    };
    assert!(error.is_partial(), "{error}");
    drop(token);
    signs(USER)
}

fn signs(user_pin: &str) -> Outcome {
    let token = reopened(user_pin)?;
    let key = token.key(id(1))?;
    assert!(verifies(
        &key.public_key(RSA)?,
        b"still here",
        &key.sign(RSA, b"still here")?
    ));
    Ok(())
}

fn threads() -> Outcome {
    let token = with_a_key()?;
    let public = token.key(id(1))?.public_key(RSA)?;
    sign_in_threads(&token, RSA, &public, 4, 25)
}
