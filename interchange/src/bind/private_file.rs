//! `K*.private`: the private key, or the token that has it, and the times.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::algorithm::LegacyAlgorithm;
use key_metadata::{Algorithm, KeyAlgorithm, RsaSecret};
use zeroize::Zeroizing;

use super::LARGEST_KEY_FILE;
use super::metadata::{TIMES, UNUSED, is_one_of};
use crate::error::{FieldError, ReadError};
use crate::fields::{Field, Secrecy, fields, missing};
use crate::files::within;
use crate::quote::Quote;
use crate::report::{Losses, Lost, Reason};
use crate::times::{Times, to_digits};
use crate::token_key::{PinFound, TokenKey};

/// A `.private` file. It can hold a private key, so it prints and copies in no way.
pub struct PrivateFile {
    /// The algorithm.
    pub algorithm: KeyAlgorithm,
    /// The private key, or where it is.
    pub key: PrivateKey,
    /// The times.
    pub times: Times,
    /// The tag of the key that it follows, and of the one that follows it.
    pub succession: [Option<u16>; 2],
    /// How long it is to be in use, in seconds.
    pub lifetime: Option<u32>,
    /// The line of the private key.
    pub(super) line: usize,
}

/// What a `.private` file has of the private key.
pub enum PrivateKey {
    /// `External:`: it is elsewhere, and BIND does not sign with it.
    External,
    /// `Label:` with a token's key. `engine` is `Engine:`, which BIND up to 9.18 needs and later ones refuse.
    Token {
        /// The key in its token.
        key: TokenKey,
        /// The name of OpenSSL's engine: `pkcs11`.
        engine: Option<String>,
        /// Modulus and public exponent of an RSA key, big-endian: BIND calls a file without them invalid.
        rsa: Option<[Vec<u8>; 2]>,
    },
    /// The integers of an RSA key.
    Rsa(RsaIntegers),
    /// The scalar of an ECDSA key, or the seed of an Ed25519 key.
    Scalar(Zeroizing<Vec<u8>>),
    /// A private key that Keyrite does not take: of ED448.
    NotTaken,
}

/// The integers of an RSA key, big-endian.
pub struct RsaIntegers {
    /// The modulus.
    pub modulus: Vec<u8>,
    /// The public exponent.
    pub exponent: Vec<u8>,
    /// The private ones.
    pub secret: RsaSecret,
}

/// The fields of a private key, before it is clear which kind it is.
#[derive(Default)]
struct Material {
    external: Option<()>,
    engine: Option<String>,
    label: Option<TokenKey>,
    scalar: Option<Zeroizing<Vec<u8>>>,
    rsa: [Option<Zeroizing<Vec<u8>>>; 8],
}

const RSA: [&str; 8] = [
    "Modulus",
    "PublicExponent",
    "PrivateExponent",
    "Prime1",
    "Prime2",
    "Exponent1",
    "Exponent2",
    "Coefficient",
];

impl PrivateFile {
    pub(super) const fn new(algorithm: KeyAlgorithm, key: PrivateKey, times: Times) -> Self {
        Self {
            algorithm,
            key,
            times,
            succession: [None, None],
            lifetime: None,
            line: 0,
        }
    }

    /// Reads the text of a `.private` file, of format v1.2 or v1.3. No error and no entry of the list repeats a value that may be secret.
    pub fn parse(file: &Path, text: &str) -> Result<(Self, Vec<Lost>), ReadError> {
        within(file, text, LARGEST_KEY_FILE)?;
        let mut losses = Losses::of(file);
        let mut lines = fields(file, text, Secrecy::Secret);
        let mut next = |name| match lines.next() {
            None => Err(missing(file, name)),
            Some(Err(error)) => Err(error),
            Some(Ok(field)) if field.name == name => Ok(field),
            Some(Ok(field)) => Err(field.refused(FieldError::Form(
                "a private key file: first 'Private-key-format: v1.3', then 'Algorithm: 13'",
            ))),
        };
        let version = next("Private-key-format")?;
        if !["v1.2", "v1.3"].contains(&version.value) {
            return Err(version.refused(FieldError::Word(Quote::withheld(), "v1.2 and v1.3")));
        }
        let first = next("Algorithm")?;
        let algorithm = algorithm(&first)?;
        let mut private = Self::new(algorithm, PrivateKey::External, Times::default());
        private.line = first.line;
        let mut material = Material::default();
        for field in lines {
            let field = field?;
            if !private.metadata(&field, &mut losses)? && !material.take(&field, &mut losses)? {
                losses.add(
                    Some(field.line),
                    field.safe_name(),
                    Quote::withheld(),
                    Reason::Unknown,
                )?;
            }
        }
        private.key = material.key(file, algorithm, &mut losses)?;
        Ok((private, losses.lost))
    }

