//! Who may sign: OpenSSH's file `allowed_signers`.

use std::collections::BTreeSet;

use key_metadata::Time;

use crate::key::SignerKey;
use crate::line::{AllowedSignersError, Line};
use crate::pattern::list_matches;

/// The file. It is all good or refused: a line that cannot be read is one that might have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSigners {
    keys: Vec<AllowedKey>,
}

/// A line of it: a key, and who signs with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedKey {
    number: u64,
    line: Line,
}

/// A key that several principals have: one person could sign for two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKey {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Who has it, in alphabetical order.
    pub principals: Vec<String>,
}

impl AllowedSigners {
    /// Reads a file.
    pub fn parse(text: &[u8]) -> Result<Self, AllowedSignersError> {
        let mut keys = Vec::new();
        for (number, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = Line::read(bytes).map_err(|source| AllowedSignersError { line: number, source })?;
            keys.extend(line.map(|line| AllowedKey { number, line }));
        }
        Ok(Self { keys })
    }

    /// Its keys, in order.
    pub fn keys(&self) -> &[AllowedKey] {
        &self.keys
    }

    /// The principals that it names.
    pub fn principals(&self) -> BTreeSet<&str> {
        let names = self.keys.iter().flat_map(|key| key.principals());
        names.map(String::as_str).collect()
    }

    /// The keys of a principal, whatever they may sign; none for one that it does not name.
    pub fn keys_of(&self, principal: &str) -> impl Iterator<Item = &AllowedKey> {
        let is_of = move |key: &&AllowedKey| key.principals().iter().any(|name| name == principal);
        self.keys.iter().filter(is_of)
    }

    /// The keys with which a principal can sign for that namespace at that time: none, one, or several, and then only the signature tells
    /// with which one it was made.
    pub fn usable_keys_of(&self, principal: &str, namespace: &str, at: Time) -> Vec<&AllowedKey> {
        let usable = |key: &&AllowedKey| key.signs_for(namespace) && key.is_valid(at);
        self.keys_of(principal).filter(usable).collect()
    }

    /// The keys that more than one principal has.
    pub fn shared_keys(&self) -> Vec<SharedKey> {
        let mut shared: Vec<SharedKey> = Vec::new();
        for (index, first) in self.keys.iter().enumerate() {
            let same = |other: &&AllowedKey| other.key() == first.key();
            if self.keys.iter().take(index).any(|before| same(&before)) {
                continue;
            }
            let names: BTreeSet<&String> = self
                .keys
                .iter()
                .filter(same)
                .flat_map(|key| key.principals())
                .collect();
            if names.len() > 1 {
                shared.push(SharedKey {
                    fingerprint: first.key().fingerprint(),
                    principals: names.into_iter().cloned().collect(),
                });
            }
        }
        shared
    }
}

impl AllowedKey {
    /// Its line in the file, from 1.
    pub fn line(&self) -> u64 {
        self.number
    }

    /// Who signs with it.
    pub fn principals(&self) -> &[String] {
        &self.line.principals
    }

    /// The key.
    pub fn key(&self) -> &SignerKey {
        &self.line.key
    }

    /// The patterns of the namespaces that it signs for; `None` for all.
    pub fn namespaces(&self) -> Option<&str> {
        self.line.options.namespaces.as_deref()
    }

    /// From when on it signs.
    pub fn valid_after(&self) -> Option<Time> {
        self.line.options.valid_after
    }

    /// Until when it signs, that second included, as ssh-keygen has it.
    pub fn valid_before(&self) -> Option<Time> {
        self.line.options.valid_before
    }

    /// Whether it signs for that namespace.
    pub fn signs_for(&self, namespace: &str) -> bool {
        self.namespaces().is_none_or(|list| list_matches(list, namespace))
    }

    /// Whether it signs at that time.
    pub fn is_valid(&self, at: Time) -> bool {
        self.valid_after().is_none_or(|after| after <= at)
            && self.valid_before().is_none_or(|before| at <= before)
    }
}
