//! Key signing keys and combined signing keys.

use key_metadata::timing::{
    Due, Figure, Wait, d1_publication_interval, d3_retire_interval, k3_retire_interval, publication_interval,
    r1_publication_interval, registration_delay, remove_hold_down, retire_interval, t3_add_wait,
};
use key_metadata::{Role, Time};

use super::draft::{Draft, Wanted};
use super::key::Stage;
use crate::plan::{Act, Actor, WaitedFor};
use crate::schedule::KeyIndex;

const OUTLIVES: &str = "the key that is in use would outlive its lifetime";

/// The validators that follow the zone's keys by RFC 5011, for a planner.
#[derive(Clone, Debug)]
pub enum Followers {
    /// There are none.
    None,
    /// There are some; the RRSIGs of the DNSKEY RRset are valid for that long.
    Rfc5011 {
        /// From signing to expiration.
        validity: Figure,
    },
}

impl Draft<'_> {
    /// A rollover by double-KSK (RFC 7583 3.3.1), or that of a CSK whose successor is published before it signs: the new key takes over at
    /// `target` where it can.
    pub fn double_ksk(
        &mut self,
        (old, new): (KeyIndex, KeyIndex),
        target: Time,
        early: Option<Time>,
        followers: &Followers,
    ) -> Time {
        let role = self.key(new).role;
        let title = match role {
            Role::Csk => "CSK rollover, pre-publication (RFC 7583 3.2.1, 3.3.1)",
            Role::Ksk | Role::Zsk => "KSK rollover, double-KSK (RFC 7583 3.3.1)",
        };
        let rollover = self.rollover(title, role, vec![old], vec![new]);
        let (ipub, dreg) = (
            publication_interval(self.figures),
            registration_delay(self.figures),
        );
        let submit = target.before(dreg.total());
        let latest = submit.before(ipub.total());
        let publish = early.map_or(latest, |early| early);
        let began = self.make(rollover, new, publish, Actor::Person);
        self.step(
            Wanted::new(
                rollover,
                Act::Publish,
                Actor::Tool,
                vec![(new, Stage::Published)],
                publish,
            )
            .by(latest, OUTLIVES),
        );
        let waits = self.since(new, Stage::Published, ipub);
        self.step(
            Wanted::new(
                rollover,
                Act::Submit,
                Actor::Person,
                vec![(new, Stage::Submitted)],
                submit,
            )
            .after(waits)
            .by(submit, OUTLIVES),
        );
        self.see_ds(rollover, new);
        let swap = vec![
            (new, Stage::Active),
            (old, Stage::Retired),
            (old, Stage::DsWithdrawn),
        ];
        let ideal = target.max(self.at(new, Stage::Registered));
        self.step(Wanted::new(rollover, Act::Activate, Actor::Person, swap, ideal));
        self.see_no_ds(rollover, old);
        let mut gone = vec![self.ds_forgotten(&[old])];
        if role.signs_zone() {
            gone.push(self.since(old, Stage::Retired, retire_interval(self.figures, Role::Zsk)));
        }
        self.ksk_leaves(rollover, (old, new), gone, followers);
        began
    }

    /// A rollover by double-DS (RFC 7583 3.3.2): the new DS stands beside the old one, then the keys are swapped at `target` where they can be.
    pub fn double_ds(&mut self, (old, new): (KeyIndex, KeyIndex), target: Time) -> Time {
        let title = "KSK rollover, double-DS (RFC 7583 3.3.2)";
        let rollover = self.rollover(title, Role::Ksk, vec![old], vec![new]);
        let known = d1_publication_interval(self.figures).preceded_by("Dreg", &self.figures.dreg);
        let submit = target.before(known.total());
        let began = self.make(rollover, new, submit, Actor::Person);
        self.step(
            Wanted::new(
                rollover,
                Act::Submit,
                Actor::Person,
                vec![(new, Stage::Submitted)],
                submit,
            )
            .by(submit, OUTLIVES),
        );
        self.see_ds(rollover, new);
        let known = self.since(new, Stage::Registered, d1_publication_interval(self.figures));
        let everywhere = self.since(new, Stage::Registered, k3_retire_interval(self.figures));
        let swap = vec![
            (new, Stage::Published),
            (new, Stage::Active),
            (old, Stage::PostActive),
        ];
        let ideal = target.max(self.at(new, Stage::Registered));
        self.step(
            Wanted::new(rollover, Act::Activate, Actor::Tool, swap, ideal)
                .after(known)
                .after(everywhere),
        );
        let forgotten = d3_retire_interval(self.figures).preceded_by("Dsgn", &self.figures.dsgn);
        let waits = self.since(old, Stage::PostActive, forgotten);
        let ideal = waits.from;
        let out = vec![(old, Stage::Removed), (old, Stage::DsWithdrawn)];
        self.step(
            Wanted::new(rollover, Act::AskForNoDs, Actor::Person, out, ideal)
                .after(waits)
                .without_return(
                    "DNSKEY and DS of the old key are gone: to go back to it is a whole rollover",
                ),
        );
        self.see_no_ds(rollover, old);
        self.destroy(rollover, old);
        began
    }

    /// A rollover by double-RRset (RFC 7583 3.3.3): DNSKEY and DS come together and go together.
    pub fn double_rrset(&mut self, (old, new): (KeyIndex, KeyIndex), target: Time) -> Time {
        let title = "KSK rollover, double-RRset (RFC 7583 3.3.3)";
        let rollover = self.rollover(title, Role::Ksk, vec![old], vec![new]);
        let known = r1_publication_interval(self.figures).or_longer(publication_interval(self.figures));
        let publish = target.before(known.total());
        let began = self.make(rollover, new, publish, Actor::Person);
        // Submitted first: the records take a DS without its DNSKEY, and not one whose DNSKEY is just coming.
        let both = vec![(new, Stage::Submitted), (new, Stage::Published)];
        self.step(Wanted::new(rollover, Act::Submit, Actor::Person, both, publish).by(publish, OUTLIVES));
        self.see_ds(rollover, new);
        let ds = self.since(new, Stage::Registered, d1_publication_interval(self.figures));
        let dnskey = self.since(new, Stage::Published, publication_interval(self.figures));
        let everywhere = self.since(new, Stage::Registered, k3_retire_interval(self.figures));
        let swap = vec![
            (new, Stage::Active),
            (old, Stage::Removed),
            (old, Stage::DsWithdrawn),
        ];
        let ideal = target.max(self.at(new, Stage::Registered));
        self.step(
            Wanted::new(rollover, Act::Activate, Actor::Person, swap, ideal)
                .after(ds)
                .after(dnskey)
                .after(everywhere)
                .without_return(
                    "DNSKEY and DS of the old key are gone: to go back to it is a whole rollover",
                ),
        );
        self.see_no_ds(rollover, old);
        self.destroy(rollover, old);
        began
    }

    /// A key's DS is seen at the parent: at the latest when the registration delay is over.
    pub fn see_ds(&mut self, rollover: usize, key: KeyIndex) -> Time {
        let waits = self.since(key, Stage::Submitted, registration_delay(self.figures));
        let ideal = waits.from;
        self.step(
            Wanted::new(
                rollover,
                Act::SeeDs,
                Actor::Observation,
                vec![(key, Stage::Registered)],
                ideal,
            )
            .after(waits),
        )
    }

    /// It is seen there no more.
    pub fn see_no_ds(&mut self, rollover: usize, key: KeyIndex) -> Time {
        let waits = self.since(key, Stage::DsWithdrawn, registration_delay(self.figures));
        let ideal = waits.from;
        self.step(
            Wanted::new(
                rollover,
                Act::SeeNoDs,
                Actor::Observation,
                vec![(key, Stage::DsGone)],
                ideal,
            )
            .after(waits),
        )
    }

    /// Until no cache has a DS of these keys, of which the last was seen gone, or is to be. Of one that was not seen before, it may come until
    /// the registration delay of its submission is over.
    pub fn ds_forgotten(&self, keys: &[KeyIndex]) -> WaitedFor {
        let gone = self.since_first(keys, Stage::DsGone, k3_retire_interval(self.figures));
        let on_its_way = keys.iter().filter(|key| {
            let key = self.key(**key);
            key.is(Stage::Submitted) && !key.is(Stage::Registered)
        });
        let come = on_its_way
            .map(|key| self.since(*key, Stage::Submitted, retire_interval(self.figures, Role::Ksk)));
        come.filter(|come| come.until > gone.until)
            .max_by_key(|come| come.until)
            .map_or(gone, |come| come)
    }

    /// A KSK that no DS names any more leaves, revoked before where validators follow it.
    fn ksk_leaves(
        &mut self,
        rollover: usize,
        (old, new): (KeyIndex, KeyIndex),
        gone: Vec<WaitedFor>,
        followers: &Followers,
    ) {
        let Followers::Rfc5011 { validity } = followers else {
            self.leave(rollover, old, gone);
            return;
        };
        // The new key is in every server's zone one signing and one propagation after its publication.
        let wait = t3_add_wait(self.figures, validity).preceded_by("Dprp", &self.figures.dprp);
        let trusted = self.since(
            new,
            Stage::Published,
            wait.preceded_by("Dsgn", &self.figures.dsgn),
        );
        let mut wanted = Wanted::new(
            rollover,
            Act::Revoke,
            Actor::Tool,
            vec![(old, Stage::Revoked)],
            trusted.from,
        );
        wanted.waits = gone;
        self.step(
            wanted
                .after(trusted)
                .without_return("no validator that saw a key revoked trusts it again (RFC 5011 2.1)"),
        );
        let seen: Wait = remove_hold_down().preceded_by("Dsgn", &self.figures.dsgn);
        let waits = Draft::due(
            format!("{} was revoked", self.key(old).label),
            Due {
                since: self.at(old, Stage::Revoked),
                wait: seen,
            },
        );
        self.leave(rollover, old, vec![waits]);
    }
}
