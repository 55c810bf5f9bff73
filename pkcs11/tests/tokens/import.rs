//! Keys of other programs, put into a token.

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use key_metadata::{Advice, Algorithm, CkaId, Extractability, KeyId, SoftwareKey, SoftwareSecret};
use keyrite_pkcs11::{FoundKey, ImportError, Likeness, Presence, Token, verifies};
use sandbox::software_key;
use zeroize::Zeroizing;

use crate::{Outcome, id, ready, softhsm_module, tpm_module, uri};

/// Every algorithm, RSA also as small as other tools once made it.
const KEYS: [(Algorithm, u16); 7] = [
    (Algorithm::RsaSha256, 1024),
    (Algorithm::RsaSha256, 2048),
    (Algorithm::RsaSha512, 3072),
    (Algorithm::RsaSha256, 4096),
    (Algorithm::EcdsaP256Sha256, 256),
    (Algorithm::EcdsaP384Sha384, 384),
    (Algorithm::Ed25519, 256),
];

pub fn in_softhsm() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    for (number, (algorithm, bits)) in (1..).zip(KEYS) {
        let key = software_key(algorithm, bits)?;
        let extractability = match number % 2 {
            0 => Extractability::Never,
            _ => Extractability::Wrapped,
        };
        token.import(&key, id(number), "zsk cr", extractability)?;
        let inside = token.key(id(number))?;
        assert_eq!(inside.public_key(algorithm)?, key.public_key);
        for data in [&b""[..], b"a", &[7; 5000]] {
            let signature = inside.sign(algorithm, data)?;
            assert!(verifies(&key.public_key, data, &signature), "{algorithm} {bits}");
        }
        let listed = token.keys()?;
        let listed: Vec<&FoundKey> = listed
            .iter()
            .filter(|found| found.is_of(&key.public_key) == Likeness::Same)
            .collect();
        let [found] = listed.as_slice() else {
            return Err(format!("{} keys are it", listed.len()).into());
        };
        assert_eq!(
            (found.id.clone(), found.label.as_str()),
            (Some(id(number).into()), "zsk cr")
        );
        assert_eq!(
            (found.sensitive, found.extractable),
            (Some(true), Some(extractability == Extractability::Wrapped))
        );
        assert!(found.has_private && found.has_public);
        // An id is never used again, by whatever key.
        let again = token.import(&key, id(number), "zsk cr", extractability);
        assert!(matches!(again, Err(ImportError::IdUsed { .. })), "{again:?}");
    }
    assert_eq!(token.keys()?.len(), KEYS.len());
    assert_eq!(uses(id(2))?, [false; 4], "it only signs");
    Ok(())
}

/// What the private key of that id is allowed to do beside signing.
fn uses(id: KeyId) -> Result<Vec<bool>, Box<dyn std::error::Error>> {
    let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
    let session = context.open_ro_session(context.get_slots_with_initialized_token()?[0])?;
    let wanted = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Id(id.as_bytes().to_vec()),
    ];
    let uses = [
        AttributeType::Decrypt,
        AttributeType::Unwrap,
        AttributeType::SignRecover,
        AttributeType::Derive,
    ];
    let attributes = session.get_attributes(session.find_objects(&wanted)?[0], &uses)?;
    let allowed = |attribute| {
        matches!(
            attribute,
            Attribute::Decrypt(true)
                | Attribute::Unwrap(true)
                | Attribute::SignRecover(true)
                | Attribute::Derive(true)
        )
    };
    Ok(attributes.into_iter().map(allowed).collect())
}

/// Halves that do not belong together, and what is no key of that kind: nothing is left of any.
pub fn wrong_keys() -> Outcome {
    let token = ready(&softhsm_module()?, "cr")?;
    let import = |token: &Token, key: &SoftwareKey| token.import(key, id(1), "zsk", Extractability::Never);
    for (algorithm, bits) in KEYS {
        let mut mixed = software_key(algorithm, bits)?;
        mixed.public_key = software_key(algorithm, bits)?.public_key;
        let refused = import(&token, &mixed);
        assert!(
            matches!(
                refused,
                Err(ImportError::NotThatKey { .. } | ImportError::Sign(_))
            ),
            "{algorithm}: {refused:?}"
        );
        assert_eq!(token.presence(id(1))?, Presence::Absent, "{algorithm} {bits}");
    }
    let mut short = software_key(Algorithm::EcdsaP256Sha256, 256)?;
    short.secret = SoftwareSecret::Scalar(Zeroizing::new(vec![1; 31]));
    assert!(matches!(
        import(&token, &short),
        Err(ImportError::OtherKind {
            algorithm: Algorithm::EcdsaP256Sha256
        })
    ));
    short.secret = software_key(Algorithm::RsaSha256, 2048)?.secret;
    assert!(matches!(
        import(&token, &short),
        Err(ImportError::OtherKind { .. })
    ));
    let good = software_key(Algorithm::Ed25519, 256)?;
    let long = token.import(&good, id(1), &"x".repeat(33), Extractability::Never);
    assert!(matches!(long, Err(ImportError::LabelLength { .. })));
    drop(token);
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    assert!(matches!(
        import(&token, &good),
        Err(ImportError::NotLoggedIn { .. })
    ));
    Ok(())
}

/// tpm2-pkcs11 makes no private key of what it is given, and says so.
pub fn in_tpm() -> Outcome {
    let token = ready(&tpm_module()?, "cr")?;
    for (algorithm, bits) in KEYS {
        let key = software_key(algorithm, bits)?;
        let Err(error) = token.import(&key, CkaId::from(id(1)), "zsk", Extractability::Never) else {
            return Err(format!("it took {algorithm}").into());
        };
        let supported = bits <= 3072 && algorithm != Algorithm::Ed25519;
        match &error {
            ImportError::Refused { source, .. } if supported => {
                assert_eq!(
                    error.to_string(),
                    format!("token 'cr' takes no private key for {algorithm} from outside")
                );
                assert!(
                    source.to_string().starts_with("C_CreateObject answered CKR_"),
                    "{source}"
                );
            }
            ImportError::Unsupported { .. } if !supported => {}
            other => return Err(format!("{algorithm} {bits}: {other:?}").into()),
        }
        assert!(error.hint().is_some() && !error.is_credential());
        assert_eq!(token.presence(id(1))?, Presence::Absent);
    }
    Ok(())
}
