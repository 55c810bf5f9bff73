//! A private key outside a token, on its way into one.

use zeroize::Zeroizing;

use crate::public_key::PublicKey;

/// A private key as another tool keeps it in a file. It is read to be put into a token, and is written nowhere; so it prints, copies and
/// serialises in no way, and is wiped when it is dropped.
pub struct SoftwareKey {
    /// The public half that the file states. Whoever takes the key has it sign, and believes only a signature that verifies.
    pub public_key: PublicKey,
    /// The private half.
    pub secret: SoftwareSecret,
}

/// The private half. Integers are big-endian, without leading zeros unless said otherwise.
pub enum SoftwareSecret {
    /// Of an RSA key.
    Rsa(RsaSecret),
    /// Of an ECDSA key the scalar, as long as the curve's field (32 or 48 bytes); of an Ed25519 key the seed of 32 bytes (RFC 8032 5.1.5).
    Scalar(Zeroizing<Vec<u8>>),
}

/// The integers of RFC 8017 A.1.2 that the public key does not have.
pub struct RsaSecret {
    /// d
    pub private_exponent: Zeroizing<Vec<u8>>,
    /// p
    pub prime1: Zeroizing<Vec<u8>>,
    /// q
    pub prime2: Zeroizing<Vec<u8>>,
    /// d mod (p-1)
    pub exponent1: Zeroizing<Vec<u8>>,
    /// d mod (q-1)
    pub exponent2: Zeroizing<Vec<u8>>,
    /// q^-1 mod p
    pub coefficient: Zeroizing<Vec<u8>>,
}
