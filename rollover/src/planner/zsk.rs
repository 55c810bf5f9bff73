//! Zone signing keys.

use key_metadata::timing::{publication_interval, retire_interval, z4_retire_interval};
use key_metadata::{Role, Time};

use super::draft::{Draft, Wanted};
use super::key::Stage;
use crate::plan::{Act, Actor, WaitedFor};
use crate::schedule::KeyIndex;

const GONE: &str = "the key's DNSKEY is out of the zone: to go back to it is a whole rollover";

impl Draft<'_> {
    /// A rollover by pre-publication (RFC 7583 3.2.1): the new key takes over at `target` where it can, and is published `early` or as late as
    /// it may be.
    pub fn pre_publication(
        &mut self,
        (old, new): (KeyIndex, KeyIndex),
        target: Time,
        early: Option<Time>,
    ) -> Time {
        let title = "ZSK rollover, pre-publication (RFC 7583 3.2.1)";
        let rollover = self.rollover(title, Role::Zsk, vec![old], vec![new]);
        let ipub = publication_interval(self.figures);
        let publish = early.map_or(target.before(ipub.total()), |early| early);
        let latest = target.before(ipub.total());
        let why = "the key that is in use would outlive its lifetime";
        let began = self.make(rollover, new, publish, Actor::Tool);
        self.step(
            Wanted::new(
                rollover,
                Act::Publish,
                Actor::Tool,
                vec![(new, Stage::Published)],
                publish,
            )
            .by(latest, why),
        );
        let waits = self.since(new, Stage::Published, ipub);
        self.step(
            Wanted::new(
                rollover,
                Act::Activate,
                Actor::Tool,
                vec![(new, Stage::Active), (old, Stage::Retired)],
                target,
            )
            .after(waits),
        );
        let waits = self.since(old, Stage::Retired, retire_interval(self.figures, Role::Zsk));
        self.leave(rollover, old, vec![waits]);
        began
    }

    /// A rollover by double signatures (RFC 7583 3.2.2): both sign until the old one goes.
    pub fn double_signature(&mut self, (old, new): (KeyIndex, KeyIndex), target: Time) -> Time {
        let title = "ZSK rollover, double-signature (RFC 7583 3.2.2)";
        let rollover = self.rollover(title, Role::Zsk, vec![old], vec![new]);
        let began = self.make(rollover, new, target, Actor::Tool);
        let both = vec![(new, Stage::PreActive), (new, Stage::Published)];
        self.step(
            Wanted::new(rollover, Act::Publish, Actor::Tool, both, target)
                .by(target, "the key that is in use would outlive its lifetime"),
        );
        let signed = self.since(new, Stage::Published, z4_retire_interval(self.figures));
        let known = self.since(new, Stage::Published, publication_interval(self.figures));
        let ideal = signed.from;
        let swap = vec![(new, Stage::Active), (old, Stage::Removed)];
        self.step(
            Wanted::new(rollover, Act::Activate, Actor::Tool, swap, ideal)
                .after(signed)
                .after(known)
                .without_return(GONE),
        );
        self.destroy(rollover, old);
        began
    }

    /// Has a key made, where it is not there; tells when the rollover begins.
    pub fn make(&mut self, rollover: usize, key: KeyIndex, ideal: Time, actor: Actor) -> Time {
        let wanted = Wanted::new(
            rollover,
            Act::Generate,
            actor,
            vec![(key, Stage::Generated)],
            ideal,
        );
        self.step(wanted.by(ideal, "its publication waits for it"))
            .max(ideal)
    }

    /// The DNSKEY of a key that nothing needs any more goes, and its private part after it.
    pub fn leave(&mut self, rollover: usize, key: KeyIndex, waits: Vec<WaitedFor>) {
        let ideal = waits
            .iter()
            .map(|wait| wait.from)
            .max()
            .map_or(self.now, |from| from);
        let changes = vec![(key, Stage::Removed)];
        let mut wanted = Wanted::new(rollover, Act::Remove, Actor::Tool, changes, ideal).without_return(GONE);
        wanted.waits = waits;
        self.step(wanted);
        self.destroy(rollover, key);
    }

    /// A key's private part goes once no cache has its DNSKEY: nobody can take it for a key of the zone. Nor is it gone while a cache may have its
    /// DS: it is what could serve that.
    pub fn destroy(&mut self, rollover: usize, key: KeyIndex) {
        let mut waits = self.since(key, Stage::Removed, publication_interval(self.figures));
        if self.key(key).is(Stage::DsWithdrawn) {
            let ds = self.ds_forgotten(&[key]);
            if ds.until > waits.until {
                waits = ds;
            }
        }
        let ideal = waits.from;
        let changes = vec![(key, Stage::Destroyed)];
        self.step(Wanted::new(rollover, Act::Destroy, Actor::Person, changes, ideal).after(waits));
    }

    /// Keys that left the zone by no rollover of this plan come to their end: of one that came to its own, or was gone back from.
    pub fn clear(&mut self) {
        let left = self.keys_where(|key| key.is(Stage::Removed) && !key.is(Stage::Destroyed));
        let Some(role) = left.first().map(|key| self.key(*key).role) else {
            return;
        };
        let rollover = self.rollover(
            "keys that are out of the zone are destroyed",
            role,
            left.clone(),
            Vec::new(),
        );
        for key in left {
            if self.key(key).is(Stage::DsWithdrawn) {
                self.see_no_ds(rollover, key);
            }
            self.destroy(rollover, key);
        }
    }
}
