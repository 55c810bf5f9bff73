//! What is written is read back as it was, for keys of any kind.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use interchange::bind::{KeyFiles, StateFile, TokenLookup, read_folder};
use interchange::dnst::{Exported, KeySet, Wrapping};
use interchange::knot::{Custody, ListedKey, Listing, import_pkcs11};
use interchange::{Event, PrivatePart, RecordChange, RecordState, RecordStates, Times, opendnssec};
use key_metadata::{
    Algorithm, Backup, Extractability, KeyAlgorithm, KeyId, KeyRecord, KeyState, KeyTimes, PublicKey, Role,
    Time, ZoneName,
};
use proptest::prelude::*;
use proptest::sample::select;

fn zones() -> impl Strategy<Value = ZoneName> {
    prop_oneof![
        Just(".".to_owned()),
        "[a-z0-9_-]{1,20}(\\.[a-z0-9*/+-]{1,12}){0,3}"
    ]
    .prop_map(|name| name.parse().unwrap())
}

/// 1970 to 2106, the range of BIND's times.
fn times() -> impl Strategy<Value = Time> {
    (1i64..0xffff_ffff).prop_map(|seconds| Time::from(chrono::DateTime::from_timestamp(seconds, 0).unwrap()))
}

fn roles() -> impl Strategy<Value = Role> {
    select(&Role::ALL[..])
}

fn public_keys() -> impl Strategy<Value = PublicKey> {
    (select(&Algorithm::ALL[..]), proptest::collection::vec(1u8.., 256)).prop_map(|(algorithm, bytes)| {
        match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
                PublicKey::rsa(algorithm, &bytes, &[1, 0, 1]).unwrap()
            }
            Algorithm::EcdsaP256Sha256 => PublicKey::from_dnskey(algorithm, &bytes[..64]).unwrap(),
            Algorithm::EcdsaP384Sha384 => PublicKey::from_dnskey(algorithm, &bytes[..96]).unwrap(),
            Algorithm::Ed25519 => PublicKey::from_dnskey(algorithm, &bytes[..32]).unwrap(),
        }
    })
}

const STATES: [KeyState; 11] = [
    KeyState::Generated,
    KeyState::PreActive,
    KeyState::Published,
    KeyState::Ready,
    KeyState::Active,
    KeyState::RetireActive,
    KeyState::Retired,
    KeyState::PostActive,
    KeyState::Dead,
    KeyState::Removed,
    KeyState::Revoked,
];

prop_compose! {
    fn key_times()(generated in times(), [published, ready, submitted, active, retired, dead, removed, revoked] in proptest::array::uniform8(proptest::option::of(times())),
                   [pre_active, registered, retire_active, insecure, deregistered, post_active] in proptest::array::uniform6(proptest::option::of(times()))) -> KeyTimes {
        KeyTimes { generated, pre_active, published, ready, submitted, registered, active, retire_active, insecure, retired, deregistered, post_active, dead, removed, revoked, destroyed: None }
    }
}

/// Every time that a key has.
fn all(times: &KeyTimes) -> Vec<Time> {
    let KeyTimes {
        generated,
        pre_active,
        published,
        ready,
        submitted,
        registered,
        active,
        retire_active,
        insecure,
        retired,
        deregistered,
        post_active,
        dead,
        removed,
        revoked,
        destroyed,
    } = times;
    let others = [
        pre_active,
        published,
        ready,
        submitted,
        registered,
        active,
        retire_active,
        insecure,
        retired,
        deregistered,
        post_active,
        dead,
        removed,
        revoked,
        destroyed,
    ];
    [*generated]
        .into_iter()
        .chain(others.into_iter().copied().flatten())
        .collect()
}