    /// Takes a field that is no part of the private key; whether it was one.
    fn metadata(&mut self, field: &Field<'_>, losses: &mut Losses) -> Result<bool, ReadError> {
        if let Some(name) = TIMES
            .iter()
            .find(|name| name.in_private.eq_ignore_ascii_case(field.name))
        {
            return match self.times.set(name.event, field.time()?) {
                None => Ok(true),
                Some(_) => Err(field.twice()),
            };
        }
        let [predecessor, successor] = &mut self.succession;
        if is_one_of(field.name, &["Predecessor"]) {
            field.once(predecessor, field.number(65535)?)?;
        } else if is_one_of(field.name, &["Successor"]) {
            field.once(successor, field.number(65535)?)?;
        } else if is_one_of(field.name, &["Lifetime"]) {
            field.once(&mut self.lifetime, field.number(u64::from(u32::MAX))?)?;
        } else if is_one_of(field.name, &UNUSED) {
            let number: u32 = field.number(u64::from(u32::MAX))?;
            losses.add(
                Some(field.line),
                field.name,
                Quote::of(&number.to_string()),
                Reason::NoPlace,
            )?;
        } else if field.name == ";" {
            losses.add(Some(field.line), "comment", Quote::withheld(), Reason::Comment)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The file, as BIND writes it; `None` with a private key in the clear, for which there is [`Self::render_private_key`].
    pub fn render(&self) -> Option<String> {
        let mut text = self.heading();
        let line = |text: &mut String, name: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}: {value}");
        };
        match &self.key {
            PrivateKey::External => text.push_str("External:\n"),
            PrivateKey::Token { key, engine, rsa } => {
                // Both end with a NUL byte before they are encoded, as BIND's own do.
                let encode = |text: &str| STANDARD.encode([text.as_bytes(), b"\0"].concat());
                for (name, integer) in RSA.iter().zip(rsa.iter().flatten()) {
                    line(&mut text, name, STANDARD.encode(integer));
                }
                if let Some(engine) = engine {
                    line(&mut text, "Engine", encode(engine));
                }
                line(&mut text, "Label", encode(&key.to_string()));
            }
            PrivateKey::Rsa(_) | PrivateKey::Scalar(_) | PrivateKey::NotTaken => return None,
        }
        self.render_metadata(&mut text);
        Some(text)
    }

    /// The file with its private key in the clear, in memory that is wiped; `None` where it has none. Only a laboratory's keys are written so.
    pub fn render_private_key(&self) -> Option<Zeroizing<String>> {
        // One allocation that never grows; the file of a 4096-bit RSA key has 4 KB.
        let mut text = Zeroizing::new(String::with_capacity(LARGEST_KEY_FILE));
        text.push_str(&self.heading());
        let mut line = |name: &str, secret: &[u8]| {
            let mut encoded = Zeroizing::new(vec![0; secret.len() / 3 * 4 + 4]);
            let length = STANDARD.encode_slice(secret, &mut encoded).ok()?;
            let encoded = std::str::from_utf8(&encoded[..length]).ok()?;
            for part in [name, ": ", encoded, "\n"] {
                text.push_str(part);
            }
            Some(())
        };
        match &self.key {
            PrivateKey::Rsa(integers) => {
                let secret = &integers.secret;
                let values = [
                    &integers.modulus,
                    &integers.exponent,
                    &*secret.private_exponent,
                    &*secret.prime1,
                    &*secret.prime2,
                    &*secret.exponent1,
                    &*secret.exponent2,
                    &*secret.coefficient,
                ];
                for (name, value) in RSA.iter().zip(values) {
                    line(name, value)?;
                }
            }
            PrivateKey::Scalar(scalar) => line("PrivateKey", scalar)?,
            PrivateKey::External | PrivateKey::Token { .. } | PrivateKey::NotTaken => return None,
        }
        self.render_metadata(&mut text);
        Some(text)
    }

