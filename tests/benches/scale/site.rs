//! Sites of many zones, their keys made in software: the records are what they would be, only no token has the private parts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use key_metadata::step::Step;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    PublicKey, Role, SiteFolder, Time, TokenUri, ZoneKeys, ZoneName,
};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// Of each zone: two KSKs and two ZSKs, as in a rollover of both.
pub const KEYS: [Role; 4] = [Role::Ksk, Role::Zsk, Role::Ksk, Role::Zsk];

/// The name of the zone of that number.
pub fn zone(number: usize) -> ZoneName {
    format!("z{number:05}.example").parse().expect("a zone's name")
}

/// Writes a site of `zones` zones with four keys each into `folder`. `tokens` is the text of site.yaml up to its zones; the last of the
/// tokens, `cr`, has the keys.
pub fn write(folder: &Path, tokens: &str, zones: usize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let lines = (0..zones).map(|number| format!("  {}: {{policy: small-tld, token: cr}}\n", zone(number)));
    fs::write(
        folder.join("site.yaml"),
        format!("{tokens}zones:\n{}", lines.collect::<String>()),
    )?;
    let site = SiteFolder::open(folder).expect("a site");
    let random = SystemRandom::new();
    for number in 0..zones {
        let zone = zone(number);
        let mut keys = ZoneKeys::new(zone.clone());
        for role in KEYS {
            keys.add(key(role, &random), change());
        }
        let lock = site.lock_keys(&zone).expect("a lock");
        site.write_keys(&keys, &lock).expect("a file of keys");
    }
    Ok(())
}

/// Copies what a site knows of its TPMs, so that another one can use their sealed PINs.
pub fn copy_tpms(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path: PathBuf = entry?.path();
        let copy = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_tpms(&path, &copy)?;
        } else {
            fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}

fn change() -> Change {
    let at = "2026-01-01T00:00:00Z".parse().expect("a time");
    Change::new(at, Action::Import, "keyrite-tests", "uid 0")
}

fn key(role: Role, random: &SystemRandom) -> KeyRecord {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::generate_pkcs8(algorithm, random).expect("a pair");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pair.as_ref(), random).expect("a pair");
    // Without the byte that says that the point is whole.
    let point = &pair.public_key().as_ref()[1..];
    let mut id = [0; 16];
    random.fill(&mut id).expect("random bytes");
    let id = KeyId::from_random(id);
    let at: Time = "2026-01-01T00:00:00Z".parse().expect("a time");
    let uri: TokenUri = "pkcs11:token=cr".parse().expect("a URI");
    let mut key = KeyRecord {
        id,
        role,
        public_key: PublicKey::from_dnskey(Algorithm::EcdsaP256Sha256, point).expect("a public key"),
        reference: KeyReference::Pkcs11(uri.of_key(id)),
        state: KeyState::Generated,
        times: KeyTimes::generated(at),
        backup: Backup::none(Extractability::Never),
    };
    key.take(Step::Activate, at);
    key
}