prop_compose! {
    fn records()(id in any::<[u8; 16]>(), public_key in public_keys(), role in roles(), state in select(&STATES[..]), times in key_times(), in_tpm in any::<bool>()) -> KeyRecord {
        let escaped: String = id.iter().map(|byte| format!("%{byte:02x}")).collect();
        let reference = if in_tpm { "tpm2:chip".to_owned() } else { format!("pkcs11:token=cr%20%3bzsk;serial=00ff;id={escaped}") };
        KeyRecord {
            id: KeyId::from_random(id),
            role,
            public_key,
            reference: reference.parse().unwrap(),
            state,
            times,
            backup: Backup::none(Extractability::Never),
        }
    }
}

fn changes() -> impl Strategy<Value = RecordChange> {
    let states = select(vec![
        None,
        Some(RecordState::Hidden),
        Some(RecordState::Rumoured),
        Some(RecordState::Omnipresent),
        Some(RecordState::Unretentive),
    ]);
    (states, proptest::option::of(times())).prop_map(|(state, since)| RecordChange { state, since })
}

prop_compose! {
    fn record_states()(goal in changes(), [dnskey, key_signatures, zone_signatures, ds] in proptest::array::uniform4(changes())) -> RecordStates {
        RecordStates { goal: goal.state, dnskey, key_signatures, zone_signatures, ds }
    }
}

/// A subset of these events, each with some time.
fn some_of(events: &'static [Event]) -> impl Strategy<Value = Times> {
    proptest::collection::vec((select(events), times()), 0..10).prop_map(|times| times.into_iter().collect())
}

const OF_BIND: [Event; 10] = [
    Event::Generated,
    Event::Published,
    Event::Active,
    Event::Revoked,
    Event::Retired,
    Event::Removed,
    Event::DsSeen,
    Event::CdsPublished,
    Event::CdsRemoved,
    Event::DsGone,
];

const OF_KNOT: [Event; 10] = [
    Event::Generated,
    Event::PreActive,
    Event::Published,
    Event::Ready,
    Event::Active,
    Event::RetireActive,
    Event::Retired,
    Event::PostActive,
    Event::Revoked,
    Event::Removed,
];

fn algorithms() -> impl Strategy<Value = KeyAlgorithm> {
    select(&Algorithm::ALL[..]).prop_map(KeyAlgorithm::Made)
}

prop_compose! {
    fn state_files()(
        title in proptest::option::of((zones(), any::<u16>())),
        (algorithm, length, lifetime, predecessor, successor) in (algorithms(), any::<u16>(), any::<Option<u32>>(), any::<Option<u16>>(), any::<Option<u16>>()),
        role in proptest::option::of(roles()),
        times in some_of(&OF_BIND),
        records in record_states(),
    ) -> StateFile {
        StateFile { title, algorithm, length, lifetime, predecessor, successor, role, times, records }
    }
}

prop_compose! {
    fn listed()(zone in zones(), id in proptest::collection::vec(any::<u8>(), 1..=64), role in roles(), tag in any::<u16>(), algorithm in algorithms(), size in any::<u16>(),
                custody in select(vec![Custody::Keystore, Custody::PublicOnly, Custody::Missing]), times in some_of(&OF_KNOT)) -> ListedKey {
        ListedKey { zone, id, role, tag, algorithm, size, custody, times }
    }
}

fn file() -> &'static Path {
    Path::new("foreign")
}

