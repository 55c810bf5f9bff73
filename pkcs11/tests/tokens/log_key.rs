//! The key of the ceremony's log. Openssl is the referee.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass};
use key_metadata::{Advice, Algorithm, CkaId, Extractability, KeySpec};
use keyrite_pkcs11::{Family, FindError, LogKey, LogKeyError, Presence, Token, verifies_as_openssl};
use sandbox::SoftHsm;

use crate::{Outcome, child, id, pin, ready, softhsm_module, tpm_module, uri};

/// What a child writes beside its store's configuration when it begins to make the key.
const LOGGED_IN: &str = "logged-in";
const DATA: &[u8] = b"keyrite.nic.example/cr/2026-q4\n142\n";

pub fn in_softhsm() -> Outcome {
    made_and_signs(&ready(&softhsm_module()?, "cr")?, Family::P256)
}

pub fn in_tpm() -> Outcome {
    made_and_signs(&ready(&tpm_module()?, "cr")?, Family::P256)
}

/// In any token.
pub fn made_and_signs(token: &Token, family: Family) -> Outcome {
    assert!(token.log_key()?.is_none());
    let made = token.make_log_key()?;
    signs(&made)?;
    let Err(error) = token.make_log_key() else {
        return Err("a second one was made".into());
    };
    assert!(matches!(error, LogKeyError::Exists { .. }), "{error}");
    let found = token.log_key()?.ok_or("it is not found again")?;
    assert_eq!(found.spki(), made.spki());
    signs(&found)?;
    // Among the keys of zones it stands out, and takes no id from one.
    token.generate(spec_of(family)?, id(1), "ksk cr", Extractability::Never)?;
    let keys = token.keys()?;
    let logs: Vec<_> = keys
        .iter()
        .filter(|key| key.id.as_ref().is_some_and(CkaId::is_of_ceremony_log))
        .collect();
    let [log] = logs.as_slice() else {
        return Err(format!("{} log keys", logs.len()).into());
    };
    assert_eq!(
        (log.label.as_str(), log.family, log.extractable),
        (CkaId::CEREMONY_LOG, family, Some(false))
    );
    assert_eq!(log.id.as_ref().and_then(CkaId::as_key_id), None);
    assert_eq!(keys.len(), 2);
    Ok(())
}

fn spec_of(family: Family) -> Result<KeySpec, key_metadata::algorithm::KeySpecError> {
    match family {
        Family::P256 => KeySpec::new(Algorithm::EcdsaP256Sha256, None),
        Family::Rsa { .. } | Family::P384 | Family::Ed25519 | Family::Other => {
            KeySpec::new(Algorithm::RsaSha256, Some(2048))
        }
    }
}

fn signs(key: &LogKey) -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let data = file("checkpoint");
    for _ in 0..8 {
        let mut signature = key.sign(DATA)?;
        assert!(verifies_as_openssl(key.spki(), DATA, &signature));
        fs::write(file("key"), key.spki())?;
        let openssl = |data_now: &[u8], signature: &[u8]| -> Result<bool, std::io::Error> {
            fs::write(&data, data_now)?;
            fs::write(file("signature"), signature)?;
            let output = Command::new("openssl")
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .args(["dgst", "-sha256", "-keyform", "der", "-verify"])
                .arg(file("key"))
                .arg("-signature")
                .arg(file("signature"))
                .arg(&data)
                .output()?;
            Ok(output.status.success())
        };
        assert!(openssl(DATA, &signature)?);
        assert!(!openssl(&DATA[1..], &signature)?);
        let last = signature.len() - 1;
        signature[last] ^= 1;
        assert!(!openssl(DATA, &signature)? && !verifies_as_openssl(key.spki(), DATA, &signature));
    }
    Ok(())
}

pub fn refusals() -> Outcome {
    let module = softhsm_module()?;
    let token = ready(&module, "cr")?;
    // Somebody else's key of that id, which can leave the token.
    let log = CkaId::of_ceremony_log();
    let spec = spec_of(Family::P256)?;
    token.generate(spec, &log, CkaId::CEREMONY_LOG, Extractability::Wrapped)?;
    for refused in [token.log_key().err(), token.make_log_key().err()] {
        let error = refused.ok_or("an extractable key was taken")?;
        assert!(matches!(error, LogKeyError::Protection { .. }), "{error}");
        assert!(error.hint().is_some());
    }
    token.destroy(&log)?;
    // The public half alone, as a run that was killed leaves it.
    let lost = token.make_log_key()?;
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let session = context.open_rw_session(context.get_slots_with_initialized_token()?[0])?;
    let wanted = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Id(log.as_bytes().to_vec()),
    ];
    for object in session.find_objects(&wanted)? {
        session.destroy_object(object)?;
    }
    assert_eq!(token.presence(&log)?, Presence::PublicOnly);
    assert!(token.log_key()?.is_none());
    let made = token.make_log_key()?;
    assert_ne!(made.spki(), lost.spki());
    signs(&made)
}

pub fn no_login() -> Outcome {
    let module = softhsm_module()?;
    ready(&module, "cr")?.make_log_key()?;
    drop(module);
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    let Err(error) = token.log_key() else {
        return Err("it was seen without a login".into());
    };
    assert!(matches!(error, LogKeyError::Find(FindError::NotLoggedIn { .. })) && error.is_credential());
    Ok(())
}

/// Killed at forty moments after the login, each time in a new store, and run again: one key, which signs, and nothing else.
///
/// Not in the login: SoftHSM (2.6.1) writes the token's own object there, and who is killed then has no token any more.
pub fn killed() -> Outcome {
    const KILLS: u32 = 40;
    let mut whole = None;
    for kill in 0..=KILLS {
        let folder = tempfile::tempdir()?;
        let store = SoftHsm::new(folder.path())?;
        let run = |part: &str| -> Result<Command, std::io::Error> {
            let mut command = child(part)?;
            command.env("SOFTHSM2_CONF", store.configuration());
            Ok(command)
        };
        if !run("initialise")?.status()?.success() {
            return Err("no token".into());
        }
        let logged_in = folder.path().join(LOGGED_IN);
        let mut killed = run("make the log key")?.spawn()?;
        while !logged_in.exists() && killed.try_wait()?.is_none() {
            sleep(Duration::from_micros(100));
        }
        let begun = Instant::now();
        match whole {
            // The first run is left alone, and tells how long one takes.
            None => {
                killed.wait()?;
                whole = Some(begun.elapsed());
            }
            Some(whole) => {
                sleep(whole * kill / KILLS);
                killed.kill()?;
                killed.wait()?;
            }
        }
        let output = run("make the log key")?.output()?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("killed at {kill} of {KILLS}, then: {stderr}").into());
        }
    }
    Ok(())
}

/// Makes it where it is not there, and signs.
pub fn make() -> Outcome {
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    token.login(&pin("user-secret"))?;
    let configuration = std::env::var_os("SOFTHSM2_CONF").ok_or("no store")?;
    fs::write(Path::new(&configuration).with_file_name(LOGGED_IN), "")?;
    let key = match token.log_key()? {
        Some(key) => key,
        None => token.make_log_key()?,
    };
    assert!(verifies_as_openssl(key.spki(), DATA, &key.sign(DATA)?));
    assert_eq!(token.keys()?.len(), 1);
    Ok(())
}
