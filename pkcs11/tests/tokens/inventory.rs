//! Keys that other tools made, halves of keys, and keys known by their public half.

use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Algorithm, CkaId, Extractability, KeyId, KeySpec, PublicKey};
use keyrite_pkcs11::{FindError, LabelError, Likeness, ListError, Presence, Token, verifies};

use crate::softhsm::{P256, p256};
use crate::{Outcome, id, ready, softhsm_module, uri, wrapping};

pub fn other_tools() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let knots = CkaId::try_from(&[0xa5; 20][..])?;
    let short = CkaId::try_from(&[1][..])?;
    let made = token.generate(p256()?, &knots, "ksk", Extractability::Never)?;
    token.generate(p256()?, &short, "ksk", Extractability::Never)?;
    token.generate(p256()?, id(1), "zsk", Extractability::Never)?;
    let key = token.key(&knots)?;
    assert_eq!((key.id(), key.public_key(P256)?), (&knots, made.clone()));
    assert!(verifies(&made, b"x", &key.sign(P256, b"x")?));
    assert_eq!(token.find_labelled("ksk")?, [short.clone(), knots.clone()]);
    assert_eq!(token.find_labelled("zsk")?, [id(1).into()]);
    assert_eq!(token.find_labelled("ks")?, []);
    token.destroy(&short)?;
    assert_eq!(token.find_labelled("ksk")?, std::slice::from_ref(&knots));
    let Err(error) = token.key(&short) else {
        return Err("it was found".into());
    };
    assert_eq!(error.to_string(), "token 'cr' has no key 01");

    // As pkcs11-tool without --id makes it.
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let session = context.open_rw_session(context.get_slots_with_initialized_token()?[0])?;
    for object in session.find_objects(&[Attribute::Id(knots.as_bytes().to_vec())])? {
        session.update_attributes(object, &[Attribute::Id(Vec::new())])?;
    }
    let Err(error) = token.find_labelled("ksk") else {
        return Err("a key without an id was found".into());
    };
    assert!(matches!(error, LabelError::NoId { .. }), "{error:?}");
    Ok(())
}

/// Another session with the only token, in which the login of the token under test holds.
fn by_another_hand() -> Result<Session, Box<dyn std::error::Error>> {
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    Ok(context.open_rw_session(context.get_slots_with_initialized_token()?[0])?)
}

/// The object of that class with that id.
fn half(
    session: &Session,
    class: ObjectClass,
    id: KeyId,
) -> Result<ObjectHandle, Box<dyn std::error::Error>> {
    let found = session.find_objects(&[Attribute::Class(class), Attribute::Id(id.as_bytes().to_vec())])?;
    Ok(*found.first().ok_or("no such object")?)
}

pub fn found_by_public_half() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let algorithms = [
        Algorithm::RsaSha256,
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::Ed25519,
    ];
    let mut made = Vec::new();
    for (number, algorithm) in (1..).zip(algorithms) {
        let spec = KeySpec::new(algorithm, None)?;
        // Two of each, and all with one label, as Knot and BIND may leave them.
        token.generate(spec, id(100 + number), "same", Extractability::Never)?;
        made.push((
            number,
            token.generate(spec, id(number), "same", Extractability::Never)?,
        ));
    }
    let check = |when: &str| -> Outcome {
        for (number, public) in &made {
            let algorithm = public.algorithm().made().ok_or("not made")?;
            let key = token
                .key_of(public)?
                .ok_or(format!("{when}: {public:?} was not found"))?;
            assert_eq!(key.id(), &CkaId::from(id(*number)), "{when}");
            assert!(verifies(public, b"x", &key.sign(algorithm, b"x")?), "{when}");
        }
        Ok(())
    };
    check("whole")?;
    let told: Vec<_> = token.keys()?.iter().map(|key| key.is_of(&made[1].1)).collect();
    assert_eq!(told.iter().filter(|told| **told == Likeness::Same).count(), 1);
    assert_eq!(told.iter().filter(|told| **told == Likeness::Other).count(), 7);
    // An RSA key signs for both algorithms, and is the same key.
    let (modulus, exponent) = made[0].1.rsa_parts().ok_or("no RSA")?;
    let other_hash = PublicKey::rsa(Algorithm::RsaSha512, modulus, exponent)?;
    assert!(token.key_of(&other_hash)?.is_some());
    let absent = PublicKey::from_dnskey(P256, &[7; 64])?;
    assert!(token.key_of(&absent)?.is_none());

    // Private halves alone, as some tools restore them: SoftHSM then tells an RSA key's modulus, and of a curve's key nothing.
    let session = by_another_hand()?;
    for (number, _) in &made {
        session.destroy_object(half(&session, ObjectClass::PUBLIC_KEY, id(*number))?)?;
    }
    let alone = token.keys()?;
    let alone = alone
        .iter()
        .find(|key| key.id == Some(id(2).into()) && !key.has_public);
    assert_eq!(alone.map(|key| key.is_of(&made[1].1)), Some(Likeness::Untold));
    check("private halves alone")
}

