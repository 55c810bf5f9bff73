//! Keys that leave a token wrapped, and come back.

use std::error::Error;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use key_metadata::{
    Advice, Algorithm, CkaId, Extractability, KeyEncryptionKey, KeySpec, OpenWrappedError, Pkcs8Error,
    PublicKey, SoftwareKey,
};
use keyrite_pkcs11::{
    BackupError, FindError, Leaving, Likeness, OpenedError, Presence, RestoreError, Restored, Token,
    WrapError, WrapMechanism, verifies,
};
use sandbox::{SoftHsm, wrapped_key};
use zeroize::Zeroizing;

use crate::{Outcome, child, id, opencryptoki, pin, ready, softhsm_module, tpm_module, uri};

/// Thrown away like every key here.
pub const KEK: [u8; 32] = *b"an AES-256 key of 32 bytes, ours";
/// What restored keys sign.
pub const NONCE: &[u8] = b"a nonce of a test";
pub const KWP: WrapMechanism = WrapMechanism::AesKeyWrapKwp;
pub const PAD: WrapMechanism = WrapMechanism::AesKeyWrapPad;

/// What a backup has to carry.
pub const KINDS: [(Algorithm, Option<u16>); 5] = [
    (Algorithm::RsaSha256, Some(2048)),
    (Algorithm::RsaSha256, Some(4096)),
    (Algorithm::RsaSha512, Some(3072)),
    (Algorithm::EcdsaP256Sha256, None),
    (Algorithm::EcdsaP384Sha384, None),
];

pub fn kek() -> KeyEncryptionKey {
    KeyEncryptionKey::new(Zeroizing::new(KEK))
}

fn p256() -> Result<KeySpec, Box<dyn Error>> {
    Ok(KeySpec::new(Algorithm::EcdsaP256Sha256, None)?)
}

/// Whether the one key of that id is that key, whole, protected as was asked for, and signs.
pub fn is_whole(
    token: &Token,
    id: &CkaId,
    public_key: &PublicKey,
    extractability: Extractability,
) -> Result<(), Box<dyn Error>> {
    let algorithm = public_key.algorithm().made().ok_or("a legacy key")?;
    let signature = token.key(id.clone())?.sign(algorithm, b"it is back")?;
    assert!(verifies(public_key, b"it is back", &signature), "{algorithm}");
    let keys = token.keys()?;
    let mut found = keys.iter().filter(|key| key.is_of(public_key) == Likeness::Same);
    let key = found.next().ok_or("no such key")?;
    assert!(found.next().is_none());
    assert!(key.has_private && key.has_public);
    assert_eq!((key.id.as_ref(), key.label.as_str()), (Some(id), "ksk cr"));
    let protection = (Some(true), Some(extractability == Extractability::Wrapped));
    assert_eq!((key.sensitive, key.extractable), protection);
    Ok(())
}

/// From one token to another, and into the same one after it was destroyed there.
pub fn there_and_back() -> Outcome {
    let (kek, module) = (kek(), softhsm_module()?);
    let (one, two) = (ready(&module, "one")?, ready(&module, "two")?);
    let (leaves, enters) = (one.wrapping(&kek)?, two.wrapping(&kek)?);
    for (number, (algorithm, bits)) in (1..).zip(KINDS) {
        let (spec, own) = (KeySpec::new(algorithm, bits)?, CkaId::from(id(number)));
        let mechanism = leaves.prove(spec)?;
        assert_eq!(mechanism, PAD);
        assert_eq!(
            one.keys()?.len(),
            usize::from(number) - 1,
            "a proof leaves nothing"
        );
        let public_key = one.generate(spec, own.clone(), "ksk cr", Extractability::Wrapped)?;
        let wrapped = leaves.wrap(own.clone(), &public_key, mechanism)?;
        let never = Extractability::Never;
        let back = enters.restore(&wrapped, &public_key, own.clone(), "ksk cr", never, NONCE)?;
        assert_eq!(back, Restored::Unwrapped(PAD));
        is_whole(&two, &own, &public_key, never)?;
        one.destroy(own.clone())?;
        let again = Extractability::Wrapped;
        let back = leaves.restore(&wrapped, &public_key, own.clone(), "ksk cr", again, NONCE)?;
        assert_eq!(back, Restored::Unwrapped(PAD));
        is_whole(&one, &own, &public_key, again)?;
        // And what came back can leave again, as the same.
        let wrapped = leaves.wrap(own.clone(), &public_key, mechanism)?;
        assert!(kek.open(&wrapped).is_ok());
        let stays = enters.wrap(own.clone(), &public_key, mechanism);
        assert!(
            matches!(stays, Err(WrapError::NotExtractable { .. })),
            "{stays:?}"
        );
    }
    assert_eq!((one.keys()?.len(), two.keys()?.len()), (KINDS.len(), KINDS.len()));
    Ok(())
}

