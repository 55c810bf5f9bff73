//! A zone that becomes secure, and one that becomes insecure.

use key_metadata::timing::{first_ds_interval, publication_interval};
use key_metadata::{Role, Time};

use super::algorithm::KeySet;
use super::draft::{Draft, Wanted};
use super::key::Stage;
use crate::plan::{Act, Actor};
use crate::schedule::KeyIndex;

impl Draft<'_> {
    /// The first signing: keys and signatures together, and the DS once no cache has an answer without them.
    pub fn first_signing(&mut self, keys: &KeySet, begin: Time) -> Time {
        let mut all = keys.anchors.clone();
        all.extend(keys.signers.iter().filter(|key| !keys.anchors.contains(key)));
        let title = "first signing, and the first DS (RFC 6781 4.4.2.1)";
        let rollover = self.rollover(title, Role::Ksk, Vec::new(), all.clone());
        let begin = begin.max(self.now);
        let mut began = begin;
        for key in &all {
            began = self.make(rollover, *key, begin, Actor::Person).max(began);
        }
        let mut publish: Vec<_> = all.iter().map(|key| (*key, Stage::Published)).collect();
        // A CSK is active when its DS is there: CDS would name one that is, and the parent take it at once.
        publish.extend(keys.signers.iter().map(|key| match keys.anchors.contains(key) {
            true => (*key, Stage::PreActive),
            false => (*key, Stage::Active),
        }));
        self.step(Wanted::new(rollover, Act::Publish, Actor::Tool, publish, began));
        let known = self.since_first(
            &keys.anchors,
            Stage::Published,
            publication_interval(self.figures),
        );
        let signs = |key: &KeyIndex| keys.anchors.contains(key);
        let stage = match keys.signers.iter().any(signs) {
            true => Stage::PreActive,
            false => Stage::Active,
        };
        let signed = self.since_first(&keys.signers, stage, first_ds_interval(self.figures));
        let ideal = known.from;
        let submit: Vec<_> = keys.anchors.iter().map(|key| (*key, Stage::Submitted)).collect();
        self.step(
            Wanted::new(rollover, Act::Submit, Actor::Person, submit, ideal)
                .after(known)
                .after(signed)
                .without_return("from here on validators ask for signatures: without them, or with the wrong ones, names are gone"),
        );
        let mut seen = self.now;
        for key in &keys.anchors {
            seen = self.see_ds(rollover, *key).max(seen);
        }
        let active: Vec<_> = keys.anchors.iter().map(|key| (*key, Stage::Active)).collect();
        self.step(Wanted::new(rollover, Act::Activate, Actor::Tool, active, seen));
        began
    }

    /// The DS goes, and when no cache has it, keys and signatures (U1); where none was given to the parent, these go at once.
    pub fn insecure(&mut self, keys: &KeySet, begin: Time) -> Time {
        let mut all = keys.anchors.clone();
        all.extend(keys.signers.iter().filter(|key| !keys.anchors.contains(key)));
        let title = "going insecure (RFC 6781 4.4.2.2, RFC 8078 4)";
        let rollover = self.rollover(title, Role::Ksk, all.clone(), Vec::new());
        let has_ds = |key: &KeyIndex| self.key(*key).is(Stage::Submitted) || self.key(*key).is(Stage::Active);
        let with_ds: Vec<_> = keys.anchors.iter().copied().filter(has_ds).collect();
        let mut began = begin.max(self.now);
        let gone = all.iter().map(|key| (*key, Stage::Removed)).collect();
        let mut remove = Wanted::new(rollover, Act::Remove, Actor::Tool, gone, began);
        if !with_ds.is_empty() {
            let ask = with_ds.iter().map(|key| (*key, Stage::DsWithdrawn)).collect();
            began = self.step(Wanted::new(rollover, Act::GoInsecure, Actor::Person, ask, began));
            for key in &with_ds {
                self.see_no_ds(rollover, *key);
            }
            let waits = self.ds_forgotten(&with_ds);
            remove.ideal = waits.from;
            remove = remove.after(waits);
        }
        self.step(remove.without_return("the zone is unsigned: to be secure again is a first signing"));
        for key in &all {
            self.destroy(rollover, *key);
        }
        began
    }
}