pub fn nameless_stays() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    for (number, algorithm) in (1..).zip(Algorithm::ALL) {
        token.generate(
            KeySpec::new(algorithm, None)?,
            id(number),
            "one",
            Extractability::Never,
        )?;
        assert!(!token.is_unfinished(id(number))?, "{algorithm}");
    }
    let session = by_another_hand()?;
    let objects = session.find_objects(&[])?;
    assert_eq!(objects.len(), 2 * Algorithm::ALL.len());
    for object in objects {
        session.update_attributes(object, &[Attribute::Id(Vec::new()), Attribute::Label(Vec::new())])?;
    }
    assert_eq!(token.remove_unfinished()?, 0);
    assert_eq!(session.find_objects(&[])?.len(), 2 * Algorithm::ALL.len());
    Ok(())
}

/// What SoftHSM leaves of an object whose maker was killed before its first attribute: a file with its head alone.
pub fn blank_stays() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let made = token.generate(p256()?, id(1), "ksk cr", Extractability::Wrapped)?;
    let configuration = std::fs::read_to_string(std::env::var("SOFTHSM2_CONF")?)?;
    let store = configuration
        .lines()
        .find_map(|line| line.strip_prefix("directories.tokendir = "));
    let store = Path::new(store.ok_or("no store")?);
    let folder = std::fs::read_dir(store)?.next().ok_or("no token")??.path();
    std::fs::write(folder.join("0b1a4c00-0000-0000-0000-000000000000.object"), [0; 8])?;
    // SoftHSM looks at its store again when this number is another.
    let generation = folder.join("generation");
    let number: [u8; 8] = std::fs::read(&generation)?
        .try_into()
        .map_err(|_| "no generation")?;
    std::fs::write(&generation, (u64::from_be_bytes(number) + 1).to_be_bytes())?;
    let session = by_another_hand()?;
    assert_eq!(session.find_objects(&[])?.len(), 3);
    assert_eq!(token.keys()?.len(), 1);
    assert!(token.key_of(&made)?.is_some());
    // SoftHSM does not destroy it.
    assert_eq!(token.remove_unfinished()?, 0);
    let kek = wrapping::kek();
    let wrapping = token.wrapping(&kek)?;
    let wrapped = wrapping.wrap(id(1), &made, wrapping::PAD)?;
    token.destroy(id(1))?;
    let again = Extractability::Wrapped;
    wrapping.restore(&wrapped, &made, id(1), "ksk cr", again, wrapping::NONCE)?;
    wrapping::is_whole(&token, &id(1).into(), &made, again)?;
    Ok(())
}

pub fn listed_each() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let first = token.generate(p256()?, id(1), "one", Extractability::Never)?;
    let second = token.generate(p256()?, id(2), "two", Extractability::Never)?;
    let session = by_another_hand()?;
    let rename = |class, from, to: Vec<u8>| -> Outcome {
        Ok(session.update_attributes(half(&session, class, from)?, &[Attribute::Id(to)])?)
    };
    // Another key's private half under the id of the first: two private keys, of which one has no public half.
    rename(ObjectClass::PRIVATE_KEY, id(2), id(1).as_bytes().to_vec())?;
    let halves = |token: &Token| -> Result<Vec<_>, ListError> {
        let keys = token.keys()?.into_iter();
        Ok(keys
            .map(|key| (key.id, key.label, key.has_private, key.has_public))
            .collect())
    };
    let (one, two) = (Some(CkaId::from(id(1))), Some(CkaId::from(id(2))));
    let label = |text: &str| text.to_owned();
    let listed = halves(&token)?;
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!(listed.iter().filter(|key| key.0 == one && key.2).count(), 2);
    assert!(listed.contains(&(two, label("two"), false, true)));
    assert!(matches!(
        token.key(id(1)),
        Err(FindError::Several { count: 2, .. })
    ));

    // Without ids, halves belong together by label.
    for key in session.find_objects(&[])? {
        session.update_attributes(key, &[Attribute::Id(Vec::new())])?;
    }
    assert_eq!(
        halves(&token)?,
        [(None, label("one"), true, true), (None, label("two"), true, true)]
    );
    assert_eq!(token.keys()?[0].is_of(&first), Likeness::Same);
    assert_eq!(token.keys()?[0].is_of(&second), Likeness::Other);
    assert!(token.key_of(&first)?.is_none(), "it could not be found again");
    Ok(())
}

pub fn presence() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    for (number, class, left) in [
        (1, ObjectClass::PRIVATE_KEY, Presence::PublicOnly),
        (2, ObjectClass::PUBLIC_KEY, Presence::PrivateOnly),
    ] {
        assert_eq!(token.presence(id(number))?, Presence::Absent);
        token.generate(p256()?, id(number), "zsk", Extractability::Never)?;
        assert_eq!(token.presence(id(number))?, Presence::Whole);
        let session = by_another_hand()?;
        session.destroy_object(half(&session, class, id(number))?)?;
        assert_eq!(token.presence(id(number))?, left);
        token.destroy(id(number))?;
        assert_eq!(token.presence(id(number))?, Presence::Absent);
    }
    drop(token);
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    assert!(matches!(
        token.presence(id(1)),
        Err(FindError::NotLoggedIn { .. })
    ));
    Ok(())
}
