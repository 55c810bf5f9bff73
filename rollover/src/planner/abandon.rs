//! The way back from a rollover whose new key has not taken over: it leaves again, in the order in which nothing in any cache needs it any more.

use key_metadata::timing::a4_withdrawal_interval;
use key_metadata::{Role, Time};

use super::draft::{Draft, Wanted};
use super::key::{PlannedKey, Stage};
use crate::plan::{Act, Actor, WaitedFor};
use crate::schedule::KeyIndex;

impl Draft<'_> {
    /// Lets keys that have not taken over leave.
    pub fn abandon(&mut self, keys: &[KeyIndex]) {
        let title = "back: the keys that have not taken over leave again";
        let rollover = self.rollover(title, Role::Ksk, keys.to_vec(), Vec::new());
        let mut waits = Vec::new();
        for key in keys {
            if self.key(*key).is(Stage::Submitted) {
                waits.extend(self.ds_leaves(rollover, *key));
            }
        }
        // Of an algorithm that comes in: first the DNSKEYs, then the signatures that go with them (A4, A5).
        let signing: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| self.signs_alone(*key))
            .collect();
        let leaves = |key: &KeyIndex| self.key(*key).is(Stage::Published);
        let mut changes: Vec<_> = keys
            .iter()
            .copied()
            .filter(leaves)
            .map(|key| match signing.contains(&key) {
                true => (key, Stage::PostActive),
                false => (key, Stage::Removed),
            })
            .collect();
        changes.sort_unstable();
        let left = match changes.is_empty() {
            true => self.now,
            false => {
                let mut wanted = Wanted::new(rollover, Act::Remove, Actor::Tool, changes, self.now);
                wanted.waits = waits;
                self.step(wanted)
            }
        };
        self.stop_signing(rollover, &signing, left);
        for key in keys {
            if self.key(*key).is(Stage::Removed) {
                self.destroy(rollover, *key);
            }
        }
    }

    /// Whether it signs the zone, and no key that stays does by its algorithm.
    fn signs_alone(&self, key: KeyIndex) -> bool {
        let key = self.key(key);
        let stays = |other: &PlannedKey| {
            other.algorithm == key.algorithm
                && other.role.signs_zone()
                && other.is(Stage::Active)
                && other.is_in_use()
        };
        let signs = key.is(Stage::PreActive) && key.role.signs_zone();
        signs
            && self
                .keys_where(|other| other.label != key.label && stays(other))
                .is_empty()
    }

    /// A DS is taken out again; tells until when a cache may have it. That of a key which has no DNSKEY in the zone takes the key with it.
    fn ds_leaves(&mut self, rollover: usize, key: KeyIndex) -> Option<WaitedFor> {
        let mut asked = vec![(key, Stage::DsWithdrawn)];
        let is_published = self.key(key).is(Stage::Published);
        if !is_published {
            asked.push((key, Stage::Removed));
        }
        self.step(Wanted::new(
            rollover,
            Act::AskForNoDs,
            Actor::Person,
            asked,
            self.now,
        ));
        self.see_no_ds(rollover, key);
        is_published.then(|| self.ds_forgotten(&[key]))
    }

    fn stop_signing(&mut self, rollover: usize, keys: &[KeyIndex], left: Time) {
        if keys.is_empty() {
            return;
        }
        let changes = keys.iter().map(|key| (*key, Stage::Removed)).collect();
        let mut wanted = Wanted::new(rollover, Act::Remove, Actor::Tool, changes, left);
        if keys.iter().any(|key| self.key(*key).is(Stage::PostActive)) {
            let forgotten = a4_withdrawal_interval(self.figures).preceded_by("Dsgn", &self.figures.dsgn);
            wanted = wanted.after(self.since_first(keys, Stage::PostActive, forgotten));
        }
        self.step(wanted);
    }
}