/// A key that another program made and wrapped.
pub fn of_openssl() -> Outcome {
    takes_of_openssl(&ready(&softhsm_module()?, "cr")?, PAD)
}

/// Restores what `openssl` wrapped; the token knows it by that mechanism.
pub fn takes_of_openssl(token: &Token, mechanism: WrapMechanism) -> Outcome {
    let kek = kek();
    let wrapping = token.wrapping(&kek)?;
    for (number, (algorithm, bits)) in (1..).zip(KINDS) {
        let (wrapped, public_key) = wrapped_key(algorithm, bits.unwrap_or(0), &KEK)?;
        let never = Extractability::Never;
        let back = wrapping.restore(&wrapped, &public_key, id(number), "ksk cr", never, NONCE)?;
        assert_eq!(back, Restored::Unwrapped(mechanism));
        is_whole(token, &id(number).into(), &public_key, never)?;
    }
    Ok(())
}

/// Nothing is written over, and no key is there twice.
pub fn occupied() -> Outcome {
    let (kek, token) = (kek(), ready(&softhsm_module()?, "cr")?);
    let wrapping = token.wrapping(&kek)?;
    let never = Extractability::Never;
    for (number, (algorithm, bits)) in (1..).step_by(2).zip([KINDS[0], KINDS[3]]) {
        let spec = KeySpec::new(algorithm, bits)?;
        let public_key = token.generate(spec, id(number), "ksk cr", Extractability::Wrapped)?;
        let wrapped = wrapping.wrap(id(number), &public_key, PAD)?;
        let there = wrapping.restore(&wrapped, &public_key, id(number), "ksk cr", never, NONCE);
        assert!(matches!(there, Err(RestoreError::IdUsed { .. })), "{there:?}");
        let twin = wrapping.restore(&wrapped, &public_key, id(number + 1), "ksk cr", never, NONCE);
        let Err(error @ RestoreError::KeyThere { .. }) = twin else {
            return Err(format!("{twin:?}").into());
        };
        let (asked, has) = (id(number + 1), id(number));
        assert_eq!(
            error.to_string(),
            format!("token 'cr' has the key to be restored as {asked} already, as {has}")
        );
        assert_eq!(token.presence(id(number + 1))?, Presence::Absent);
        is_whole(&token, &id(number).into(), &public_key, Extractability::Wrapped)?;
        // Another key than that of the id: it is not looked at before.
        let (other, other_public) = wrapped_key(algorithm, bits.unwrap_or(0), &KEK)?;
        let there = wrapping.restore(&other, &other_public, id(number), "ksk cr", never, NONCE);
        assert!(matches!(there, Err(RestoreError::IdUsed { .. })), "{there:?}");
    }
    // What comes into the token after it was looked through is seen as well, and left as it is.
    let later = token.generate(p256()?, id(9), "ksk cr", Extractability::Wrapped)?;
    let wrapped = token.wrapping(&kek)?.wrap(id(9), &later, PAD)?;
    let twin = wrapping.restore(&wrapped, &later, id(10), "ksk cr", never, NONCE);
    assert!(matches!(twin, Err(RestoreError::KeyThere { .. })), "{twin:?}");
    assert_eq!(token.presence(id(10))?, Presence::Absent);
    is_whole(&token, &id(9).into(), &later, Extractability::Wrapped)?;
    assert_eq!(token.keys()?.len(), 3);
    Ok(())
}

