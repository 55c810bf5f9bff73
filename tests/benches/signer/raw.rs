//! Signatures with nothing around them: what a signer comes near to, and not further.

use std::path::Path;
use std::thread;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use dnssec::{SigningKey, SiteTokens};
use key_metadata::{Algorithm, KeyRecord, PinSource, Role, SiteFolder, TokenAddress, TokenUri};
use secrecy::{ExposeSecret, SecretString};

/// As many as the signers that are compared are given.
const THREADS: usize = 2;
/// About as long as what an RRSIG over a delegation's DS or NSEC3 record signs.
const DATA: usize = 120;
/// DigestInfo of SHA-256 before the digest (RFC 8017 9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// Signs so often with the ZSK of a zone: in files by AWS-LC, behind PKCS#11 by C_Sign, in a TPM by TPM2_Sign with one thread.
pub fn sign(site: &Path, zone: &str, count: usize) {
    let site = SiteFolder::open(site).expect("a site");
    let zone = zone.parse().expect("a zone");
    let keys = site.keys(&zone).expect("keys");
    let mut all = keys.keys().iter();
    let record = all.find(|key| key.role == Role::Zsk).expect("a ZSK");
    let algorithm = record.algorithm().made().expect("an algorithm to sign with");
    let mut tokens = SiteTokens::new(&site);
    let name = tokens.token_of(record).expect("its token");
    let entry = &site.site().tokens[name];
    let pin = |tokens: &SiteTokens<'_>| match entry.pin {
        Some(PinSource::Tpm(handle)) => tokens.unseal(handle),
        _ => Ok(SecretString::from(String::new())),
    };
    if let TokenAddress::Pkcs11(uri) = &entry.address {
        let pin = pin(&tokens).expect("the PIN");
        return by_module(uri, record, algorithm, &pin, count);
    }
    tokens.open_with(name, pin).expect("the token");
    match tokens.signing_key(record).expect("the private key") {
        SigningKey::File(key) => on_threads(count, |data| {
            key.sign(algorithm, data).expect("a signature");
        }),
        key @ (SigningKey::Tpm(_) | SigningKey::Pkcs11(_)) => {
            for number in 0..count {
                key.sign(algorithm, &data(number)).expect("a signature");
            }
        }
    }
}

fn data(number: usize) -> [u8; DATA] {
    let mut data = [0x5a; DATA];
    data[..8].copy_from_slice(&number.to_be_bytes());
    data
}

fn on_threads(count: usize, sign: impl Fn(&[u8]) + Sync) {
    thread::scope(|scope| {
        for first in 0..THREADS {
            let sign = &sign;
            scope.spawn(move || {
                (first..count)
                    .step_by(THREADS)
                    .for_each(|number| sign(&data(number)))
            });
        }
    });
}

/// A session for each thread.
fn by_module(uri: &TokenUri, record: &KeyRecord, algorithm: Algorithm, pin: &SecretString, count: usize) {
    let path = uri.module_path.as_ref().expect("a module");
    let module = Pkcs11::new(path).expect("the module");
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(arguments).expect("C_Initialize");
    let mut slots = module
        .get_slots_with_initialized_token()
        .expect("slots")
        .into_iter();
    let is_it = |info: cryptoki::slot::TokenInfo| info.label() == uri.token.to_string();
    let slot = slots
        .find(|slot| module.get_token_info(*slot).is_ok_and(is_it))
        .expect("the token");
    let session = module.open_rw_session(slot).expect("a session");
    session
        .login(UserType::User, Some(&AuthPin::new(pin.expose_secret().into())))
        .expect("C_Login");
    let is_rsa = matches!(algorithm, Algorithm::RsaSha256);
    thread::scope(|scope| {
        for first in 0..THREADS {
            let module = &module;
            scope.spawn(move || {
                let session = module.open_rw_session(slot).expect("a session");
                let wanted = [
                    Attribute::Class(ObjectClass::PRIVATE_KEY),
                    Attribute::Id(record.cka_id().as_bytes().to_vec()),
                ];
                let found = session.find_objects(&wanted).expect("C_FindObjects");
                for number in (first..count).step_by(THREADS) {
                    let digest = &data(number)[..32];
                    let signature = match is_rsa {
                        true => session.sign(&Mechanism::RsaPkcs, found[0], &[&DIGEST_INFO, digest].concat()),
                        false => session.sign(&Mechanism::Ecdsa, found[0], digest),
                    };
                    signature.expect("C_Sign");
                }
            });
        }
    });
}
