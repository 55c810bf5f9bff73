//! The site's files: what is refused, with its place, and what a write leaves.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::fs;
use std::path::Path;

use key_metadata::algorithm::LegacyAlgorithm;
use key_metadata::policy::{AlgorithmRollover, KskSigns, TrustAnchor};
use key_metadata::store::StoreError;
use key_metadata::{
    Action, Advice, Algorithm, Backup, Change, Extractability, KeyAlgorithm, KeyId, KeyRecord, KeyReference,
    KeyState, KeyTimes, Policy, PublicKey, Role, RolloverMethod, Site, SiteFolder, Time, TokenUri, ZoneKeys,
    ZoneName,
};
use proptest::prelude::*;

const SITE: &str = "\
version: 1
tokens:
  cr:
    address: pkcs11:token=cr?module-path=/m.so
    pin: prompt
zones:
  cr: {policy: small-tld, token: cr}
";

fn site_error(text: &str) -> String {
    let error = Site::from_yaml(text).unwrap_err();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message += &format!(": {cause}");
        source = cause.source();
    }
    message
}

#[test]
fn keys_in_files_are_for_a_site_that_says_that_it_is_a_laboratory() {
    let address = |address: &str| SITE.replace("pkcs11:token=cr?module-path=/m.so", address);
    let files = address("file:lab").replace("    pin: prompt\n", "");
    for production in [
        files.clone(),
        files.replace("version: 1", "version: 1\npurpose: production"),
    ] {
        let error = Site::from_yaml(&production).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("tokens.cr.address: private keys in files are for a laboratory"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("'purpose: laboratory'"));
    }
    let laboratory = |text: &str| text.replace("version: 1", "version: 1\npurpose: laboratory");
    let site = Site::from_yaml(&laboratory(&files)).unwrap();
    let reference: KeyReference = "file:cr/Kcr.+013+12345".parse().unwrap();
    assert_eq!(site.token_of(&reference).unwrap().0.to_string(), "cr");
    assert_eq!(reference.to_string(), "file:cr/Kcr.+013+12345");
    for bad in [
        "file:cr",
        "file:cr/../x",
        "file:cr/Kcr.+013+12345.key",
        "file:/Kcr.+013+12345",
    ] {
        assert!(bad.parse::<KeyReference>().is_err(), "{bad}");
    }
    for (from, to, wanted) in [
        (
            "file:lab",
            "file:lab\n    pin: prompt",
            "tokens.cr.pin: keys in files have no PIN",
        ),
        (
            "file:lab",
            "file:lab\n    so-pin: prompt",
            "tokens.cr.so-pin: keys in files have no PIN",
        ),
        (
            "file:lab",
            "file:lab\n    setup: {}",
            "tokens.cr.setup: only a TPM has one",
        ),
        (
            "zones:",
            "  two:\n    address: 'file:./lab/'\nzones:",
            "tokens.cr and tokens.two are the same token",
        ),
        (
            "file:lab",
            "'file:'",
            "'file:' is followed by the path of a folder",
        ),
        (
            "file:lab",
            "file:lab\n    replicas: [two]",
            "tokens.cr.replicas: two: no token has that name; there is cr",
        ),
        (
            "file:lab",
            "file:lab\n    replicas: [cr]",
            "tokens.cr.replicas: cr: it is the token itself, or is there twice",
        ),
        (
            "purpose: laboratory",
            "purpose: prod",
            "line 2, column 10: purpose: unknown variant `prod`",
        ),
    ] {
        let error = site_error(&laboratory(&files).replace(from, to));
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn mistakes_in_a_site_have_their_place() {
    Site::from_yaml(SITE).unwrap();
    for (from, to, wanted) in [
        (
            "    pin: prompt",
            "    pni: prompt",
            "line 5, column 5: tokens.cr.pni: unknown field `pni`",
        ),
        (
            "policy: small-tld, ",
            "",
            "line 7, column 7: zones.cr: missing field `policy`",
        ),
        (
            "version: 1",
            "version: 2",
            "line 1, column 10: version: this Keyrite reads version 1, not version 2",
        ),
        (
            "    pin: prompt",
            "    pin: '1234'",
            "line 5, column 10: tokens.cr.pin: a PIN comes from prompt, file:PATH",
        ),
        ("token=cr", "token=cr;pin-value=1234", "'pin-value' is refused"),
        (
            "zones:\n",
            "  t:\n    address: tpm2:device:/dev/tpmrm0\n    setup: {pcr-policy: {authority: a.pem, pcrs: []}}\nzones:\n",
            "tokens.t.setup.pcr-policy.pcrs: no PCR is named",
        ),
        (
            "zones:\n",
            "  t:\n    address: tpm2:device:/dev/tpmrm0\n    setup: {pcr-policy: {authority: a.pem, pcrs: [7, 16]}}\nzones:\n",
            "tokens.t.setup.pcr-policy.pcrs: any program can reset PCR 16",
        ),
        ("?module-path=/m.so", "", "it names no module"),
        (
            "token: cr}",
            "token: rc}",
            "zones.cr.token: no token is named 'rc'; there is cr",
        ),
        (
            "zones:\n",
            "zones:\n  CR.: {policy: small-tld, token: cr}\n",
            "'cr' is there twice",
        ),
        (
            "    pin: prompt",
            "    pin: prompt\n    pin: prompt",
            "duplicate field `pin`",
        ),
        ("  cr: {", "  cr..: {", "has a label of 0 characters"),
        (
            "zones:",
            "zones: [",
            "line 6, column 8: zones: invalid type: sequence, expected a map",
        ),
    ] {
        let text = SITE.replace(from, to);
        assert_ne!(text, SITE, "{from} was not found");
        let error = site_error(&text);
        assert!(error.contains(wanted), "{wanted:?} is not in {error:?}");
        assert!(!error.contains("1234"), "{error}");
    }
}

fn key(tag_byte: u8) -> KeyRecord {
    let id = KeyId::from_random([tag_byte; 16]);
    let now: Time = "2026-11-23T10:00:00Z".parse().unwrap();
    KeyRecord {
        id,
        role: Role::Ksk,
        public_key: PublicKey::from_dnskey(Algorithm::Ed25519, &[tag_byte; 32]).unwrap(),
        reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
        state: KeyState::Generated,
        times: KeyTimes::generated(now),
        backup: Backup {
            extractability: Extractability::Never,
            bundles: Vec::new(),
        },
    }
}

fn change() -> Change {
    Change::new(
        "2026-11-23T10:00:00Z".parse().unwrap(),
        Action::Generate,
        "test",
        "test",
    )
}

fn site(folder: &Path) -> SiteFolder {
    fs::write(folder.join("site.yaml"), SITE).unwrap();
    SiteFolder::open(folder).unwrap()
}

#[test]
fn keys_are_written_and_read_and_a_contradiction_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path());
    let zone: ZoneName = "cr".parse().unwrap();
    let mut keys = site.keys(&zone).unwrap();
    assert!(keys.keys().is_empty());
    keys.add(key(1), change());
    let mut knots = key(2);
    let reference = format!("pkcs11:token=cr;id={};type=private", "%a5".repeat(20));
    knots.reference = reference.parse().unwrap();
    keys.add(knots, change());
    site.write_keys(&keys, &site.lock_keys(&zone).unwrap()).unwrap();
    assert_eq!(site.keys(&zone).unwrap(), keys);

    let text = fs::read_to_string(site.keys_path(&zone)).unwrap();
    let tag = format!("key-tag: {}", key(1).key_tag());
    for (from, to, wanted) in [
        (
            tag.as_str(),
            "key-tag: 1",
            "key-tag is 1, but by the public key it is",
        ),
        ("bits: 256", "bits: 255", "bits is 255"),
        ("spki-sha256: ", "spki-sha256: 0", "spki-sha256 is"),
        (
            "state: generated",
            "state: active",
            "it is active, but has no time for that",
        ),
        (
            "zone: cr",
            "zone: fi.cr",
            "these are the keys of fi.cr, not of cr",
        ),
        (
            "algorithm: ED25519",
            "algorithm: ED448",
            "a public key of ED448 has 57 bytes, this one has 32",
        ),
        (
            "algorithm: ED25519",
            "algorithm: DSA",
            "algorithm 3 (DSA) is not one that Keyrite makes",
        ),
        (
            ";id=%01",
            ";object=%01",
            "a key's reference is a PKCS#11 URI with 'token' and 'id'",
        ),
        ("role: KSK", "roll: KSK", "unknown field `roll`"),
        (
            "generated: 2026-11-23T10:00:00Z",
            "generated: yesterday",
            "'yesterday' is no time",
        ),
    ] {
        assert!(text.contains(from), "{from} is not in {text}");
        let error = ZoneKeys::from_yaml(&text.replacen(from, to, 1), &zone)
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{wanted:?} is not in {error:?}");
    }
}

