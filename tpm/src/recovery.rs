//! Recovery parents: storage keys that are in no TPM, to which native keys leave theirs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use key_metadata::Advice;
use p256::ecdh::{SharedSecret, diffie_hellman};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use tss_esapi::Error;
use tss_esapi::structures::Public;
use tss_esapi::traits::UnMarshall;
use zeroize::Zeroizing;

use crate::name::Name;

/// The length of a coordinate and of a scalar of P-256, in bytes.
pub(crate) const FIELD: usize = 32;

/// How often a scalar is drawn: the second draw is needed once in 2^32 times.
const DRAWS: usize = 16;

/// TPM2B_PUBLIC of a recovery parent before x (TPM 2.0 part 2, 12.2.4 and 12.2.3.6).
const BEFORE_X: [u8; 24] = [
    0x00, 0x5a, // the length of all that follows
    0x00, 0x23, // TPM_ALG_ECC
    0x00, 0x0b, // its Name is made with SHA-256
    0x00, 0x03, 0x04, 0x40, // restricted, decrypt, noDA, userWithAuth
    0x00, 0x00, // no policy
    0x00, 0x06, 0x00, 0x80, 0x00, 0x43, // AES, 128 bits, CFB
    0x00, 0x10, // no scheme
    0x00, 0x03, // P-256
    0x00, 0x10, // no KDF
];

/// The length before each coordinate.
const COORDINATE: [u8; 2] = [0x00, 0x20];

/// ECPrivateKey (RFC 5915, 3) of P-256 before the scalar, between it and the point, and the point's form: uncompressed.
const BEFORE_SCALAR: [u8; 7] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
const BEFORE_POINT: [u8; 17] = [
    0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // [0] secp256r1
    0xa1, 0x44, 0x03, 0x42, 0x00, // [1] BIT STRING
];
const UNCOMPRESSED: u8 = 0x04;

/// What a line of PEM holds, in bytes (RFC 7468, 2: 64 characters).
const PEM_LINE: usize = 48;

/// The public half of a recovery parent: a P-256 storage key outside every TPM, which backups of native keys are encrypted for.
///
/// It has the public area, and so the Name, that `tpm2_import -G ecc:aes128cfb -a 'restricted|decrypt|userwithauth|noda'` gives its private
/// key. It has neither fixedTPM nor fixedParent, since it came from outside, and not encryptedDuplication: a key and its new parent have
/// that both or neither (part 1, 23.3), and with it the key would want an inner wrapper, whose key would be one more secret to keep.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryParent {
    x: [u8; FIELD],
    y: [u8; FIELD],
}

/// Bytes that are no public area of a recovery parent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryParentError {
    /// Another public area, or none.
    #[error(
        "this is no public area of a recovery parent: a P-256 storage key with SHA-256, AES-128 and no policy, in {} bytes",
        RecoveryParent::LENGTH
    )]
    OtherArea,
    /// The two numbers are no point of the curve.
    #[error("the public key of this recovery parent is no point of P-256")]
    NotOnCurve,
}

impl Advice for RecoveryParentError {
    fn hint(&self) -> Option<String> {
        Some("restore the file from the site's version control or a backup".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl RecoveryParent {
    /// The length of TPM2B_PUBLIC, in bytes.
    pub const LENGTH: usize = BEFORE_X.len() + 2 * (COORDINATE.len() + FIELD);

    /// Reads TPM2B_PUBLIC; any other area than a recovery parent's is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecoveryParentError> {
        let point = bytes.strip_prefix(&BEFORE_X).and_then(|rest| {
            let (x, rest) = rest.strip_prefix(&COORDINATE)?.split_first_chunk()?;
            let y = rest.strip_prefix(&COORDINATE)?.try_into().ok()?;
            Some((*x, y))
        });
        let (x, y) = point.ok_or(RecoveryParentError::OtherArea)?;
        let parent = Self { x, y };
        match PublicKey::from_sec1_bytes(&parent.point()) {
            Ok(_) => Ok(parent),
            Err(_) => Err(RecoveryParentError::NotOnCurve),
        }
    }

    /// TPM2B_PUBLIC, as `tpm2_loadexternal -u` and `tpm2_load -u` take it.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&BEFORE_X[..], &COORDINATE, &self.x, &COORDINATE, &self.y].concat()
    }

    /// The Name.
    pub fn name(&self) -> Name {
        Name::of_sha256(&self.to_bytes()[2..])
    }

    /// As the library takes it.
    pub(crate) fn public(&self) -> Result<Public, Error> {
        Public::unmarshall(&self.to_bytes()[2..])
    }

    /// The point: 4, x and y.
    pub(crate) fn point(&self) -> Vec<u8> {
        [&[UNCOMPRESSED][..], &self.x, &self.y].concat()
    }

    pub(crate) const fn x(&self) -> &[u8; FIELD] {
        &self.x
    }
}

impl fmt::Debug for RecoveryParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoveryParent({})", self.name())
    }
}

