//! PINs that are changed, forgotten, wrong, and nearly locked.

use std::path::PathBuf;

use key_metadata::{Advice, Algorithm, Extractability, KeySpec};
use keyrite_pkcs11::{LastTry, LoadError, LoginError, Module, PinChangeError, PinOwner, PinState, Token};
use secrecy::SecretString;

use crate::{Outcome, id, pin, ready, softhsm_module, tpm_module, uri};

const KEEP: LastTry = LastTry::Keep;

type Load = fn() -> Result<Module, LoadError>;

pub fn changed_in_softhsm() -> Outcome {
    changed(softhsm_module)
}

pub fn changed_in_tpm() -> Outcome {
    changed(tpm_module)
}

/// Both PINs are changed by their owners; the keys stay, and the new PINs hold for a process that starts anew.
fn changed(load: Load) -> Outcome {
    let token = with_a_key(&load()?)?;
    token.change_user_pin(&pin("user-secret"), &pin("second-user"), KEEP)?;
    token.change_so_pin(&pin("so-secret"), &pin("second-so"), KEEP)?;
    drop(token);
    let token = Token::open(&load()?, &uri("cr")?)?;
    token.check_pin(PinOwner::SecurityOfficer, &pin("second-so"), KEEP)?;
    signs(&token, "second-user")?;
    refuses(&token, PinOwner::User, "user-secret")?;
    signs(&token, "second-user")
}

pub fn unlocked_in_softhsm() -> Outcome {
    unlocked(softhsm_module)
}

pub fn unlocked_in_tpm() -> Outcome {
    unlocked(tpm_module)
}

/// A user PIN that nobody knows any more is replaced by the security officer; the keys stay.
fn unlocked(load: Load) -> Outcome {
    let token = with_a_key(&load()?)?;
    token.set_user_pin(&pin("so-secret"), &pin("second-user"), KEEP)?;
    drop(token);
    let token = Token::open(&load()?, &uri("cr")?)?;
    signs(&token, "second-user")
}

pub fn wrong_current_in_softhsm() -> Outcome {
    wrong_current(softhsm_module, PinState::CountLow)
}

pub fn wrong_current_in_tpm() -> Outcome {
    wrong_current(tpm_module, PinState::Fine)
}

/// A wrong PIN changes nothing, and the error has what the token tells of its count.
fn wrong_current(load: Load, told: PinState) -> Outcome {
    let token = with_a_key(&load()?)?;
    let changed = token.change_user_pin(&pin("not-the-pin"), &pin("second-user"), KEEP);
    let Err(PinChangeError::Login(LoginError::PinRefused { owner, state, .. })) = &changed else {
        return Err(format!("{changed:?}").into());
    };
    assert_eq!((*owner, *state), (PinOwner::User, told));
    let set = token.set_user_pin(&pin("not-the-so"), &pin("second-user"), KEEP);
    let Err(error @ PinChangeError::Login(LoginError::PinRefused { .. })) = &set else {
        return Err(format!("{set:?}").into());
    };
    assert_eq!(error.to_string(), "token 'cr' refused the SO PIN");
    assert!(error.is_credential() && !error.is_partial());
    signs(&token, "user-secret")
}

/// What cannot be a new PIN is refused before a PIN is tried.
pub fn bad_new() -> Outcome {
    let token = with_a_key(&softhsm_module()?)?;
    let (wrong, user, so) = (pin("not-the-pin"), pin("user-secret"), pin("so-secret"));
    let short = token.change_user_pin(&wrong, &pin("no"), KEEP);
    assert!(matches!(short, Err(PinChangeError::Length { .. })), "{short:?}");
    let same = token.change_user_pin(&user, &user, KEEP);
    assert!(matches!(same, Err(PinChangeError::Same { .. })), "{same:?}");
    let Err(shared) = token.set_user_pin(&so, &so, KEEP) else {
        return Err("both PINs are one".into());
    };
    assert_eq!(
        shared.to_string(),
        "the new user PIN of token 'cr' is its present SO PIN"
    );
    assert_eq!(token.info()?.user_pin, PinState::Fine);
    signs(&token, "user-secret")
}

/// The flags of a SoftHSM token, which keeps what is written there and sets only the count by itself.
const FINAL_TRY: u64 = 0x0002_0000;
const LOCKED: u64 = 0x0004_0000;
const TO_BE_CHANGED: u64 = 0x0008_0000;
const SO_FINAL_TRY: u64 = 0x0020_0000;