#[test]
fn a_second_process_is_told_that_the_file_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path());
    let zone = "cr".parse().unwrap();
    let lock = site.lock_keys(&zone).unwrap();
    let error = site.lock_keys(&zone).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }) && error.hint().is_some());
    drop(lock);
    site.lock_keys(&zone).unwrap();
}

#[test]
fn what_a_killed_write_left_is_cleared_by_the_next_one_who_locks() {
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path());
    let zone = "cr".parse().unwrap();
    let keys = folder.path().join("keys");
    fs::create_dir_all(&keys).unwrap();
    for name in [
        ".cr.yaml.a1B2c3",
        ".fi.cr.yaml.a1B2c3",
        ".cr.yaml.kept",
        "cr.yaml.a1B2c3",
    ] {
        fs::write(keys.join(name), "").unwrap();
    }
    let _lock = site.lock_keys(&zone).unwrap();
    let mut left: Vec<_> = fs::read_dir(&keys)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [
            ".cr.yaml.kept",
            ".cr.yaml.lock",
            ".fi.cr.yaml.a1B2c3",
            "cr.yaml.a1B2c3"
        ]
    );
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/cr.yaml");
    key_metadata::store::replace(&path, |out| out.write_all(b"old")).unwrap();
    key_metadata::store::replace(&path, |out| {
        out.write_all(b"new")?;
        Err(std::io::Error::other("disk full"))
    })
    .unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path().join("keys")).unwrap().count(), 1);
}

