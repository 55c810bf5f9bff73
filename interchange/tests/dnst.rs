//! dnst's state, with the library that dnst itself reads and writes it by as the referee.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;

use domain::base::Name;
use domain::base::iana::SecurityAlgorithm;
use domain::dnssec::sign::keys::keyset::{self, Available, RollType, UnixTime};
use interchange::bind::{KeyFile, KeyFileName};
use interchange::dnst::{self, Exported, KeySet, Wrapping};
use interchange::records::Dnskey;
use interchange::{PrivatePart, Reason, Revocation};
use key_metadata::{Algorithm, KeyRecord, KeyState, PublicKey, Role, Time, ZoneName};

const ED: &str = "0MRprFeyidlSnoGXAToomOoNABiBQ824gop7DURo0pk=";

fn public_key(last: u8) -> PublicKey {
    use base64::Engine;
    let mut bytes = base64::engine::general_purpose::STANDARD.decode(ED).unwrap();
    // A step of one would have the tag of a KSK meet that of the next ZSK.
    bytes[31] = last * 8;
    PublicKey::from_dnskey(Algorithm::Ed25519, &bytes).unwrap()
}

fn zone() -> ZoneName {
    "example.com".parse().unwrap()
}

/// A state by the library itself: three keys, one rollover under way.
fn by_the_library(folder: &Path) -> (String, Vec<u16>) {
    let mut set = keyset::KeySet::new("example.com".parse::<Name<Vec<u8>>>().unwrap());
    let mut tags = Vec::new();
    for (last, role) in [(1, Role::Ksk), (2, Role::Zsk), (3, Role::Zsk), (4, Role::Csk)] {
        let key = public_key(last);
        let dnskey = Dnskey {
            zone: zone(),
            ttl: Some(3600),
            role,
            revocation: Revocation::NotRevoked,
            public_key: key.clone(),
        };
        let name = KeyFileName::of(&dnskey);
        let path = folder.join(format!("{name}.key"));
        std::fs::write(
            &path,
            KeyFile::new(dnskey, &interchange::Times::default()).to_string(),
        )
        .unwrap();
        let public = format!("file://{}", path.display());
        let private = Some(format!("file://{}", path.with_extension("private").display()));
        let (algorithm, tag) = (SecurityAlgorithm::ED25519, key.key_tag(role));
        tags.push(tag);
        let made = UnixTime::now();
        match role {
            Role::Ksk => set
                .add_key_ksk(
                    public.clone(),
                    private,
                    algorithm,
                    tag,
                    made,
                    Available::Available,
                )
                .unwrap(),
            Role::Zsk => set
                .add_key_zsk(
                    public.clone(),
                    private,
                    algorithm,
                    tag,
                    made,
                    Available::Available,
                )
                .unwrap(),
            Role::Csk => set
                .add_key_csk(
                    public.clone(),
                    private,
                    algorithm,
                    tag,
                    made,
                    Available::Available,
                )
                .unwrap(),
        }
        if last <= 2 {
            set.set_present(&public, true).unwrap();
            set.set_signer(&public, true).unwrap();
        }
        if last == 1 {
            set.set_at_parent(&public, true).unwrap();
            set.set_visible(&public, UnixTime::now()).unwrap();
        }
    }
    let of = |tag: u16| {
        set.keys()
            .iter()
            .find(|(_, key)| key.key_tag() == tag)
            .unwrap()
            .0
            .clone()
    };
    let (old, new) = (of(tags[1]), of(tags[2]));
    set.start_roll(RollType::ZskRoll, &[&old], &[&new])
        .unwrap_or_else(|error| panic!("{error:?}"));
    set.propagation1_complete(RollType::ZskRoll, 3600)
        .unwrap_or_else(|error| panic!("{error:?}"));
    (serde_json::to_string(&set).unwrap(), tags)
}

#[test]
fn a_state_of_the_library_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (text, tags) = by_the_library(folder.path());
    let file = folder.path().join("state.json");
    std::fs::write(&file, &text).unwrap();
    let import = dnst::read(&file).unwrap();
    let found = |tag: u16| import.keys.iter().find(|key| key.key_tag() == tag).unwrap();
    let states = tags
        .iter()
        .map(|tag| found(*tag).state.unwrap())
        .collect::<Vec<_>>();
    assert_eq!(
        states,
        [
            KeyState::Active,
            KeyState::Active,
            KeyState::Published,
            KeyState::Generated
        ]
    );
    assert_eq!(found(tags[3]).role, Role::Csk);
    assert!(matches!(&found(tags[0]).private, PrivatePart::File(path) if path.starts_with(folder.path())));
    // That the second one is on its way out is not in its state.
    assert!(
        import.lost.iter().all(|lost| lost.why == Reason::NoPlace),
        "{:?}",
        import.lost
    );
    let fields = import
        .lost
        .iter()
        .map(|lost| lost.field.clone())
        .collect::<Vec<_>>();
    assert_eq!(
        fields,
        ["rollstates".to_owned(), format!("keytype of key {}", tags[1])]
    );
    // What we write of it, the library reads and would write itself.
    let (set, lost) = KeySet::parse(&file, &text).unwrap();
    assert!(lost.is_empty(), "{lost:?}");
    let theirs: keyset::KeySet = serde_json::from_str(&set.render().unwrap()).unwrap();
    let again: serde_json::Value = serde_json::to_value(&theirs).unwrap();
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(&text).unwrap());
}

