//! Tokens that failed, and are not asked again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use cli::Failure;
use key_metadata::TokenName;

/// Tokens that are not asked again, and why: they would be as slow to fail, or lock.
#[derive(Debug, Default)]
pub struct Down {
    known: BTreeMap<TokenName, Failure>,
    found: Mutex<BTreeMap<TokenName, Failure>>,
}

impl Down {
    /// Those that are known to be, from the start.
    pub fn new(known: BTreeMap<TokenName, Failure>) -> Self {
        Self {
            known,
            found: Mutex::default(),
        }
    }

    /// Why a token is not asked.
    pub fn why(&self, token: &TokenName) -> Option<Failure> {
        let known = self.known.get(token).cloned();
        known.or_else(|| self.found().get(token).cloned())
    }

    /// A token failed.
    pub fn note(&self, token: &TokenName, failure: &Failure) {
        if !self.known.contains_key(token) {
            self.found()
                .entry(token.clone())
                .or_insert_with(|| failure.clone());
        }
    }

    /// Whether one failed since the start.
    pub fn has_more(&self) -> bool {
        !self.found().is_empty()
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<TokenName, Failure>> {
        match self.found.lock() {
            Ok(guard) => guard,
            // What it holds is whole at each moment.
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}