/// A key of an algorithm that Keyrite does not make is still read, and written as it was.
#[test]
fn a_legacy_key_is_read() {
    let zone: ZoneName = "cr".parse().unwrap();
    let legacy = LegacyAlgorithm::RsaSha1Nsec3Sha1;
    let public_key = PublicKey::rsa(KeyAlgorithm::Legacy(legacy), &[0xc1; 128], &[1, 0, 1]).unwrap();
    let mut keys = ZoneKeys::new(zone.clone());
    keys.add(KeyRecord { public_key, ..key(1) }, change());
    let text = key_metadata::yaml::render(&keys).unwrap();
    assert!(
        text.contains("algorithm: RSASHA1-NSEC3-SHA1") && text.contains("bits: 1024"),
        "{text}"
    );
    assert_eq!(ZoneKeys::from_yaml(&text, &zone).unwrap(), keys);
}

#[test]
fn a_tag_that_is_taken_is_refused() {
    let mut keys = ZoneKeys::new("cr".parse().unwrap());
    keys.add(key(1), change());
    let other = KeyRecord {
        id: KeyId::from_random([9; 16]),
        ..key(1)
    };
    assert_eq!(keys.check_tags(&other, &[]).unwrap_err().tag, key(1).key_tag());
    keys.check_tags(&key(2), &[]).unwrap();
    assert!(
        keys.check_tags(&key(2), &[key(2).revoked_key_tag()])
            .unwrap_err()
            .by
            .contains("foreign-key-tags")
    );
}

