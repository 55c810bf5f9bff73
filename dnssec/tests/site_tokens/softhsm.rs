//! Keys in SoftHSM's tokens.

use std::path::Path;

use key_metadata::{Advice, Algorithm, CkaId, Extractability, KeySpec, SiteFolder};
use keyrite_dnssec::{BackupProof, Family, KeyPlace, Likeness, Presence, SiteTokens, WrapMechanism};

use sandbox::software_key;

use crate::{Body, Outcome, id, name, owner, pin, proves, record, site};

pub const TESTS: &[(&str, Body)] = &[
    (
        "softhsm: a key is followed by its reference, and found by its public half",
        followed,
    ),
    ("softhsm: an inventory has every key, ours or not", listed),
    (
        "softhsm: what a killed program left is told and destroyed",
        recovered,
    ),
    (
        "softhsm: one key in two tokens is proved by a signature of each",
        one_key_in_two,
    ),
    (
        "softhsm: a backup is proved or refused before a key is made",
        backup,
    ),
];

/// A site with two tokens, `one` and `two`.
pub fn two_tokens(folder: &Path) -> Result<SiteFolder, Box<dyn std::error::Error>> {
    let module = pkcs11::Module::load(Path::new(sandbox::SOFTHSM_MODULE))?;
    let mut tokens = Vec::new();
    for label in ["one", "two"] {
        pkcs11::Token::initialise(&module, &label.parse()?, &"so-secret".into(), &pin())?;
        let address = format!("pkcs11:token={label}?module-path={}", sandbox::SOFTHSM_MODULE);
        tokens.push((label, address));
    }
    site(folder, &tokens)
}

pub fn open(site: &SiteFolder) -> Result<SiteTokens<'_>, Box<dyn std::error::Error>> {
    let mut tokens = SiteTokens::new(site);
    tokens.open(&name("one")?, pin())?;
    tokens.open(&name("two")?, pin())?;
    Ok(tokens)
}

fn followed(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let tokens = open(&site)?;
    let (one, spec) = (name("one")?, KeySpec::new(Algorithm::EcdsaP256Sha256, None)?);
    let (public, reference) = tokens.generate(&one, spec, id(1), &owner(), Extractability::Never)?;
    let mut key = record(id(1), public.clone(), reference)?;
    tokens.signing_key(&key)?.prove(&public, b"a nonce")?;

    // As an imported key is: the record has an id of its own, and the reference says where the key is.
    key.id = id(9);
    tokens.signing_key(&key)?.prove(&public, b"a nonce")?;
    assert!(proves(&tokens, "one", &key)? && !proves(&tokens, "two", &key)?);

    // The reference leads to nothing, or to another key; the public half still tells.
    let nowhere = CkaId::try_from(&[5; 20][..])?;
    key.reference = tokens.reference(&one, &nowhere)?.ok_or("no reference")?;
    let Err(error) = tokens.signing_key(&key) else {
        return Err("it was found".into());
    };
    assert_eq!(
        error.to_string(),
        format!("token 'one' has no key {}", "05".repeat(20))
    );
    assert!(proves(&tokens, "one", &key)?);
    let (_, other) = tokens.generate(&one, spec, id(2), &owner(), Extractability::Never)?;
    key.reference = other;
    assert!(tokens.signing_key(&key)?.prove(&public, b"a nonce").is_err());
    assert!(proves(&tokens, "one", &key)?);

    assert_eq!(
        tokens.find_labelled(&one, "ZSK cr")?,
        [CkaId::from(id(1)), id(2).into()]
    );
    key.reference = tokens.reference(&one, id(1))?.ok_or("no reference")?;
    tokens.destroy(&key)?;
    assert!(!proves(&tokens, "one", &key)?);
    assert_eq!(tokens.find(&one, id(2))?, Presence::Whole);
    Ok(())
}

