//! What differs between two policies, and which waits differ with it.

use std::collections::BTreeSet;

use key_metadata::policy::TrustAnchor;
use key_metadata::timing::{
    Figure, Figures, Wait, first_ds_interval, publication_interval, registration_delay, retire_interval,
    s1_least_refresh, t3_add_wait,
};
use key_metadata::{Policy, Role, RolloverMethod};
use serde::Serialize;
use serde_json::Value;

use crate::lint::least_lifetime;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyChange {
    /// The field, such as `zone.max-ttl`.
    pub field: String,
    /// What it was; nothing, where it was not there.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// The waits that this field has a part in, and that differ.
    pub waits: Vec<WaitChange>,
}

/// A wait that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitChange {
    /// Whose, such as `a ZSK's retire interval`.
    pub of: String,
    /// What it was; nothing, where it was not there.
    pub old: Option<Wait>,
    /// What it is.
    pub new: Option<Wait>,
}

/// What differs between two policies, field by field in the order of their names.
///
/// A field's waits are those that differ when only that field is changed. They are given as they are by the whole of each policy.
pub fn changes(old: &Policy, new: &Policy) -> Result<Vec<PolicyChange>, serde_json::Error> {
    let (before, after) = (whole(old)?, whole(new)?);
    let mut fields = Vec::new();
    differences(&mut Vec::new(), Some(&before), Some(&after), &mut fields);
    let (old_waits, new_waits) = (waits(old), waits(new));
    let change = |field: Difference| {
        // A role that comes or goes takes all its fields along, so what is left is a policy.
        let alone: Policy = serde_json::from_value(with(before.clone(), &field.path, field.new.clone()))?;
        let waits = differing(&old_waits, &waits(&alone))
            .into_iter()
            .map(|of| WaitChange {
                old: find(&old_waits, &of),
                new: find(&new_waits, &of),
                of,
            })
            .filter(|wait| wait.old != wait.new)
            .collect();
        Ok(PolicyChange {
            field: field.path.join("."),
            old: field.old.as_ref().map(text),
            new: field.new.as_ref().map(text),
            waits,
        })
    };
    fields.into_iter().map(change).collect()
}

/// A policy as JSON, with the rollover method of each key, be it given or not.
fn whole(policy: &Policy) -> Result<Value, serde_json::Error> {
    let mut policy = policy.clone();
    let keys = &mut policy.keys;
    for (role, key) in [
        (Role::Ksk, &mut keys.ksk),
        (Role::Zsk, &mut keys.zsk),
        (Role::Csk, &mut keys.csk),
    ] {
        if let Some(key) = key {
            key.rollover.get_or_insert(RolloverMethod::usual(role));
        }
    }
    serde_json::to_value(policy)
}

struct Difference {
    path: Vec<String>,
    old: Option<Value>,
    new: Option<Value>,
}

fn differences(
    path: &mut Vec<String>,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    match (old, new) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                path.push(name.clone());
                differences(path, before.get(name), after.get(name), found);
                path.pop();
            }
        }
        (before, after) if before != after => found.push(Difference {
            path: path.clone(),
            old: before.cloned(),
            new: after.cloned(),
        }),
        (_, _) => {}
    }
}

/// The same document with that value at the path, or without one.
fn with(mut document: Value, path: &[String], value: Option<Value>) -> Value {
    if let Some((last, parents)) = path.split_last() {
        let mut place = Some(&mut document);
        for name in parents {
            place = place.and_then(|place| place.get_mut(name));
        }
        if let Some(Value::Object(fields)) = place {
            match value {
                Some(value) => fields.insert(last.clone(), value),
                None => fields.remove(last),
            };
        }
    }
    document
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", text(value)));
            fields.collect::<Vec<_>>().join("; ")
        }
    }
}

/// Every wait of a policy, with whose it is.
fn waits(policy: &Policy) -> Vec<(String, Wait)> {
    let figures = Figures::of(policy);
    let figure = Figure::policy;
    let signatures = &policy.signatures;
    let mut waits = vec![
        (
            "the publication interval".to_owned(),
            publication_interval(&figures),
        ),
        (
            "the wait for the first DS".to_owned(),
            first_ds_interval(&figures),
        ),
        ("the registration delay".to_owned(), registration_delay(&figures)),
        (
            "the least refresh".to_owned(),
            s1_least_refresh(
                &figures,
                &figure(signatures.resign),
                &figure(signatures.jitter),
                &figure(signatures.outage_margin),
            ),
        ),
    ];
    for role in Role::ALL {
        if policy.key(role).is_some() {
            waits.push((
                format!("a {role}'s retire interval"),
                retire_interval(&figures, role),
            ));
            waits.push((format!("a {role}'s least lifetime"), least_lifetime(policy, role)));
        }
    }
    match policy.trust_anchor {
        TrustAnchor::None => {}
        TrustAnchor::Rfc5011 => waits.push((
            "the wait for a new trust anchor".to_owned(),
            t3_add_wait(&figures, &figure(policy.dnskey_validity())),
        )),
    }
    waits
}

