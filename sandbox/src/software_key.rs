//! Private keys as another program makes them, to be put into a token.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use key_metadata::{Algorithm, PublicKey, RsaSecret, SoftwareKey, SoftwareSecret};
use pkcs1::RsaPrivateKey;
use pkcs1::der::Decode;
use zeroize::Zeroizing;

/// A new key by `openssl`; `bits` is the size of an RSA key.
pub fn software_key(algorithm: Algorithm, bits: u16) -> io::Result<SoftwareKey> {
    let (public_key, secret) = match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => return rsa(algorithm, bits),
        Algorithm::EcdsaP256Sha256 => curve("prime256v1", 7, 32, 64)?,
        Algorithm::EcdsaP384Sha384 => curve("secp384r1", 8, 48, 96)?,
        Algorithm::Ed25519 => {
            let key = openssl(&["genpkey", "-algorithm", "ed25519", "-outform", "DER"], &[])?;
            let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], &key)?;
            // PKCS#8 and SubjectPublicKeyInfo of RFC 8410 both end with the 32 bytes.
            (end(&public, 32)?, end(&key, 32)?)
        }
    };
    Ok(SoftwareKey {
        public_key: PublicKey::from_dnskey(algorithm, &public_key).map_err(io::Error::other)?,
        secret: SoftwareSecret::Scalar(Zeroizing::new(secret)),
    })
}

fn rsa(algorithm: Algorithm, bits: u16) -> io::Result<SoftwareKey> {
    let pem = openssl(&["genrsa", &bits.to_string()], &[])?;
    let der = openssl(&["rsa", "-traditional", "-outform", "DER"], &pem)?;
    let key = RsaPrivateKey::from_der(&der).map_err(|error| io::Error::other(error.to_string()))?;
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
fn curve(name: &str, place: usize, scalar: usize, point: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let key = openssl(
        &["ecparam", "-name", name, "-genkey", "-noout", "-outform", "DER"],
        &[],
    )?;
    let found = key
        .get(place..place + scalar)
        .ok_or_else(|| io::Error::other("the key is too short"))?;
    Ok((end(&key, point)?, found.to_vec()))
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