#[test]
fn a_policy_is_checked() {
    let shipped = key_metadata::policy::SHIPPED[0].1;
    for (from, to, wanted) in [
        (
            "validity: 14d",
            "validity: 14s",
            "signatures.validity: 14s is not between 1h and 365d",
        ),
        ("lifetime: 730d", "lifetime: 2y", "no fixed length"),
        (
            "ksk:\n",
            "ksk:\n    bits: 1024\n",
            "keys.ksk: ECDSAP256SHA256 has one key size",
        ),
        ("denial: nsec3", "denial: nsec4", "unknown variant `nsec4`"),
        (
            "zsk:\n",
            "zsk:\n    rollover: double-ds\n",
            "keys.zsk.rollover: a ZSK is not rolled by double-ds, but by pre-publication or double-signature",
        ),
        (
            "zsk:\n",
            "zsk:\n    standby: 3\n",
            "keys.zsk.standby: 3 is not between 0 and 2",
        ),
        (
            "signatures:\n",
            "signatures:\n  refresh: 400d\n",
            "signatures.refresh: 400d is not between 0s and 365d",
        ),
        (
            "signatures:\n",
            "dnskey-signatures: {validity: 9m, refresh: 1d, inception-offset: 0s}\nsignatures:\n",
            "dnskey-signatures.validity: 9m is not between 1h and 365d",
        ),
        (
            "zone:\n",
            "zone:\n  soa-expire: 366d\n",
            "zone.soa-expire: 366d is not between 0s and 365d",
        ),
        ("serial:", "trust-anchor: some\nserial:", "unknown variant `some`"),
    ] {
        let text = shipped.replacen(from, to, 1);
        assert_ne!(text, shipped, "{from} was not found");
        let error = Policy::from_yaml(&text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted:?} is not in {error:?}");
    }
}

/// What a site's policies do not say is as it was before there was a word for it.
#[test]
fn a_policy_without_the_later_fields_has_their_defaults() {
    let policy = Policy::from_yaml(key_metadata::policy::SHIPPED[0].1).unwrap();
    assert_eq!(policy.rollover(Role::Ksk), RolloverMethod::DoubleKsk);
    assert_eq!(policy.rollover(Role::Zsk), RolloverMethod::PrePublication);
    assert_eq!(policy.keys.zsk.as_ref().unwrap().standby, 0);
    assert_eq!(policy.ksk_signs, KskSigns::Online);
    assert_eq!(policy.algorithm_rollover, AlgorithmRollover::Conservative);
    assert_eq!(policy.trust_anchor, TrustAnchor::None);
    assert_eq!(policy.dnskey_validity(), policy.signatures.validity);
    // 14d less the two hours of a run.
    assert_eq!(policy.least_remaining().to_string(), "13d22h");
    assert_eq!(policy.least_dnskey_remaining(), policy.least_remaining());
}

#[test]
fn every_shipped_policy_is_one_and_what_its_signatures_have_left_is_known() {
    let remaining: Vec<_> = key_metadata::policy::SHIPPED
        .iter()
        .map(|(name, text)| {
            let policy = Policy::from_yaml(text).unwrap();
            let again = Policy::from_yaml(&serde_yaml::to_string(&policy).unwrap()).unwrap();
            assert_eq!(
                serde_yaml::to_string(&again).unwrap(),
                serde_yaml::to_string(&policy).unwrap()
            );
            let (zone, dnskey) = (policy.least_remaining(), policy.least_dnskey_remaining());
            format!("{name}: {zone}, {dnskey}")
        })
        .collect();
    // refresh - resign - jitter; of DNSKEY signatures that are made apart, refresh - resign.
    assert_eq!(
        remaining,
        [
            "small-tld: 13d22h, 13d22h",
            "large-tld: 4d10h, 4d10h",
            "root-like: 12d11h, 10d11h",
            "offline-ksk: 13d22h, 6d22h",
            "csk: 4d22h, 4d22h",
        ]
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,200}", cut in 0usize..500) {
        let _ = Site::from_yaml(&text);
        let _ = Policy::from_yaml(&text);
        let _ = Site::from_yaml(SITE.get(..cut).unwrap_or(SITE));
    }
}