fn listed(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let tokens = open(&site)?;
    let one = name("one")?;
    let made = [
        (Algorithm::RsaSha256, Family::Rsa { bits: 2048 }),
        (Algorithm::EcdsaP384Sha384, Family::P384),
        (Algorithm::Ed25519, Family::Ed25519),
    ];
    for (number, (algorithm, family)) in (1..).zip(made) {
        let spec = KeySpec::new(algorithm, None)?;
        let (public, _) = tokens.generate(&one, spec, id(number), &owner(), Extractability::Never)?;
        let listed = tokens.keys_in(&one)?;
        assert!(listed.unreadable.is_empty() && listed.of_other_tpms.is_empty());
        let same: Vec<_> = listed
            .keys
            .iter()
            .filter(|key| key.is_of(&public) == Likeness::Same)
            .collect();
        let [key] = same.as_slice() else {
            return Err(format!("{} keys are {algorithm}'s", same.len()).into());
        };
        let place = KeyPlace::Pkcs11 {
            id: Some(id(number).into()),
        };
        assert_eq!(
            (&key.place, key.label.as_deref(), key.family),
            (&place, Some("ZSK cr"), family)
        );
        assert!(key.has_private && key.has_public);
        assert_eq!((key.sensitive, key.extractable), (Some(true), Some(false)));
        let others = listed.keys.len() - 1;
        assert_eq!(others, usize::from(number) - 1);
    }
    assert!(tokens.keys_in(&name("two")?)?.keys.is_empty());
    Ok(())
}

fn recovered(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let tokens = open(&site)?;
    let one = name("one")?;
    assert_eq!(tokens.find(&one, id(1))?, Presence::Absent);
    assert_eq!(tokens.destroy_by(&one, id(1))?, Presence::Absent);
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    let (public, _) = tokens.generate(&one, spec, id(1), &owner(), Extractability::Never)?;
    assert_eq!(tokens.find(&one, id(1))?, Presence::Whole);
    assert_eq!(tokens.find(&name("two")?, id(1))?, Presence::Absent);
    assert_eq!(
        tokens.public_key_of(&one, &id(1).into(), spec.algorithm())?,
        public
    );
    assert_eq!(tokens.destroy_by(&one, id(1))?, Presence::Whole);
    assert_eq!(tokens.find(&one, id(1))?, Presence::Absent);
    assert!(
        tokens
            .public_key_of(&one, &id(1).into(), spec.algorithm())
            .is_err()
    );
    assert!(tokens.keys_in(&one)?.keys.is_empty());
    Ok(())
}

fn one_key_in_two(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let tokens = open(&site)?;
    for (number, (algorithm, bits)) in (1..).zip([
        (Algorithm::RsaSha256, 2048),
        (Algorithm::EcdsaP256Sha256, 256),
        (Algorithm::EcdsaP384Sha384, 384),
        (Algorithm::Ed25519, 256),
    ]) {
        let outside = software_key(algorithm, bits)?;
        let never = Extractability::Never;
        let (public, reference) = tokens.import(&name("one")?, &outside, id(number), &owner(), never)?;
        assert_eq!(public, outside.public_key);
        let key = record(id(number), public, reference)?;
        tokens.signing_key(&key)?.prove(&key.public_key, b"a nonce")?;
        assert!(!proves(&tokens, "two", &key)?);
        tokens.import(&name("two")?, &outside, id(100 + number), &owner(), never)?;
        assert!(proves(&tokens, "one", &key)? && proves(&tokens, "two", &key)?);
    }
    Ok(())
}

fn backup(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let mut tokens = open(&site)?;
    let one = name("one")?;
    let proof = tokens.backup_capability(&one, KeySpec::new(Algorithm::EcdsaP256Sha256, None)?)?;
    let BackupProof::Wrapped(proof) = proof else {
        return Err("SoftHSM wraps".into());
    };
    assert_eq!(proof.mechanism, WrapMechanism::AesKeyWrapPad);
    let Err(error) = tokens.backup_capability(&one, KeySpec::new(Algorithm::Ed25519, None)?) else {
        return Err("SoftHSM wraps no Ed25519 key".into());
    };
    assert!(
        error
            .to_string()
            .starts_with("token 'one' wraps no private key for ED25519: ")
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("--backup none")));
    assert!(tokens.keys_in(&one)?.keys.is_empty());
    Ok(())
}
