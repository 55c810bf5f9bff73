//! The way back from a rollover whose new key has not taken over: it leaves again, in the order in which nothing in any cache needs it any more.

use key_metadata::timing::{a4_withdrawal_interval, registration_delay, retire_interval};
use key_metadata::{Role, Time};

use super::draft::{Draft, Wanted};
use super::key::Stage;
use crate::plan::{Act, Actor};
use crate::schedule::KeyIndex;

impl Draft<'_> {
    /// Lets keys that have not taken over leave.
    pub fn abandon(&mut self, keys: &[KeyIndex]) {
        let title = "back: the keys that have not taken over leave again";
        let rollover = self.rollover(title, Role::Ksk, keys.to_vec(), Vec::new());
        let mut free = self.now;
        for key in keys {
            if self.key(*key).is(Stage::Submitted) {
                free = self.ds_leaves(rollover, *key).max(free);
            }
        }
        // Of an algorithm that comes in: first the DNSKEYs, then the signatures that go with them (A4, A5).
        let signing: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| self.key(*key).is(Stage::PreActive))
            .collect();
        let published = keys
            .iter()
            .copied()
            .filter(|key| self.key(*key).is(Stage::Published));
        let mut changes: Vec<_> = published
            .map(|key| match signing.contains(&key) {
                true => (key, Stage::PostActive),
                false => (key, Stage::Removed),
            })
            .collect();
        changes.sort_unstable();
        let left = match changes.is_empty() {
            true => free,
            false => self.step(Wanted::new(rollover, Act::Remove, Actor::Tool, changes, free)),
        };
        self.stop_signing(rollover, &signing, left);
        for key in keys {
            if self.key(*key).is(Stage::Removed) {
                self.destroy(rollover, *key);
            }
        }
    }

    /// A DS is taken out again; tells when no cache has it.
    fn ds_leaves(&mut self, rollover: usize, key: KeyIndex) -> Time {
        let asked = self.step(Wanted::new(
            rollover,
            Act::AskForNoDs,
            Actor::Person,
            vec![(key, Stage::DsWithdrawn)],
            self.now,
        ));
        self.see_no_ds(rollover, key);
        // Where the DS has not come yet, it may come until the registration delay of its submission is over.
        let submitted = registration_delay(self.figures).from(self.at(key, Stage::Submitted));
        retire_interval(self.figures, Role::Ksk)
            .from(asked)
            .max(submitted)
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
