//! Private keys as another program makes them, to be put into a token.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use key_metadata::{Algorithm, PublicKey, RsaSecret, SoftwareKey, SoftwareSecret};
use pkcs1::RsaPrivateKey;
use pkcs1::der::Decode;
use zeroize::Zeroizing;

/// A new key by `openssl`; `bits` is the size of an RSA key.
pub fn software_key(algorithm: Algorithm, bits: u16) -> io::Result<SoftwareKey> {
    parts(algorithm, &new(algorithm, bits)?)
}

/// A new key that `openssl` has wrapped by RFC 5649 under that AES-256 key, and its public half.
///
/// The AES key is seen in the process table: it is to wrap nothing else.
pub fn wrapped_key(algorithm: Algorithm, bits: u16, kek: &[u8; 32]) -> io::Result<(Vec<u8>, PublicKey)> {
    let key = new(algorithm, bits)?;
    let pkcs8 = ["pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER"];
    let hex: String = kek.iter().map(|byte| format!("{byte:02x}")).collect();
    let wrap = ["enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", &hex];
    let wrapped = openssl(&wrap, &openssl(&pkcs8, &key)?)?;
    Ok((wrapped, parts(algorithm, &key)?.public_key))
}

/// A private key in the DER that is usual for its kind: PKCS#1, SEC 1 or PKCS#8.
fn new(algorithm: Algorithm, bits: u16) -> io::Result<Vec<u8>> {
    let curve = |name| {
        openssl(
            &["ecparam", "-name", name, "-genkey", "-noout", "-outform", "DER"],
            &[],
        )
    };
    match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
            let pem = openssl(&["genrsa", &bits.to_string()], &[])?;
            openssl(&["rsa", "-traditional", "-outform", "DER"], &pem)
        }
        Algorithm::EcdsaP256Sha256 => curve("prime256v1"),
        Algorithm::EcdsaP384Sha384 => curve("secp384r1"),
        Algorithm::Ed25519 => openssl(&["genpkey", "-algorithm", "ed25519", "-outform", "DER"], &[]),
    }
}

fn parts(algorithm: Algorithm, key: &[u8]) -> io::Result<SoftwareKey> {
    let (public_key, secret) = match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => return rsa(algorithm, key),
        Algorithm::EcdsaP256Sha256 => curve(key, 7, 32, 64)?,
        Algorithm::EcdsaP384Sha384 => curve(key, 8, 48, 96)?,
        Algorithm::Ed25519 => {
            let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], key)?;
            // PKCS#8 and SubjectPublicKeyInfo of RFC 8410 both end with the 32 bytes.
            (end(&public, 32)?, end(key, 32)?)
        }
    };
    Ok(SoftwareKey {
        public_key: PublicKey::from_dnskey(algorithm, &public_key).map_err(io::Error::other)?,
        secret: SoftwareSecret::Scalar(Zeroizing::new(secret)),
    })
}

fn rsa(algorithm: Algorithm, key: &[u8]) -> io::Result<SoftwareKey> {
    let key = RsaPrivateKey::from_der(key).map_err(|error| io::Error::other(error.to_string()))?;
    let number = |number: pkcs1::UintRef<'_>| Zeroizing::new(number.as_bytes().to_vec());
    Ok(SoftwareKey {
        public_key: PublicKey::rsa(algorithm, key.modulus.as_bytes(), key.public_exponent.as_bytes())
            .map_err(io::Error::other)?,
        secret: SoftwareSecret::Rsa(RsaSecret {
            private_exponent: number(key.private_exponent),
            prime1: number(key.prime1),
            prime2: number(key.prime2),
            exponent1: number(key.exponent1),
            exponent2: number(key.exponent2),
            coefficient: number(key.coefficient),
        }),
    })
}

/// Point and scalar of SEC 1's ECPrivateKey: the scalar is at `place`, the point at the end.
fn curve(key: &[u8], place: usize, scalar: usize, point: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let found = key
        .get(place..place + scalar)
        .ok_or_else(|| io::Error::other("the key is too short"))?;
    Ok((end(key, point)?, found.to_vec()))
}

fn end(bytes: &[u8], count: usize) -> io::Result<Vec<u8>> {
    let start = bytes.len().checked_sub(count);
    let found = start.and_then(|start| bytes.get(start..));
    Ok(found
        .ok_or_else(|| io::Error::other("the key is too short"))?
        .to_vec())
}

fn openssl(arguments: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let line = arguments.join(" ");
        return Err(io::Error::other(format!("openssl {line}: {}", output.status)));
    }
    Ok(output.stdout)
}
