//! Keys and other values that the steps took.
//!
//! By convention a script takes a key's tag into a variable `key-tag-NAME`, and its DS record, as `keyrite-keyctl ds --json` has it, into
//! `ds-NAME`. Both are of the key NAME; every other value is told as it is.

use key_metadata::Time;
use serde::Serialize;

use crate::log::{Body, Did, Entry};
use crate::script::Word;

/// A key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeySeen {
    /// Its name in the script, such as `ksk`.
    pub name: String,
    /// Its tag, if a step took it.
    pub key_tag: Option<String>,
    /// Its DS record, if a step took it.
    pub ds: Option<String>,
    /// The lines of the steps.
    pub lines: Vec<u64>,
}

impl KeySeen {
    /// Whether the DS is one of another tag than the one that was taken.
    pub fn contradicts_itself(&self) -> bool {
        let of_ds = self.ds.as_deref().and_then(tag_of_ds);
        matches!((of_ds, self.key_tag.as_deref()), (Some(one), Some(other)) if one != other)
    }
}

/// The key tag in a DS record: what follows its type.
fn tag_of_ds(record: &str) -> Option<&str> {
    let mut words = record.split_ascii_whitespace();
    words.find(|word| word.eq_ignore_ascii_case("DS"))?;
    words.next()
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ValueSeen {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The step that it came with.
    pub step: Word,
    /// When.
    pub at: Time,
    /// What the ceremony before had recorded, where that was compared.
    pub last_time: Option<String>,
    /// The line.
    pub line: u64,
}

/// The keys and the other values of these entries.
pub fn keys_and_values(entries: &[(u64, &Entry)]) -> (Vec<KeySeen>, Vec<ValueSeen>) {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for &(line, entry) in entries {
        let Body::Step(done) = &entry.body else { continue };
        let mut value = |name: &str, value: &str, last_time: &Option<String>| {
            values.push(ValueSeen {
                name: name.to_owned(),
                value: value.to_owned(),
                step: done.step.clone(),
                at: entry.t,
                last_time: last_time.clone(),
                line,
            });
        };
        if let Did::Run { values: taken, .. } = &done.did {
            for (name, text) in taken {
                if let Some(key) = name.strip_prefix("key-tag-") {
                    key_named(&mut keys, key, line).key_tag = Some(text.clone());
                } else if let Some(key) = name.strip_prefix("ds-") {
                    key_named(&mut keys, key, line).ds = Some(text.clone());
                } else {
                    value(name, text, &None);
                }
            }
        } else if let Did::Record {
            name,
            value: text,
            last_time,
        } = &done.did
        {
            value(name.as_str(), text, last_time);
        } else if let Did::Branch { choice } = &done.did {
            value(done.step.as_str(), choice.as_str(), &None);
        } else if let Did::Clock { wall, offset } = &done.did {
            let text = format!("{wall} on the wall; the machine's clock is {offset:+} s from it");
            value(done.step.as_str(), &text, &None);
        }
    }
    (keys, values)
}

fn key_named<'k>(keys: &'k mut Vec<KeySeen>, name: &str, line: u64) -> &'k mut KeySeen {
    let at = keys.iter().position(|key| key.name == name);
    let at = at.map_or_else(
        || {
            keys.push(KeySeen {
                name: name.to_owned(),
                ..KeySeen::default()
            });
            keys.len() - 1
        },
        |at| at,
    );
    let key = &mut keys[at];
    if !key.lines.contains(&line) {
        key.lines.push(line);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ds_of_another_tag_is_seen() {
        let key = |tag: &str, ds: &str| KeySeen {
            name: "ksk".to_owned(),
            key_tag: Some(tag.to_owned()),
            ds: Some(ds.to_owned()),
            lines: Vec::new(),
        };
        assert!(!key("1234", "cr. 3600 IN DS 1234 13 2 AB").contradicts_itself());
        assert!(key("1234", "cr. 3600 IN DS 4321 13 2 AB").contradicts_itself());
        assert!(!key("1234", "no record").contradicts_itself());
    }
}