    fn heading(&self) -> String {
        format!(
            "Private-key-format: v1.3\nAlgorithm: {} ({})\n",
            self.algorithm.number(),
            mnemonic(self.algorithm)
        )
    }

    fn render_metadata(&self, text: &mut String) {
        let mut line = |name: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}: {value}");
        };
        let [predecessor, successor] = self.succession;
        for (name, value) in [
            ("Predecessor", predecessor.map(u32::from)),
            ("Successor", successor.map(u32::from)),
            ("Lifetime", self.lifetime),
        ] {
            if let Some(value) = value {
                line(name, value.to_string());
            }
        }
        for name in &TIMES {
            if let Some(time) = self.times.get(name.event) {
                line(name.in_private, to_digits(time));
            }
        }
    }
}

fn algorithm(field: &Field<'_>) -> Result<KeyAlgorithm, ReadError> {
    // '13 (ECDSAP256SHA256)'; only the number counts, also for BIND.
    let number = field.value.split_whitespace().next().map_or("", |number| number);
    let digits = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(field.refused(FieldError::Number(Quote::withheld(), 255)));
    }
    number
        .parse()
        .map_err(|error: key_metadata::algorithm::AlgorithmError| field.refused(error))
}

/// BIND's word for an algorithm, which for one is not the registry's.
fn mnemonic(algorithm: KeyAlgorithm) -> String {
    match algorithm {
        KeyAlgorithm::Legacy(LegacyAlgorithm::RsaSha1Nsec3Sha1) => "NSEC3RSASHA1".to_owned(),
        KeyAlgorithm::Legacy(LegacyAlgorithm::RsaSha1 | LegacyAlgorithm::Ed448) | KeyAlgorithm::Made(_) => {
            algorithm.to_string()
        }
    }
}

