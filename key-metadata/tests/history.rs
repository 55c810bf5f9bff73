//! The history of a zone's keys: whatever is changed in the file by other means than Keyrite shows.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test needs and lacks is a failure"
)]

use key_metadata::gate::Rule;
use key_metadata::history::HistoryError;
use key_metadata::step::Step;
use key_metadata::zone_keys::ZoneKeysError;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    PublicKey, Role, Time, TokenUri, ZoneKeys, ZoneName, yaml,
};
use serde_yaml::Value;

fn zone() -> ZoneName {
    "cr".parse().unwrap()
}

fn change(action: Action, second: u32) -> Change {
    Change {
        at: format!("2026-11-23T10:00:{second:02}Z").parse().unwrap(),
        action,
        tool: "keyrite-keyctl 0.1.0".to_owned(),
        operator: "ana".to_owned(),
        reason: (second > 2).then(|| "a reason".to_owned()),
        overrides: if second > 2 {
            vec![Rule::Successor]
        } else {
            Vec::new()
        },
        ceremony: (second > 2).then(|| "2026-11".to_owned()),
    }
}

/// Two keys, of which one was published and activated.
fn keys() -> ZoneKeys {
    let mut keys = ZoneKeys::new(zone());
    let at: Time = "2026-11-23T10:00:00Z".parse().unwrap();
    for number in [1, 2] {
        let id = KeyId::from_random([number; 16]);
        let key = KeyRecord {
            id,
            role: Role::Ksk,
            public_key: PublicKey::from_dnskey(Algorithm::Ed25519, &[number; 32]).unwrap(),
            reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
            state: KeyState::Generated,
            times: KeyTimes::generated(at),
            backup: Backup::none(Extractability::Never),
        };
        keys.add(key, change(Action::Generate, number.into()));
    }
    for (step, second) in [(Step::Publish, 3), (Step::Activate, 4)] {
        let mut key = keys.keys()[0].clone();
        key.take(step, at);
        keys.replace(key, change(step.action(), second));
    }
    keys
}

#[test]
fn what_was_written_is_read_and_its_head_vouches_for_it() {
    let keys = keys();
    let text = yaml::render(&keys).unwrap();
    let read = ZoneKeys::from_yaml(&text, &zone()).unwrap();
    assert_eq!(read, keys);
    assert_eq!(read.head(), Some(keys.history()[3].digest));
    // The same text for another zone is another history.
    let other = text.replacen("zone: cr", "zone: fi.cr", 1);
    let error = ZoneKeys::from_yaml(&other, &"fi.cr".parse().unwrap()).unwrap_err();
    assert!(matches!(
        error,
        ZoneKeysError::History(HistoryError::Broken { number: 1, .. })
    ));
}

/// Every place of the document, as the steps that lead to it.
fn places(value: &Value, here: &mut Vec<Value>, found: &mut Vec<Vec<Value>>) {
    match value {
        Value::Mapping(map) => {
            for (name, value) in map {
                here.push(name.clone());
                places(value, here, found);
                here.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                here.push(index.into());
                places(item, here, found);
                here.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {
            found.push(here.clone());
        }
    }
}

fn at<'v>(value: &'v mut Value, place: &[Value]) -> &'v mut Value {
    place.iter().fold(value, |value, step| match step {
        Value::Number(index) => &mut value[usize::try_from(index.as_u64().unwrap()).unwrap()],
        name => &mut value[name.clone()],
    })
}

/// Other values that the same field could have.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) => vec![(number.as_u64().unwrap() ^ 1).into()],
        Value::String(text) => {
            let mut others = vec![format!("{text}x")];
            for (from, to) in [
                ("active", "published"),
                ("publish", "activate"),
                ("generate", "import"),
                ("2026", "2025"),
                ("KSK", "CSK"),
                ("never", "wrapped"),
                ("cr", "cs"),
                ("successor", "hold-down"),
                ("a", "b"),
                ("0", "1"),
                ("1", "2"),
            ] {
                others.push(text.replacen(from, to, 1));
            }
            others.retain(|other| other != text);
            others.into_iter().map(Value::String).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_is_changed_shows() {
    let original: Value = serde_yaml::from_str(&yaml::render(&keys()).unwrap()).unwrap();
    let (mut found, mut tried) = (Vec::new(), 0);
    places(&original, &mut Vec::new(), &mut found);
    for place in found {
        for other in others(&at(&mut original.clone(), &place).clone()) {
            let mut changed = original.clone();
            *at(&mut changed, &place) = other;
            let text = serde_yaml::to_string(&changed).unwrap();
            assert!(ZoneKeys::from_yaml(&text, &zone()).is_err(), "{place:?}\n{text}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn whatever_is_taken_out_or_moved_shows() {
    let original: Value = serde_yaml::from_str(&yaml::render(&keys()).unwrap()).unwrap();
    for list in ["keys", "history"] {
        let length = original[list].as_sequence().unwrap().len();
        for index in 0..length {
            let mut changed = original.clone();
            changed[list].as_sequence_mut().unwrap().remove(index);
            let text = serde_yaml::to_string(&changed).unwrap();
            assert!(
                ZoneKeys::from_yaml(&text, &zone()).is_err(),
                "{list} without {index}"
            );
        }
    }
    let mut swapped = original.clone();
    swapped["history"].as_sequence_mut().unwrap().swap(1, 2);
    let text = serde_yaml::to_string(&swapped).unwrap();
    let (_, contradictions) = ZoneKeys::from_yaml_with_contradictions(&text, &zone()).unwrap();
    assert!(
        matches!(contradictions[0], HistoryError::Broken { number: 2, .. }),
        "{contradictions:?}"
    );
}

#[test]
fn a_changed_record_is_named_with_its_last_change() {
    let text = yaml::render(&keys()).unwrap();
    let changed = text.replacen("operator: ana", "operator: bob", 1);
    let (_, contradictions) = ZoneKeys::from_yaml_with_contradictions(&changed, &zone()).unwrap();
    assert_eq!(contradictions.len(), 1);
    assert!(
        contradictions[0]
            .to_string()
            .starts_with("history: entry 1 (generate of 01")
    );
    let changed = text.replacen("extractability: never", "extractability: wrapped", 1);
    let (_, contradictions) = ZoneKeys::from_yaml_with_contradictions(&changed, &zone()).unwrap();
    assert_eq!(
        contradictions[0].to_string(),
        format!(
            "key {} is not as its last change (activate at 2026-11-23T10:00:04Z by ana) left it",
            keys().keys()[0].id
        )
    );
}