/// Several at once are those that were asked for, in their order; the first that is none ends them, whichever side finds it.
pub fn several() -> Outcome {
    let (kek, token) = (kek(), ready(&softhsm_module()?, "cr")?);
    let made = |number: u8, extractability| -> Result<PublicKey, Box<dyn Error>> {
        let (algorithm, bits) = KINDS[if number.is_multiple_of(2) { 0 } else { 3 }];
        let spec = KeySpec::new(algorithm, bits)?;
        Ok(token.generate(spec, id(number), "ksk cr", extractability)?)
    };
    let publics = (1..=12)
        .map(|number| made(number, Extractability::Wrapped))
        .collect::<Result<Vec<_>, _>>()?;
    let stays = made(13, Extractability::Never)?;
    let wrapping = token.wrapping(&kek)?;
    let leaving = |number: u8, public_key| Leaving {
        id: id(number).into(),
        public_key,
        mechanism: PAD,
    };
    let all = || (1..).zip(&publics).map(|(number, key)| leaving(number, key));
    let mut told = 0;
    let wrapped = wrapping.wrap_all(&all().collect::<Vec<_>>(), || told += 1);
    assert_eq!((wrapped.len(), told), (12, 12));
    for (wrapped, key) in wrapped.into_iter().zip(&publics) {
        SoftwareKey::from_pkcs8(&kek.open(&wrapped?)?, key)?;
    }
    // Another public key, one that never leaves, one that is not there.
    let places = [
        (4, leaving(5, &publics[6])),
        (11, leaving(13, &stays)),
        (0, leaving(14, &stays)),
    ];
    for (place, bad) in places {
        let mut keys: Vec<_> = all().collect();
        keys[place] = bad;
        let wrapped = wrapping.wrap_all(&keys, || ());
        assert_eq!(wrapped.len(), place + 1);
        let (last, before) = wrapped.split_last().ok_or("nothing")?;
        assert!(before.iter().all(Result::is_ok));
        match (place, last) {
            (4, Err(WrapError::NotThatKey { id: named, .. })) => assert_eq!(*named, id(5).into()),
            (11, Err(WrapError::NotExtractable { id: named, .. })) => assert_eq!(*named, id(13).into()),
            (0, Err(WrapError::Find(FindError::NoKey { .. }))) => {}
            (_, other) => return Err(format!("{place}: {other:?}").into()),
        }
    }
    assert!(wrapping.wrap_all(&[], || ()).is_empty());
    assert_eq!(wrapping.label(id(1))?, "ksk cr");
    assert_eq!(wrapping.label(id(14))?, "");
    Ok(())
}