proptest! {
    #[test]
    fn bind_files_of_any_record(zone in zones(), record in records(), ttl in proptest::option::of(1u32..0x8000_0000), lookup in select(vec![TokenLookup::Engine, TokenLookup::Provider]),
                                object in proptest::option::of("[ -~é]{1,30}")) {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::of(&zone, &record, ttl, lookup, object.as_deref()).unwrap();
        files.write(folder.path()).unwrap();
        let import = read_folder(folder.path(), &zone).unwrap();
        prop_assert!(import.lost.is_empty() && import.exposed.is_empty(), "{:?}", import.lost);
        prop_assert_eq!(import.keys.len(), 1);
        let key = &import.keys[0];
        let role = if record.state == KeyState::Revoked && record.role == Role::Csk { Role::Ksk } else { record.role };
        prop_assert_eq!((&key.zone, key.role, &key.public_key, key.ttl), (&zone, role, &record.public_key, ttl));
        prop_assert_eq!(&key.times, &files.private.times);
        prop_assert_eq!(key.records.is_empty(), record.state == KeyState::Revoked);
        match (&key.private, &record.reference) {
            (PrivatePart::None, key_metadata::KeyReference::Tpm(_)) => {}
            (PrivatePart::Token(token), key_metadata::KeyReference::Pkcs11(uri)) => {
                prop_assert_eq!(token.id.as_deref(), Some(&record.id.as_bytes()[..]));
                prop_assert_eq!((token.token.as_deref(), &token.serial, &token.object), (Some(uri.token.as_str()), &uri.serial, &object));
            }
            (found, _) => panic!("{found:?}"),
        }
        // As many times as the record has are in the files or in the list of what is not.
        prop_assert_eq!(files.lost.len() + key.times.iter().count(), all(&record.times).len());
    }

    #[test]
    fn a_state_file(state in state_files()) {
        let (again, lost) = StateFile::parse(file(), &state.to_string()).unwrap();
        prop_assert_eq!(again, state);
        prop_assert!(lost.is_empty());
    }

    #[test]
    fn a_list_of_knot(keys in proptest::collection::vec(listed(), 0..4)) {
        let listing = Listing::parse(file(), &interchange::knot::render(&keys).unwrap()).unwrap();
        prop_assert_eq!(listing.keys, keys);
        prop_assert!(listing.lost.is_empty());
    }

    #[test]
    fn a_command_for_keymgr_has_every_time_once(zone in zones(), record in records()) {
        match import_pkcs11(&zone, &record, None) {
            Err(_) => prop_assert!(matches!(record.reference, key_metadata::KeyReference::Tpm(_))),
            Ok(command) => {
                let zeros = command.argv.iter().filter(|argument| argument.ends_with("=0")).count();
                let told = command.argv.iter().filter(|argument| argument.contains('=')).count() - 4 - zeros;
                // What it would take for now is there as zero; what is not told is lost.
                let times = &record.times;
                let named = [times.published, times.ready, times.active, times.retired, times.revoked, times.removed];
                prop_assert_eq!(zeros, named.iter().filter(|time| time.is_none()).count());
                prop_assert_eq!(told + command.lost.len(), all(times).len());
            }
        }
    }

    #[test]
    fn a_line_of_the_enforcer(zone in zones(), role in roles(), size in any::<u16>(), tag in any::<u16>(), algorithm in algorithms(), id in proptest::collection::vec(any::<u8>(), 1..=64),
                              next in "[a-z0-9:-]{1,10}( [a-z0-9:-]{1,10}){0,2}", repository in "[A-Za-z0-9_-]{1,12}",
                              state in select(vec!["generate", "publish", "ready", "active", "retire", "mixed", "unknown"])) {
        let key = opendnssec::ListedKey { zone, role, state: state.parse().unwrap(), next, size, algorithm, id, repository, tag };
        let read = |text: &str| opendnssec::Listing::parse(file(), text).unwrap().keys;
        prop_assert_eq!(&read(&key.to_string()), std::slice::from_ref(&key));
        // The table has the same words, at columns.
        let words: Vec<String> = key.to_string().split(';').map(str::to_owned).collect();
        prop_assert_eq!(&read(&words.join("   ")), &[key]);
    }

    #[test]
    fn a_state_of_dnst(zone in zones(), record in records(), wrapping in select(vec![Wrapping::KeySet, Wrapping::State]), private in proptest::option::of("kmip://[a-z]{1,9}/[a-z]{1,9}")) {
        let exported = [Exported { record: &record, public: "file:///keys/a.key", private: private.as_deref() }];
        match KeySet::of(&zone, &exported, wrapping) {
            Err(_) => prop_assert_eq!(record.state, KeyState::Revoked),
            Ok((set, _)) => {
                let (again, lost) = KeySet::parse(file(), &set.render().unwrap()).unwrap();
                prop_assert_eq!(again, set);
                prop_assert!(lost.is_empty());
            }
        }
    }
}