/// The private half of a recovery parent: it opens every backup that was made for it. It prints, copies and serialises in no way, and is
/// wiped.
pub struct RecoverySecret {
    /// Big-endian; between 0 and the group's order.
    scalar: Zeroizing<Vec<u8>>,
    parent: RecoveryParent,
}

/// Bytes that are no private half of a recovery parent. They are not quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a recovery parent's private key is a number of {FIELD} bytes, between 0 and the order of P-256")]
pub struct RecoverySecretError;

impl Advice for RecoverySecretError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Why no recovery parent was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError<E> {
    /// The source of random bytes failed.
    #[error(transparent)]
    Random(E),
    /// Its bytes are not random.
    #[error("the random bytes for a recovery parent made no key in {DRAWS} draws: they are not random")]
    NotRandom,
}

impl<E: Advice + 'static> Advice for DrawError<E> {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Random(error) => error.hint(),
            Self::NotRandom => Some("check the source of random bytes, and use another one".to_owned()),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Random(error) => error.is_credential(),
            Self::NotRandom => false,
        }
    }
}

impl RecoverySecret {
    /// A new one; `random` fills what it is given, which is drawn again until it is a key's number (FIPS 186-5, A.2.2).
    pub fn generate<E>(mut random: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, DrawError<E>> {
        for _ in 0..DRAWS {
            let mut scalar = Zeroizing::new(vec![0; FIELD]);
            random(&mut scalar).map_err(DrawError::Random)?;
            if let Ok(secret) = Self::from_bytes(scalar) {
                return Ok(secret);
            }
        }
        Err(DrawError::NotRandom)
    }

    /// The one whose number that is, big-endian.
    pub fn from_bytes(scalar: Zeroizing<Vec<u8>>) -> Result<Self, RecoverySecretError> {
        // The library would take fewer bytes too.
        if scalar.len() != FIELD {
            return Err(RecoverySecretError);
        }
        let key = SecretKey::from_slice(&scalar).map_err(|_| RecoverySecretError)?;
        let point = key.public_key().to_encoded_point(false);
        match (point.x(), point.y()) {
            (Some(x), Some(y)) => {
                let (x, y) = ((*x).into(), (*y).into());
                Ok(Self {
                    scalar,
                    parent: RecoveryParent { x, y },
                })
            }
            (Some(_) | None, _) => Err(RecoverySecretError),
        }
    }

    /// The number, big-endian, for the file that only a quorum of custodians opens.
    pub fn expose(&self) -> &[u8] {
        &self.scalar
    }

    /// The public half.
    pub const fn parent(&self) -> &RecoveryParent {
        &self.parent
    }

    /// The private key in PEM (RFC 5915, 4), as `openssl` and `tpm2_import -i` take it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let parts: [&[u8]; 4] = [&BEFORE_SCALAR, &self.scalar, &BEFORE_POINT, &self.parent.point()];
        let mut der = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            der.extend_from_slice(part);
        }
        // With room for all of it, so that no half of it is left where it was before it grew.
        let mut pem = Zeroizing::new(String::with_capacity(2 * der.len() + 64));
        pem.push_str("-----BEGIN EC PRIVATE KEY-----\n");
        for line in der.chunks(PEM_LINE) {
            STANDARD.encode_string(line, &mut pem);
            pem.push('\n');
        }
        pem.push_str("-----END EC PRIVATE KEY-----\n");
        pem
    }

    /// The one that [`Self::to_pem`] wrote, and no other form of it.
    pub fn from_pem(pem: &str) -> Result<Self, RecoverySecretError> {
        let mut text = Zeroizing::new(String::with_capacity(pem.len()));
        pem.lines()
            .filter(|line| !line.starts_with("-----"))
            .for_each(|line| text.push_str(line));
        let der = Zeroizing::new(STANDARD.decode(&*text).map_err(|_| RecoverySecretError)?);
        let scalar = der.get(BEFORE_SCALAR.len()..BEFORE_SCALAR.len() + FIELD);
        let scalar = Zeroizing::new(scalar.ok_or(RecoverySecretError)?.to_vec());
        let secret = Self::from_bytes(scalar)?;
        match *secret.to_pem() == pem {
            true => Ok(secret),
            false => Err(RecoverySecretError),
        }
    }

    /// What is agreed on with the holder of that point's private half (TPM 2.0 part 1, C.6.1); `None` for what is no point.
    pub(crate) fn agree(&self, point: &[u8]) -> Option<SharedSecret> {
        let key = SecretKey::from_slice(&self.scalar).ok()?;
        let point = PublicKey::from_sec1_bytes(point).ok()?;
        let scalar = Zeroizing::new(key.to_nonzero_scalar());
        Some(diffie_hellman(*scalar, point.as_affine()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(number: u8) -> RecoverySecret {
        let mut scalar = vec![0; FIELD];
        scalar[FIELD - 1] = number;
        RecoverySecret::from_bytes(Zeroizing::new(scalar)).unwrap()
    }

    #[test]
    fn the_number_one_gives_the_base_point() {
        // SEC 2, 2.4.2.
        let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
        assert_eq!(hex::encode(secret(1).parent().x()), x);
        assert_eq!(secret(1).parent().to_bytes().len(), RecoveryParent::LENGTH);
    }

    #[test]
    fn numbers_out_of_range_are_no_keys_and_are_drawn_again() {
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let of = |bytes: Vec<u8>| RecoverySecret::from_bytes(Zeroizing::new(bytes));
        for bytes in [
            vec![0; 32],
            hex::decode(order).unwrap(),
            vec![0xff; 32],
            vec![1; 31],
            vec![1; 33],
        ] {
            assert!(of(bytes).is_err());
        }
        let mut draws = [[0xff; 32], [0; 32], [7; 32], [8; 32]].into_iter();
        let drawn = RecoverySecret::generate(|out| {
            out.copy_from_slice(&draws.next().unwrap());
            Ok::<_, RecoverySecretError>(())
        });
        assert_eq!(drawn.map_err(|_| "none").unwrap().expose(), [7; 32]);
        assert!(matches!(
            RecoverySecret::generate(|_| Ok::<_, RecoverySecretError>(())),
            Err(DrawError::NotRandom)
        ));
        assert!(matches!(
            RecoverySecret::generate(|_| Err(RecoverySecretError)),
            Err(DrawError::Random(RecoverySecretError))
        ));
    }

    #[test]
    fn any_other_area_is_refused() {
        let good = secret(5).parent().to_bytes();
        assert_eq!(&RecoveryParent::from_bytes(&good).unwrap(), secret(5).parent());
        for place in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[place] ^= 1 << bit;
                assert!(
                    RecoveryParent::from_bytes(&bad).is_err(),
                    "byte {place}, bit {bit}"
                );
            }
            assert!(RecoveryParent::from_bytes(&good[..place]).is_err());
        }
        assert!(RecoveryParent::from_bytes(&[&good[..], &[0]].concat()).is_err());
    }

    #[test]
    fn the_library_reads_the_same_area() {
        use tss_esapi::traits::Marshall;
        let parent = secret(9);
        let parent = parent.parent();
        assert_eq!(
            parent.public().unwrap().marshall().unwrap(),
            parent.to_bytes()[2..]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = RecoveryParent::from_bytes(&bytes);
        }
    }
}