/// A private half alone, as a restore that was killed leaves it, is known by its signature.
pub fn lone_half() -> Outcome {
    let (kek, token) = (kek(), ready(&softhsm_module()?, "cr")?);
    let (wrapped, public_key) = wrapped_key(Algorithm::EcdsaP256Sha256, 0, &KEK)?;
    let never = Extractability::Never;
    token
        .wrapping(&kek)?
        .restore(&wrapped, &public_key, id(1), "ksk cr", never, NONCE)?;
    let context = cryptoki::context::Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let session = context.open_rw_session(context.get_slots_with_initialized_token()?[0])?;
    let public = cryptoki::object::Attribute::Class(cryptoki::object::ObjectClass::PUBLIC_KEY);
    for object in session.find_objects(&[public])? {
        session.destroy_object(object)?;
    }
    assert_eq!(token.presence(id(1))?, Presence::PrivateOnly);
    let wrapping = token.wrapping(&kek)?;
    let there = wrapping.restore(&wrapped, &public_key, id(1), "ksk cr", never, NONCE);
    assert!(matches!(there, Err(RestoreError::IdUsed { .. })), "{there:?}");
    let twin = wrapping.restore(&wrapped, &public_key, id(2), "ksk cr", never, NONCE);
    assert!(matches!(twin, Err(RestoreError::KeyThere { .. })), "{twin:?}");
    let (other, public_key) = wrapped_key(Algorithm::EcdsaP256Sha256, 0, &KEK)?;
    wrapping.restore(&other, &public_key, id(2), "ksk cr", never, NONCE)?;
    is_whole(&token, &id(2).into(), &public_key, never)
}