/// With one try left no PIN is tried, right or wrong, unless that is asked for.
pub fn final_try() -> Outcome {
    drop(with_a_key(&softhsm_module()?)?);
    set_flags(FINAL_TRY | SO_FINAL_TRY)?;
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    let info = token.info()?;
    assert_eq!(
        (info.user_pin, info.so_pin),
        (PinState::FinalTry, PinState::FinalTry)
    );
    let refused = token.login(&pin("not-the-pin"));
    assert!(
        matches!(
            refused,
            Err(LoginError::FinalTry {
                owner: PinOwner::User,
                ..
            })
        ),
        "{refused:?}"
    );
    let refused = token.set_user_pin(&pin("so-secret"), &pin("second-user"), KEEP);
    assert!(
        matches!(refused, Err(PinChangeError::Login(LoginError::FinalTry { .. }))),
        "{refused:?}"
    );
    token.change_user_pin(&pin("user-secret"), &pin("second-user"), LastTry::Use)?;
    token.set_user_pin(&pin("so-secret"), &pin("third-user"), LastTry::Use)?;
    Ok(())
}

/// A locked PIN is not tried at all, and the security officer sets another.
pub fn locked() -> Outcome {
    drop(with_a_key(&softhsm_module()?)?);
    set_flags(LOCKED)?;
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    assert_eq!(token.info()?.user_pin, PinState::Locked);
    for last_try in [LastTry::Keep, LastTry::Use] {
        let refused = token.login_with(&pin("user-secret"), last_try);
        assert!(
            matches!(refused, Err(LoginError::PinLocked { .. })),
            "{refused:?}"
        );
    }
    token.set_user_pin(&pin("so-secret"), &pin("second-user"), KEEP)?;
    assert_eq!(token.info()?.user_pin, PinState::Fine);
    signs(&token, "second-user")
}

/// It is told and barred from nothing: SoftHSM itself neither sets the flag nor takes it back.
pub fn to_be_changed() -> Outcome {
    drop(with_a_key(&softhsm_module()?)?);
    set_flags(TO_BE_CHANGED)?;
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    assert_eq!(token.info()?.user_pin, PinState::ToBeChanged);
    token.change_user_pin(&pin("user-secret"), &pin("second-user"), KEEP)?;
    signs(&token, "second-user")
}

fn with_a_key(module: &Module) -> Result<Token, Box<dyn std::error::Error>> {
    let token = ready(module, "cr")?;
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    token.generate(spec, id(1), "zsk", Extractability::Never)?;
    Ok(token)
}

fn signs(token: &Token, user_pin: &str) -> Outcome {
    token.check_pin(PinOwner::User, &pin(user_pin), LastTry::Use)?;
    token.login_with(&pin(user_pin), LastTry::Use)?;
    token
        .key(id(1))?
        .sign(Algorithm::EcdsaP256Sha256, b"still here")?;
    Ok(())
}

fn refuses(token: &Token, owner: PinOwner, wrong: &str) -> Outcome {
    let wrong: SecretString = pin(wrong);
    match token.check_pin(owner, &wrong, KEEP) {
        Err(LoginError::PinRefused { .. }) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Adds to the flags in the file of this process's only token.
fn set_flags(added: u64) -> Outcome {
    let file = token_file()?;
    let mut bytes = std::fs::read(&file)?;
    // CKA_OS_TOKENFLAGS, 0x8000534b, a number (type 2).
    let start = b"\0\0\0\0\x80\0\x53\x4b\0\0\0\0\0\0\0\x02";
    let value = bytes
        .windows(start.len())
        .position(|window| window == start)
        .ok_or("no flags")?
        + start.len();
    let flags = u64::from_be_bytes(bytes[value..value + 8].try_into()?);
    bytes[value..value + 8].copy_from_slice(&(flags | added).to_be_bytes());
    std::fs::write(&file, bytes)?;
    Ok(())
}

/// The file of this process's only token.
pub fn token_file() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let configuration = std::fs::read_to_string(std::env::var("SOFTHSM2_CONF")?)?;
    let tokens = configuration
        .lines()
        .find_map(|line| line.strip_prefix("directories.tokendir = "));
    let token = std::fs::read_dir(tokens.ok_or("no folder of tokens")?)?
        .next()
        .ok_or("no token")??
        .path();
    Ok(token.join("token.object"))
}