fn record(last: u8, role: Role, state: KeyState) -> KeyRecord {
    let at: Time = "2026-11-23T10:00:00Z".parse().unwrap();
    let mut times = key_metadata::KeyTimes::generated(at);
    times.published = Some(at);
    times.ready = Some(at);
    times.active = Some(at);
    times.retired = Some(at);
    times.removed = Some(at);
    let id = key_metadata::KeyId::from_random([last; 16]);
    KeyRecord {
        id,
        role,
        public_key: public_key(last),
        reference: format!(
            "pkcs11:token=t;id={}",
            "%01".repeat(16).replace("01", &format!("{last:02x}"))
        )
        .parse()
        .unwrap(),
        state,
        times,
        backup: key_metadata::Backup::none(key_metadata::Extractability::Never),
    }
}

#[test]
fn an_exported_state_is_one_of_the_library_and_comes_back() {
    let all = [
        (KeyState::Generated, Role::Zsk),
        (KeyState::Published, Role::Ksk),
        (KeyState::Active, Role::Ksk),
        (KeyState::Active, Role::Csk),
        (KeyState::Retired, Role::Zsk),
        (KeyState::Removed, Role::Csk),
        (KeyState::PreActive, Role::Ksk),
        (KeyState::PreActive, Role::Zsk),
        (KeyState::PreActive, Role::Csk),
        (KeyState::RetireActive, Role::Csk),
        (KeyState::PostActive, Role::Ksk),
        (KeyState::PostActive, Role::Zsk),
        (KeyState::PostActive, Role::Csk),
    ];
    let records: Vec<KeyRecord> = (1..)
        .zip(all)
        .map(|(last, (state, role))| record(last, role, state))
        .collect();
    let names: Vec<String> = (0..all.len())
        .map(|index| format!("file:///keys/{index}.key"))
        .collect();
    let exported: Vec<Exported<'_>> = records
        .iter()
        .zip(&names)
        .map(|(record, public)| Exported {
            record,
            public,
            private: Some("kmip://hsm/keys/1"),
        })
        .collect();
    for wrapping in [Wrapping::KeySet, Wrapping::State] {
        let (set, lost) = KeySet::of(&zone(), &exported, wrapping).unwrap();
        assert_eq!(lost.len(), 2 * all.len(), "active and retired of each: {lost:?}");
        let text = set.render().unwrap();
        let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
        let theirs: keyset::KeySet = serde_json::from_value(match wrapping {
            Wrapping::KeySet => whole,
            Wrapping::State => whole["keyset"].clone(),
        })
        .unwrap();
        assert_eq!(theirs.keys().len(), all.len());
        let file = Path::new("state.json");
        let (again, lost) = KeySet::parse(file, &text).unwrap();
        assert!(lost.is_empty(), "{lost:?}");
        assert_eq!(again, set);
        let dnskeys: Vec<Dnskey> = records
            .iter()
            .map(|record| Dnskey {
                zone: zone(),
                ttl: None,
                role: if record.role == Role::Zsk {
                    Role::Zsk
                } else {
                    Role::Ksk
                },
                revocation: Revocation::NotRevoked,
                public_key: record.public_key.clone(),
            })
            .collect();
        let import = dnst::import(again, file, &dnskeys).unwrap();
        for (key, record) in import.keys.iter().zip(&records) {
            assert_eq!(
                (key.state, key.role, key.key_tag()),
                (Some(record.state), record.role, record.key_tag())
            );
            assert!(matches!(&key.private, PrivatePart::Kmip(uri) if uri == "kmip://hsm/keys/1"));
        }
    }
    assert!(
        KeySet::of(
            &zone(),
            &[Exported {
                record: &record(9, Role::Ksk, KeyState::Revoked),
                public: "a",
                private: None
            }],
            Wrapping::KeySet
        )
        .is_err()
    );
}

#[test]
fn what_is_not_known_is_reported_and_what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (text, _) = by_the_library(folder.path());
    let file = Path::new("state.json");
    let (_, lost) = KeySet::parse(
        file,
        &text.replace("\"available\"", "\"new\":[1,2],\"available\""),
    )
    .unwrap();
    assert_eq!(lost.len(), 5, "one of each key's flags, two of the CSK's");
    assert!(
        lost[0].to_string().contains("keytype") && lost[0].to_string().contains("'a list of 2'"),
        "{}",
        lost[0]
    );
    let state = format!(
        "{{\"keyset\":{text},\"dnskey_rrset\":[],\"ds_rrset\":[\"x\"],\"cron_next\":null,\"kmip\":{{\"servers\":{{}}}}}}"
    );
    let (_, lost) = KeySet::parse(file, &state).unwrap();
    assert_eq!(
        lost.iter().map(|lost| lost.field.as_str()).collect::<Vec<_>>(),
        ["ds_rrset", "kmip"]
    );
    for (from, to, says) in [
        ("\"key_tag\":", "\"key_tag\":9", "key_tag"),
        ("\"name\":\"example.com\"", "\"name\":\"..\"", "name"),
        ("\"algorithm\":", "\"algorithm\":9", "algorithm"),
        ("ZskRoll", "NoRoll", "rollstates"),
        ("\"nanos\":", "\"nanos\":9999", "creation"),
        ("\"keys\":", "\"keys\":1,\"x\":", "keys"),
        ("file://", "kmip://u:hunter2@h", "keys["),
    ] {
        let error = KeySet::parse(file, &text.replacen(from, to, 1))
            .map(drop)
            .unwrap_err();
        let whole = format!(
            "{error}: {:?}",
            std::error::Error::source(&error).map(ToString::to_string)
        );
        assert!(
            whole.contains(says) && !whole.contains("hunter2"),
            "{from}: {whole}"
        );
    }
}
