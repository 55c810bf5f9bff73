//! Algorithm rollovers, of KSK and ZSK together or of a CSK (RFC 6781 4.1.4).

use key_metadata::Role;
use key_metadata::Time;
use key_metadata::timing::{
    a1_liberal_interval, a1_signature_interval, a2_publication_interval, a4_withdrawal_interval,
};

use super::draft::{Draft, Wanted};
use super::key::Stage;
use crate::plan::{Act, Actor};
use crate::schedule::KeyIndex;

/// The keys of an algorithm: those that the DS names, and those that sign the zone. A CSK is in both.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// KSKs or CSKs.
    pub anchors: Vec<KeyIndex>,
    /// ZSKs or CSKs.
    pub signers: Vec<KeyIndex>,
}

impl KeySet {
    fn all(&self) -> Vec<KeyIndex> {
        let mut all = self.anchors.clone();
        all.extend(self.signers.iter().filter(|key| !self.anchors.contains(key)));
        all
    }

    fn with(keys: &[KeyIndex], stages: &[Stage]) -> Vec<(KeyIndex, Stage)> {
        keys.iter()
            .flat_map(|key| stages.iter().map(move |stage| (*key, *stage)))
            .collect()
    }
}

impl Draft<'_> {
    /// The conservative way: signatures before keys, keys after signatures, so that no cache ever has a key without its signatures. Keys of the
    /// old algorithm that wait to be used go with it.
    pub fn algorithm_conservative(
        &mut self,
        old: &KeySet,
        new: &KeySet,
        waiting: &[KeyIndex],
        begin: Time,
    ) -> Time {
        let title = "algorithm rollover, conservative (RFC 6781 4.1.4)";
        let rollover = self.rollover(title, Role::Ksk, old.all(), new.all());
        let began = self.make_all(rollover, new, begin);
        let signs = KeySet::with(&new.signers, &[Stage::PreActive]);
        self.step(Wanted::new(rollover, Act::PreActivate, Actor::Tool, signs, began));
        let mut keys = KeySet::with(&new.anchors, &[Stage::Published]);
        keys.extend(KeySet::with(&new.signers, &[Stage::Published]));
        keys.sort_unstable();
        keys.dedup();
        let waits = self.since_first(
            &new.signers,
            Stage::PreActive,
            a1_signature_interval(self.figures),
        );
        let ideal = waits.from;
        self.step(Wanted::new(rollover, Act::Publish, Actor::Tool, keys, ideal).after(waits));
        let known = a2_publication_interval(self.figures).preceded_by("Dsgn", &self.figures.dsgn);
        let waits = self.since_first(&new.anchors, Stage::Published, known);
        self.swap_ds(rollover, old, new, waits);
        let waits = self.ds_forgotten(&old.anchors);
        let ideal = waits.from;
        let mut keys = KeySet::with(waiting, &[Stage::Removed]);
        keys.extend(KeySet::with(&old.signers, &[Stage::PostActive]));
        keys.extend(
            old.anchors
                .iter()
                .filter(|key| !old.signers.contains(key))
                .map(|key| (*key, Stage::Removed)),
        );
        self.step(
            Wanted::new(rollover, Act::Withdraw, Actor::Tool, keys, ideal)
                .after(waits)
                .without_return(
                    "the old algorithm's DNSKEYs are out of the zone: to go back to it is a whole rollover",
                ),
        );
        let forgotten = a4_withdrawal_interval(self.figures).preceded_by("Dsgn", &self.figures.dsgn);
        let waits = self.since_first(&old.signers, Stage::PostActive, forgotten);
        let ideal = waits.from;
        let keys = KeySet::with(&old.signers, &[Stage::Removed]);
        self.step(Wanted::new(rollover, Act::Remove, Actor::Tool, keys, ideal).after(waits));
        for key in old.all() {
            self.destroy(rollover, key);
        }
        began
    }

    /// The liberal way: signatures and keys come together and go together.
    pub fn algorithm_liberal(
        &mut self,
        old: &KeySet,
        new: &KeySet,
        waiting: &[KeyIndex],
        begin: Time,
    ) -> Time {
        let title = "algorithm rollover, liberal (RFC 6781 4.1.4)";
        let rollover = self.rollover(title, Role::Ksk, old.all(), new.all());
        let began = self.make_all(rollover, new, begin);
        // What signs comes first: the records take no DNSKEY of an algorithm that signs nothing.
        let mut keys = KeySet::with(&new.signers, &[Stage::PreActive, Stage::Published]);
        let anchors = new.anchors.iter().filter(|key| !new.signers.contains(key));
        keys.extend(anchors.map(|key| (*key, Stage::Published)));
        self.step(Wanted::new(rollover, Act::Publish, Actor::Tool, keys, began));
        let waits = self.since_first(&new.anchors, Stage::Published, a1_liberal_interval(self.figures));
        self.swap_ds(rollover, old, new, waits);
        let waits = self.ds_forgotten(&old.anchors);
        let ideal = waits.from;
        let mut keys = KeySet::with(&old.signers, &[Stage::Removed]);
        keys.extend(KeySet::with(&old.anchors, &[Stage::Removed]));
        keys.extend(KeySet::with(waiting, &[Stage::Removed]));
        keys.sort_unstable();
        keys.dedup();
        self.step(
            Wanted::new(rollover, Act::Remove, Actor::Tool, keys, ideal)
                .after(waits)
                .without_return("the old algorithm is out of the zone: to go back to it is a whole rollover"),
        );
        for key in old.all() {
            self.destroy(rollover, key);
        }
        began
    }

    /// The new keys' DS comes, and once it is seen the old ones' goes.
    fn swap_ds(&mut self, rollover: usize, old: &KeySet, new: &KeySet, waits: crate::plan::WaitedFor) {
        let ideal = waits.from;
        let mut submit = KeySet::with(&new.anchors, &[Stage::Submitted]);
        submit.extend(self.zone_signers(new).into_iter().map(|key| (key, Stage::Active)));
        self.step(Wanted::new(rollover, Act::Submit, Actor::Person, submit, ideal).after(waits));
        let mut seen = self.now;
        for key in &new.anchors {
            seen = self.see_ds(rollover, *key).max(seen);
        }
        let mut swap = KeySet::with(&new.anchors, &[Stage::Active]);
        for key in &old.anchors {
            // A CSK of the old algorithm signs on until its DNSKEY has left the caches.
            if !old.signers.contains(key) {
                swap.push((*key, Stage::Retired));
            }
            swap.push((*key, Stage::DsWithdrawn));
        }
        self.step(Wanted::new(rollover, Act::Activate, Actor::Person, swap, seen));
        for key in &old.anchors {
            self.see_no_ds(rollover, *key);
        }
    }

    fn make_all(&mut self, rollover: usize, new: &KeySet, begin: Time) -> Time {
        let begin = begin.max(self.now);
        new.all()
            .into_iter()
            .map(|key| self.make(rollover, key, begin, Actor::Person))
            .max()
            .map_or(begin, |began| began)
    }

    /// ZSKs; a CSK takes over when its DS is seen.
    fn zone_signers(&self, keys: &KeySet) -> Vec<KeyIndex> {
        let only_zone = |key: &&KeyIndex| !keys.anchors.contains(*key);
        keys.signers.iter().filter(only_zone).copied().collect()
    }

    /// A wait since something happened to the last of these keys.
    pub fn since_first(
        &self,
        keys: &[KeyIndex],
        stage: Stage,
        wait: key_metadata::timing::Wait,
    ) -> crate::plan::WaitedFor {
        let last = keys.iter().copied().max_by_key(|key| self.at(*key, stage));
        match last {
            Some(key) => self.since(key, stage, wait),
            None => Draft::due(
                "now",
                key_metadata::timing::Due {
                    since: self.now,
                    wait,
                },
            ),
        }
    }
}