fn find(waits: &[(String, Wait)], of: &str) -> Option<Wait> {
    let found = waits.iter().find(|(name, _)| name == of);
    found.map(|(_, wait)| wait.clone())
}

/// Whose waits differ, in the order of the first list, then of the second.
fn differing(old: &[(String, Wait)], new: &[(String, Wait)]) -> Vec<String> {
    let mut names: Vec<&String> = old.iter().map(|(of, _)| of).collect();
    names.extend(new.iter().map(|(of, _)| of).filter(|of| find(old, of).is_none()));
    let differs = |of: &&String| find(old, of) != find(new, of);
    names.into_iter().filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use key_metadata::policy::SHIPPED;

    use super::*;

    fn policy(changes: &[(&str, &str)]) -> Policy {
        let text = changes.iter().fold(SHIPPED[0].1.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        Policy::from_yaml(&text).unwrap()
    }

    /// Each change as its field, values, and of each wait whose it is and its totals.
    fn shown(changes: &[PolicyChange]) -> Vec<String> {
        let shown = |text: &Option<String>| text.clone().map_or("none".to_owned(), |text| text);
        let total = |wait: &Option<Wait>| {
            wait.as_ref()
                .map_or("none".to_owned(), |wait| wait.total().to_string())
        };
        let line = |change: &PolicyChange| {
            let waits = change.waits.iter();
            let waits: String = waits
                .map(|wait| format!("; {} {} -> {}", wait.of, total(&wait.old), total(&wait.new)))
                .collect();
            format!(
                "{} {} -> {}{waits}",
                change.field,
                shown(&change.old),
                shown(&change.new)
            )
        };
        changes.iter().map(line).collect()
    }

    #[test]
    fn a_policy_does_not_differ_from_itself_with_its_defaults_written() {
        let written = policy(&[
            ("  ksk:\n", "  ksk:\n    rollover: double-ksk\n    standby: 0\n"),
            ("signatures:\n", "signatures:\n  jitter: 0s\n"),
            ("serial:", "ksk-signs: online\ntrust-anchor: none\nserial:"),
        ]);
        assert_eq!(changes(&policy(&[]), &written).unwrap(), []);
    }

    #[test]
    fn a_field_has_the_waits_that_it_is_part_of() {
        let new = policy(&[
            ("dnskey-ttl: 1h", "dnskey-ttl: 2h"),
            ("publish: 1h", "publish: 3h"),
        ]);
        assert_eq!(
            shown(&changes(&policy(&[]), &new).unwrap()),
            [
                "dnskey-ttl 1h -> 2h; the publication interval 5h -> 8h; a KSK's least lifetime 3d7h -> 3d10h; \
                 a ZSK's least lifetime 1d9h -> 1d12h",
                "safety.publish 1h -> 3h; the publication interval 5h -> 8h; a KSK's least lifetime 3d7h -> 3d10h; \
                 a ZSK's least lifetime 1d9h -> 1d12h",
            ]
        );
    }

    #[test]
    fn what_comes_and_goes_is_told() {
        let anchored = policy(&[("serial:", "trust-anchor: rfc5011\nserial:")]);
        let found = changes(&policy(&[]), &anchored).unwrap();
        assert_eq!(
            shown(&found),
            [
                "trust-anchor none -> rfc5011; a KSK's least lifetime 3d7h -> 76d4h; the wait for a new trust anchor none -> 46d1h"
            ]
        );
        let own = policy(&[(
            "signatures:\n",
            "dnskey-signatures: {validity: 21d, refresh: 11d, inception-offset: 0s}\nsignatures:\n",
        )]);
        assert_eq!(
            shown(&changes(&own, &policy(&[])).unwrap()),
            ["dnskey-signatures inception-offset 0s; refresh 11d; validity 21d -> none"]
        );
        let (_, csk) = SHIPPED.iter().find(|(name, _)| *name == "csk").unwrap();
        let found = shown(&changes(&policy(&[]), &Policy::from_yaml(csk).unwrap()).unwrap());
        let begins = |text: &str| found.iter().any(|line| line.starts_with(text));
        assert!(
            begins("keys.csk none -> algorithm ECDSAP256SHA256; lifetime 365d;"),
            "{found:?}"
        );
        assert!(begins("keys.zsk algorithm"), "{found:?}");
        assert!(
            begins("signatures.outage-margin 0s -> 3d; the least refresh 1d3h -> 4d3h"),
            "{found:?}"
        );
    }
}