impl Material {
    /// Takes a field of the private key; whether it was one.
    fn take(&mut self, field: &Field<'_>, losses: &mut Losses) -> Result<bool, ReadError> {
        if let Some(slot) = RSA.iter().position(|name| name.eq_ignore_ascii_case(field.name)) {
            field.once(&mut self.rsa[slot], decode(field)?)?;
        } else if is_one_of(field.name, &["PrivateKey"]) {
            field.once(&mut self.scalar, decode(field)?)?;
        } else if is_one_of(field.name, &["External"]) {
            field.once(&mut self.external, ())?;
        } else if is_one_of(field.name, &["Engine"]) {
            let engine = words(field)?;
            let plain = engine
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            if !plain || engine.is_empty() || engine.len() > 40 {
                return Err(field.refused(FieldError::Form("the name of an OpenSSL engine, such as pkcs11")));
            }
            field.once(&mut self.engine, engine.to_string())?;
        } else if is_one_of(field.name, &["Label"]) {
            let label = words(field)?;
            let (key, pin) = TokenKey::parse(&label).map_err(|error| field.refused(error))?;
            if pin == PinFound::Yes {
                losses.add(Some(field.line), "Label", Quote::withheld(), Reason::Pin)?;
            }
            field.once(&mut self.label, key)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The private key that the fields make.
    fn key(self, file: &Path, algorithm: KeyAlgorithm, losses: &mut Losses) -> Result<PrivateKey, ReadError> {
        let is_rsa = matches!(
            algorithm,
            KeyAlgorithm::Made(Algorithm::RsaSha256 | Algorithm::RsaSha512)
                | KeyAlgorithm::Legacy(LegacyAlgorithm::RsaSha1 | LegacyAlgorithm::RsaSha1Nsec3Sha1)
        );
        let clear = self.scalar.is_some() || self.rsa[2..].iter().any(Option::is_some);
        if self.external.is_some() {
            if clear || self.label.is_some() {
                return Err(missing(
                    file,
                    "one of External, Label and a private key, without the others,",
                ));
            }
            return Ok(PrivateKey::External);
        }
        if let Some(key) = self.label {
            if clear {
                return Err(missing(
                    file,
                    "one of Label and a private key, without the other,",
                ));
            }
            let [modulus, exponent, ..] = self.rsa;
            return Ok(PrivateKey::Token {
                key,
                engine: self.engine,
                rsa: match (modulus, exponent) {
                    (Some(modulus), Some(exponent)) => {
                        Some([modulus, exponent].map(|integer| without_leading_zeros(integer).to_vec()))
                    }
                    (None, None) => None,
                    (Some(_), None) => return Err(missing(file, RSA[1])),
                    (None, Some(_)) => return Err(missing(file, RSA[0])),
                },
            });
        }
        if self.engine.is_some() {
            return Err(missing(file, "Label"));
        }
        if is_rsa {
            let [modulus, exponent, d, p, q, dp, dq, qi] = self.rsa;
            let [modulus, exponent, d, p, q, dp, dq, qi] =
                [modulus, exponent, d, p, q, dp, dq, qi].map(|integer| integer.map(without_leading_zeros));
            let need = |integer: Option<Zeroizing<Vec<u8>>>, index: usize| {
                integer.ok_or_else(|| missing(file, RSA[index]))
            };
            return Ok(PrivateKey::Rsa(RsaIntegers {
                modulus: need(modulus, 0)?.to_vec(),
                exponent: need(exponent, 1)?.to_vec(),
                secret: RsaSecret {
                    private_exponent: need(d, 2)?,
                    prime1: need(p, 3)?,
                    prime2: need(q, 4)?,
                    exponent1: need(dp, 5)?,
                    exponent2: need(dq, 6)?,
                    coefficient: need(qi, 7)?,
                },
            }));
        }
        let scalar = self.scalar.ok_or_else(|| missing(file, "PrivateKey"))?;
        let expected = match algorithm {
            KeyAlgorithm::Made(Algorithm::EcdsaP384Sha384) => 48,
            KeyAlgorithm::Legacy(_) => 57,
            KeyAlgorithm::Made(_) => 32,
        };
        // A scalar that begins with zeros is written without them by some.
        if scalar.len() > expected || scalar.is_empty() || (scalar.len() < expected && !is_ecdsa(algorithm)) {
            return Err(ReadError::Field {
                place: crate::error::Place::at(file, None, "PrivateKey"),
                source: FieldError::SecretLength {
                    expected,
                    found: scalar.len(),
                },
            });
        }
        if algorithm == KeyAlgorithm::Legacy(LegacyAlgorithm::Ed448) {
            losses.add(None, "PrivateKey", Quote::withheld(), Reason::NoSuchPrivateKey)?;
            return Ok(PrivateKey::NotTaken);
        }
        let mut whole = Zeroizing::new(vec![0; expected]);
        whole[expected - scalar.len()..].copy_from_slice(&scalar);
        Ok(PrivateKey::Scalar(whole))
    }
}

const fn is_ecdsa(algorithm: KeyAlgorithm) -> bool {
    matches!(
        algorithm,
        KeyAlgorithm::Made(Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384)
    )
}

fn without_leading_zeros(integer: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    Zeroizing::new(integer[zeros..].to_vec())
}

/// Base64, which may have blanks in it.
fn decode(field: &Field<'_>) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let mut text = Zeroizing::new(String::with_capacity(field.value.len()));
    text.extend(field.value.split_whitespace());
    // As long as it can become, so that it is not moved while it is written.
    let mut bytes = Zeroizing::new(vec![0; text.len() / 4 * 3 + 3]);
    let length = STANDARD
        .decode_slice(text.as_bytes(), &mut bytes)
        .map_err(|_| field.refused(FieldError::Base64))?;
    bytes.truncate(length);
    Ok(bytes)
}

/// A text in base64, which ends with a NUL byte.
fn words(field: &Field<'_>) -> Result<Zeroizing<String>, ReadError> {
    let bytes = decode(field)?;
    let content = bytes.strip_suffix(b"\0").map_or(&bytes[..], |content| content);
    let text = std::str::from_utf8(content).map_err(|_| field.refused(FieldError::Form("text in base64")))?;
    Ok(Zeroizing::new(text.to_owned()))
}
