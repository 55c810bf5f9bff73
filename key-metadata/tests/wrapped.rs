//! What `openssl` wrapped, opened here: RFC 5649 and PKCS#8 as another program has them.

use key_metadata::{
    Advice, Algorithm, KeyEncryptionKey, OpenWrappedError, Pkcs8Error, PublicKey, SoftwareKey, SoftwareSecret,
};
use sandbox::wrapped_key;
use zeroize::Zeroizing;

const KEK: [u8; 32] = *b"an AES-256 key of 32 bytes, ours";

const KEYS: [(Algorithm, u16); 6] = [
    (Algorithm::RsaSha256, 2048),
    (Algorithm::RsaSha512, 3072),
    (Algorithm::RsaSha256, 4096),
    (Algorithm::EcdsaP256Sha256, 256),
    (Algorithm::EcdsaP384Sha384, 384),
    (Algorithm::Ed25519, 256),
];

fn kek(bytes: [u8; 32]) -> KeyEncryptionKey {
    KeyEncryptionKey::new(Zeroizing::new(bytes))
}

fn refused(der: &[u8], public_key: &PublicKey) -> Option<Pkcs8Error> {
    SoftwareKey::from_pkcs8(der, public_key).err()
}

#[test]
fn each_kind_opens_as_the_private_half_of_its_public_key_and_of_no_other() {
    let keys: Vec<_> = KEYS
        .into_iter()
        .map(|(algorithm, bits)| wrapped_key(algorithm, bits, &KEK).unwrap())
        .collect();
    for (wrapped, public_key) in &keys {
        let algorithm = public_key.algorithm();
        let der = kek(KEK).open(wrapped).unwrap();
        let key = SoftwareKey::from_pkcs8(&der, public_key).unwrap();
        assert_eq!(&key.public_key, public_key);
        assert!(key.secret.is_of(public_key));
        for (_, other) in keys.iter().filter(|(_, other)| other != public_key) {
            assert!(!key.secret.is_of(other), "{algorithm}");
            assert!(matches!(
                refused(&der, other),
                Some(Pkcs8Error::OtherKind { .. } | Pkcs8Error::OtherKey)
            ));
        }
        let made = algorithm.made().unwrap();
        let (_, twin) = wrapped_key(made, public_key.bits(), &KEK).unwrap();
        assert_eq!(refused(&der, &twin), Some(Pkcs8Error::OtherKey), "{algorithm}");
        for cut in [0, 1, der.len() / 2, der.len() - 1] {
            assert!(matches!(
                refused(&der[..cut], public_key),
                Some(Pkcs8Error::Malformed { .. })
            ));
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_and_another_key_are_told_by_the_check() {
    let (wrapped, _) = wrapped_key(Algorithm::EcdsaP256Sha256, 256, &KEK).unwrap();
    for at in 0..wrapped.len() * 8 {
        let mut changed = wrapped.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let refused = kek(KEK).open(&changed).err();
        assert_eq!(refused, Some(OpenWrappedError::Integrity), "bit {at}");
    }
    for bit in 0..256 {
        let mut other = KEK;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(kek(other).open(&wrapped).err(), Some(OpenWrappedError::Integrity));
    }
    for length in (0..wrapped.len()).chain([wrapped.len() + 1]) {
        let mut cut = wrapped.clone();
        cut.resize(length, 0);
        let expected = match length < 24 || length % 8 != 0 {
            true => OpenWrappedError::Length { found: length },
            false => OpenWrappedError::Integrity,
        };
        assert_eq!(kek(KEK).open(&cut).err(), Some(expected));
        assert!(expected.hint().is_some());
    }
}

/// SoftHSM fills a private key up with zeros before it wraps it; what has anything else behind it is refused.
#[test]
fn zeros_behind_the_private_key_are_dropped_and_nothing_else_is() {
    let mut sequence = vec![0x30, 0x03, 0x02, 0x01, 0x05];
    sequence.resize(24, 0);
    assert_eq!(
        &kek(KEK).open(&wrap(&sequence).unwrap()).unwrap()[..],
        &sequence[..5]
    );
    for at in 5..24 {
        let mut other = sequence.clone();
        other[at] = 1;
        assert_eq!(
            kek(KEK).open(&wrap(&other).unwrap()).err(),
            Some(OpenWrappedError::NotDer),
            "byte {at}"
        );
    }
    for bad in [[0_u8; 16], [0x31; 16], [0x30; 16], [0x04; 16]] {
        assert_eq!(
            kek(KEK).open(&wrap(&bad).unwrap()).err(),
            Some(OpenWrappedError::NotDer)
        );
    }
}

/// By RFC 5649, as a token does it.
fn wrap(bytes: &[u8]) -> Option<Vec<u8>> {
    use aes_kw::KeyInit;
    let mut wrapped = vec![0; bytes.len().next_multiple_of(8) + 8];
    aes_kw::KwpAes256::new(&KEK.into())
        .wrap_key(bytes, &mut wrapped)
        .ok()?;
    Some(wrapped)
}

/// Each integer of an RSA key but the exponents, which a signature shows.
#[test]
fn a_damaged_rsa_key_is_not_that_of_its_public_half() {
    let (wrapped, public_key) = wrapped_key(Algorithm::RsaSha256, 2048, &KEK).unwrap();
    let der = kek(KEK).open(&wrapped).unwrap();
    let damaged = |damage: fn(&mut key_metadata::RsaSecret)| {
        let mut key = SoftwareKey::from_pkcs8(&der, &public_key).unwrap();
        if let SoftwareSecret::Rsa(rsa) = &mut key.secret {
            damage(rsa);
        }
        key.secret.is_of(&public_key)
    };
    assert!(damaged(|_| {}));
    assert!(!damaged(|rsa| rsa.prime1[64] ^= 1));
    assert!(!damaged(|rsa| rsa.prime2[64] ^= 1));
    assert!(!damaged(|rsa| rsa.coefficient[64] ^= 1));
    assert!(!damaged(|rsa| rsa.prime1.clear()));
}