/// Every byte of a blob, another key-encryption key, another public key: told before the token is asked to take anything.
pub fn changed() -> Outcome {
    let (kek, token) = (kek(), ready(&softhsm_module()?, "cr")?);
    let wrapping = token.wrapping(&kek)?;
    let public_key = token.generate(p256()?, id(1), "ksk cr", Extractability::Wrapped)?;
    let wrapped = wrapping.wrap(id(1), &public_key, PAD)?;
    token.destroy(id(1))?;
    let refusal = |wrapped: &[u8], public_key: &PublicKey| {
        let never = Extractability::Never;
        match wrapping.restore(wrapped, public_key, id(1), "ksk cr", never, NONCE) {
            Err(error @ RestoreError::NotOpened { source, .. }) => {
                assert!(error.hint().is_some() && !error.is_credential());
                Ok(source)
            }
            other => Err(format!("{other:?}")),
        }
    };
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1 << (at % 8);
        let integrity = OpenedError::Wrapped(OpenWrappedError::Integrity);
        assert_eq!(refusal(&changed, &public_key)?, integrity, "byte {at}");
    }
    let length = OpenedError::Wrapped(OpenWrappedError::Length { found: 79 });
    assert_eq!(refusal(&wrapped[1..], &public_key)?, length);
    let (_, other) = wrapped_key(Algorithm::EcdsaP256Sha256, 0, &KEK)?;
    assert_eq!(refusal(&wrapped, &other)?, OpenedError::Key(Pkcs8Error::OtherKey));
    let (_, rsa) = wrapped_key(Algorithm::RsaSha256, 2048, &KEK)?;
    assert!(matches!(
        refusal(&wrapped, &rsa)?,
        OpenedError::Key(Pkcs8Error::OtherKind { .. })
    ));
    let mut other = KEK;
    other[31] ^= 1;
    let other = KeyEncryptionKey::new(Zeroizing::new(other));
    let foreign = token.wrapping(&other)?;
    let refused = foreign.restore(
        &wrapped,
        &public_key,
        id(1),
        "ksk cr",
        Extractability::Never,
        NONCE,
    );
    assert!(
        matches!(
            refused,
            Err(RestoreError::NotOpened {
                source: OpenedError::Wrapped(OpenWrappedError::Integrity),
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(token.keys()?.is_empty());
    // It was not the blob.
    wrapping.restore(
        &wrapped,
        &public_key,
        id(1),
        "ksk cr",
        Extractability::Never,
        NONCE,
    )?;
    is_whole(&token, &id(1).into(), &public_key, Extractability::Never)
}

/// What is not wrapped, and why.
pub fn refused() -> Outcome {
    let (kek, module) = (kek(), softhsm_module()?);
    let token = ready(&module, "cr")?;
    let wrapping = token.wrapping(&kek)?;
    let public_key = token.generate(p256()?, id(1), "ksk cr", Extractability::Never)?;
    let stays = wrapping.wrap(id(1), &public_key, PAD);
    let Err(error @ WrapError::NotExtractable { .. }) = &stays else {
        return Err(format!("{stays:?}").into());
    };
    let never = "was made never to leave it (CKA_EXTRACTABLE false)";
    assert_eq!(error.to_string(), format!("key {} in token 'cr' {never}", id(1)));
    let nothing = wrapping.wrap(id(2), &public_key, PAD);
    assert!(
        matches!(nothing, Err(WrapError::Find(FindError::NoKey { .. }))),
        "{nothing:?}"
    );
    let made = token.generate(p256()?, id(2), "ksk cr", Extractability::Wrapped)?;
    let other = wrapping.wrap(id(2), &public_key, PAD);
    assert!(
        matches!(
            other,
            Err(WrapError::NotThatKey {
                source: OpenedError::Key(Pkcs8Error::OtherKey),
                ..
            })
        ),
        "{other:?}"
    );
    let number = wrapping.wrap(id(2), &made, KWP);
    assert!(matches!(number, Err(WrapError::Refused { .. })), "{number:?}");
    let edwards = KeySpec::new(Algorithm::Ed25519, None)?;
    let made = token.generate(edwards, id(3), "ksk cr", Extractability::Wrapped)?;
    let edwards = wrapping.wrap(id(3), &made, PAD);
    assert!(matches!(edwards, Err(WrapError::Refused { .. })), "{edwards:?}");
    // A token takes what was never wrapped by it.
    let (wrapped, public_key) = wrapped_key(Algorithm::Ed25519, 0, &KEK)?;
    let back = wrapping.restore(
        &wrapped,
        &public_key,
        id(4),
        "ksk cr",
        Extractability::Never,
        NONCE,
    )?;
    is_whole(&token, &id(4).into(), &public_key, Extractability::Never)?;
    assert_eq!(back, Restored::Imported);
    let long = wrapping.restore(
        &wrapped,
        &public_key,
        id(5),
        &"x".repeat(33),
        Extractability::Never,
        NONCE,
    );
    assert!(matches!(long, Err(RestoreError::LabelLength { .. })));
    drop((wrapping, token));
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    let nobody = token.wrapping(&kek).err();
    assert!(
        matches!(nobody, Some(WrapError::NotLoggedIn { .. })),
        "{nobody:?}"
    );
    Ok(())
}

/// tpm2-pkcs11 takes no key for a session; what can be done instead is said.
pub fn in_tpm() -> Outcome {
    let (kek, token) = (kek(), ready(&tpm_module()?, "cr")?);
    let Some(error @ WrapError::NoSessionKey { .. }) = token.wrapping(&kek).err() else {
        return Err("tpm2-pkcs11 wraps".into());
    };
    assert_eq!(
        error.to_string(),
        "token 'cr' takes no key-encryption key for a session (C_CreateObject of CKK_AES with CKA_TOKEN false)"
    );
    assert!(!error.is_credential());
    let hint = error.hint().ok_or("no hint")?;
    for word in [
        "recovery parent",
        "duplication",
        "import and link",
        "--backup none",
    ] {
        assert!(hint.contains(word), "{hint}");
    }
    assert!(token.keys()?.is_empty());
    Ok(())
}

/// opencryptoki wraps nothing by RFC 5649, in software or under a TPM, and takes a private key as it is.
pub fn in_opencryptoki() -> Outcome {
    let (kek, token) = (kek(), opencryptoki::with_a_key()?);
    let wrapping = token.wrapping(&kek)?;
    let proof = wrapping.prove(KeySpec::new(Algorithm::RsaSha256, Some(2048))?);
    let Err(error @ BackupError::NotWrapped { .. }) = proof else {
        return Err(format!("{proof:?}").into());
    };
    assert_eq!(
        error.to_string(),
        "token 'cr' wraps no private key for RSASHA256 (2048 bits): \
         CKM_AES_KEY_WRAP_KWP (0x210b) refused: C_WrapKey answered CKR_MECHANISM_INVALID; \
         CKM_AES_KEY_WRAP_PAD (0x210a) refused: C_WrapKey answered CKR_MECHANISM_INVALID"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("--backup none")));
    let (wrapped, public_key) = wrapped_key(Algorithm::RsaSha256, 2048, &KEK)?;
    let never = Extractability::Never;
    let back = wrapping.restore(&wrapped, &public_key, id(2), "ksk cr", never, NONCE)?;
    assert_eq!(back, Restored::Imported);
    is_whole(&token, &id(2).into(), &public_key, never)
}

/// A restore that is killed, every 6 milliseconds of the time that it takes; what is left is told, removed, and the next one is whole.
///
/// The time begins when it has logged in to both tokens: a C_Login writes SoftHSM's file of the token, empty at first, and a kill in it loses
/// the token itself, whatever is done with it after.
pub fn killed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = SoftHsm::new(folder.path())?;
    let run = |part: &str| -> std::io::Result<_> {
        let mut command = child(part)?;
        command.env("SOFTHSM2_CONF", store.configuration());
        Ok(command)
    };
    let done = |part: &str| -> Outcome {
        let output = run(part)?.output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{part}: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    };
    done("make a key that leaves")?;
    for millis in (0..240).step_by(6) {
        let mut killed = run("restore")?.stdout(Stdio::piped()).spawn()?;
        let mut said = [0; LOGGED_IN.len()];
        killed.stdout.take().ok_or("no stdout")?.read_exact(&mut said)?;
        assert_eq!(&said, LOGGED_IN);
        sleep(Duration::from_millis(millis));
        killed.kill()?;
        killed.wait()?;
        done("restore again").map_err(|error| format!("killed after {millis} ms: {error}"))?;
    }
    Ok(())
}

fn open(label: &str) -> Result<Token, Box<dyn Error>> {
    let token = Token::open(&softhsm_module()?, &uri(label)?)?;
    token.login(&pin("user-secret"))?;
    Ok(token)
}

/// The tokens of [`killed`], with a key in the one that it leaves.
pub fn prepare() -> Outcome {
    let module = softhsm_module()?;
    let (one, _two) = (ready(&module, "one")?, ready(&module, "two")?);
    one.generate(p256()?, id(1), "ksk cr", Extractability::Wrapped)?;
    Ok(())
}

/// What [`restore`] says when it has written to no token yet, and will log in to none again.
const LOGGED_IN: &[u8; 10] = b"logged in\n";

/// Takes the key from one token to the other.
pub fn restore() -> Outcome {
    let (kek, one, two) = (kek(), open("one")?, open("two")?);
    std::io::stdout().write_all(LOGGED_IN)?;
    let public_key = one.key(id(1))?.public_key(Algorithm::EcdsaP256Sha256)?;
    let wrapped = one.wrapping(&kek)?.wrap(id(1), &public_key, PAD)?;
    let never = Extractability::Never;
    two.wrapping(&kek)?
        .restore(&wrapped, &public_key, id(1), "ksk cr", never, NONCE)?;
    is_whole(&two, &id(1).into(), &public_key, never)
}

/// Clears what a kill has left, and restores.
pub fn restore_again() -> Outcome {
    let two = open("two")?;
    let context = cryptoki::context::Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    for slot in context.get_slots_with_initialized_token()? {
        let session = context.open_ro_session(slot)?;
        let secret = cryptoki::object::Attribute::Class(cryptoki::object::ObjectClass::SECRET_KEY);
        assert!(
            session.find_objects(&[secret])?.is_empty(),
            "a key-encryption key outlives its process"
        );
    }
    two.remove_unfinished()?;
    if two.presence(id(1))? != Presence::Absent {
        two.destroy(id(1))?;
    }
    assert!(two.keys()?.is_empty());
    restore()?;
    two.destroy(id(1))?;
    Ok(())
}
