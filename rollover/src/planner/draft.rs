//! A plan in the making: steps are added in the order of a method, and those that were taken already are passed over.

use key_metadata::timing::{Due, Figures, Wait};
use key_metadata::{Algorithm, Role, Span, Time, ZoneName};

use super::key::{PlannedKey, Stage, Stamp};
use crate::plan::{Act, Actor, Deadline, PlannedStep, Rollover, WaitedFor};
use crate::schedule::{CauseIndex, KeyIndex};

/// What is planned so far.
pub struct Draft<'a> {
    /// The zone.
    pub zone: &'a ZoneName,
    /// The figures that waits are made of.
    pub figures: &'a Figures,
    /// When it is made: no step is planned before it.
    pub now: Time,
    /// When nothing can be done.
    pub outages: Vec<(Time, Time)>,
    /// When the DNSKEY RRset cannot be signed, its key being lost.
    pub unsigned: Option<(Time, Time)>,
    /// The keys.
    pub keys: Vec<PlannedKey>,
    /// What makes the changes.
    pub causes: Vec<String>,
    /// The rollovers.
    pub rollovers: Vec<Rollover>,
    /// The steps, in no order.
    pub steps: Vec<PlannedStep>,
}

/// A step to be added.
pub struct Wanted {
    /// The rollover that it belongs to.
    pub rollover: usize,
    /// What is done.
    pub act: Act,
    /// Who does it.
    pub actor: Actor,
    /// What happens to which keys.
    pub changes: Vec<(KeyIndex, Stage)>,
    /// When it would be best.
    pub ideal: Time,
    /// What it waits for.
    pub waits: Vec<WaitedFor>,
    /// Until when it must be done.
    pub latest: Option<Deadline>,
    /// Why there is no way back from it.
    pub no_return: Option<&'static str>,
}

impl Wanted {
    /// A step that waits for nothing.
    pub const fn new(
        rollover: usize,
        act: Act,
        actor: Actor,
        changes: Vec<(KeyIndex, Stage)>,
        ideal: Time,
    ) -> Self {
        Self {
            rollover,
            act,
            actor,
            changes,
            ideal,
            waits: Vec::new(),
            latest: None,
            no_return: None,
        }
    }

    /// It also waits for that.
    #[must_use]
    pub fn after(mut self, wait: WaitedFor) -> Self {
        self.waits.push(wait);
        self
    }

    /// It must be done by then.
    #[must_use]
    pub fn by(mut self, at: Time, why: impl Into<String>) -> Self {
        self.latest = Some(Deadline { at, why: why.into() });
        self
    }

    /// There is no way back from it.
    #[must_use]
    pub const fn without_return(mut self, why: &'static str) -> Self {
        self.no_return = Some(why);
        self
    }
}

impl Draft<'_> {
    /// A key.
    pub fn key(&self, key: KeyIndex) -> &PlannedKey {
        // Indices come from this draft alone.
        &self.keys[key.0]
    }

    /// When that happened to a key, or is planned to; now, where neither.
    pub fn at(&self, key: KeyIndex, stage: Stage) -> Time {
        self.key(key).at(stage).map_or(self.now, |at| at)
    }

    /// The keys of that role that fit.
    pub fn keys_where(&self, fits: impl Fn(&PlannedKey) -> bool) -> Vec<KeyIndex> {
        let places = self.keys.iter().enumerate();
        places
            .filter(|(_, key)| fits(key))
            .map(|(place, _)| KeyIndex(place))
            .collect()
    }

    /// Begins a rollover.
    pub fn rollover(
        &mut self,
        title: impl Into<String>,
        role: Role,
        from: Vec<KeyIndex>,
        to: Vec<KeyIndex>,
    ) -> usize {
        let number = self.rollovers.len() + 1;
        self.rollovers.push(Rollover {
            number,
            title: title.into(),
            role,
            from,
            to,
        });
        number
    }

    /// A wait since something happened to a key.
    pub fn since(&self, key: KeyIndex, stage: Stage, wait: Wait) -> WaitedFor {
        let since = format!("{} {}", self.key(key).label, stage.happened());
        let from = self.at(key, stage).after(self.lateness(key, stage));
        let until = wait.from(from);
        WaitedFor {
            since,
            from,
            wait,
            until,
        }
    }

    /// How much later than `Dsgn` after a step the zone had it: when an outage came between.
    fn lateness(&self, key: KeyIndex, stage: Stage) -> Span {
        let stamp = self.key(key).stamp(stage);
        let late = stamp.and_then(|Stamp { at, by, .. }| {
            let by = by.filter(|_| stage.is_of_zone())?;
            Some(by.since(at.after(self.figures.dsgn.span)))
        });
        late.map_or(Span::from_seconds(0), |late| late)
    }

    /// A wait that is told with its beginning.
    pub fn due(since: impl Into<String>, due: Due) -> WaitedFor {
        WaitedFor {
            since: since.into(),
            from: due.since,
            until: due.at(),
            wait: due.wait,
        }
    }

    /// Adds a step, and tells when it is: when it was taken, where all of it was. What was done of it already is left out.
    pub fn step(&mut self, wanted: Wanted) -> Time {
        let done: Vec<_> = wanted
            .changes
            .iter()
            .filter_map(|(key, stage)| self.key(*key).at(*stage))
            .collect();
        let changes: Vec<_> = wanted
            .changes
            .iter()
            .filter(|(key, stage)| !self.key(*key).is(*stage))
            .copied()
            .collect();
        if changes.is_empty() {
            return done.into_iter().max().map_or(wanted.ideal, |at| at);
        }
        let waited = wanted.waits.iter().map(|wait| wait.until).max();
        let earliest = waited
            .map_or(wanted.ideal, |waited| waited.max(wanted.ideal))
            .max(self.now);
        let at = self.past_outages(earliest);
        let mut keys: Vec<_> = changes.iter().map(|(key, _)| *key).collect();
        keys.dedup();
        let cause = self.cause(wanted.act, &keys);
        for (key, stage) in &changes {
            let by = stage.signed_late(at, self.figures, &self.outages);
            let stamp = Stamp {
                from: at,
                at,
                by,
                cause,
            };
            let stamp = match self.unsigned {
                Some(unsigned) if stage.is_of_dnskey() => stamp.unsigned(self.figures, unsigned),
                Some(_) | None => stamp,
            };
            self.keys[key.0].set(*stage, stamp);
        }
        self.steps.push(PlannedStep {
            number: 0,
            cause,
            rollover: wanted.rollover,
            act: wanted.act,
            command: self.command(wanted.act, wanted.actor, &changes),
            changes,
            keys,
            actor: wanted.actor,
            at,
            waits: wanted.waits,
            latest: wanted.latest,
            no_return: wanted.no_return.map(ToOwned::to_owned),
        });
        at
    }

    fn cause(&mut self, act: Act, keys: &[KeyIndex]) -> CauseIndex {
        let labels: Vec<_> = keys.iter().map(|key| self.key(*key).label.as_str()).collect();
        let text = format!("{act} {}", labels.join(", "));
        self.causes.push(text);
        CauseIndex(self.causes.len() - 1)
    }

    /// The DNSKEY RRset stays as it is from one time until the other: nobody has the old key, and only then the new one signs it. What happened to
    /// others shortly before, or is planned meanwhile, is in it after that.
    pub fn unsigned(&mut self, (old, new): (KeyIndex, KeyIndex), unsigned: (Time, Time)) {
        self.unsigned = Some(unsigned);
        for (place, key) in self.keys.iter_mut().enumerate() {
            if [old, new].contains(&KeyIndex(place)) {
                continue;
            }
            for stage in Stage::ALL.into_iter().filter(|stage| stage.is_of_dnskey()) {
                if let Some(stamp) = key.stamp(stage) {
                    key.set(stage, stamp.unsigned(self.figures, unsigned));
                }
            }
        }
    }

    fn past_outages(&self, at: Time) -> Time {
        let mut outages: Vec<_> = self.outages.iter().collect();
        outages.sort();
        outages.into_iter().fold(
            at,
            |at, (from, until)| if *from <= at && at < *until { *until } else { at },
        )
    }

    /// The command that makes these changes, in their order; several steps of keys at once, so that no signer finds a half of them.
    fn command(&self, act: Act, actor: Actor, changes: &[(KeyIndex, Stage)]) -> Option<String> {
        let zone = self.zone;
        if actor == Actor::Observation {
            return Some(format!("keyrite-rollover observe --zone {zone}"));
        }
        let steps: Vec<_> = changes
            .iter()
            .filter_map(|(index, stage)| Some((*index, self.verb(act, changes, *index, *stage)?)))
            .collect();
        let tag = |key: KeyIndex| {
            let tag = self.key(key).tag;
            tag.map_or_else(|| "TAG".to_owned(), |tag| tag.to_string())
        };
        match steps.as_slice() {
            [] => None,
            [(key, "generate")] => {
                let key = self.key(*key);
                let role = key.role.field();
                let specification = Self::specification(key);
                Some(format!(
                    "keyrite-keyctl generate --zone {zone} --role {role}{specification}"
                ))
            }
            [(key, verb)] => Some(format!("keyrite-keyctl {verb} --zone {zone} --key {}", tag(*key))),
            several => {
                let steps: Vec<_> = several
                    .iter()
                    .map(|(key, verb)| format!("{verb}:{}", tag(*key)))
                    .collect();
                Some(format!(
                    "keyrite-keyctl together --zone {zone} {}",
                    steps.join(" ")
                ))
            }
        }
    }

    /// The verb of `keyrite-keyctl` for a change; none, where another one of the same step includes it, or nobody does it.
    fn verb(
        &self,
        act: Act,
        changes: &[(KeyIndex, Stage)],
        key: KeyIndex,
        stage: Stage,
    ) -> Option<&'static str> {
        let also = |stage| changes.contains(&(key, stage));
        match stage {
            Stage::PreActive if also(Stage::Published) => Some("introduce"),
            Stage::Published if also(Stage::PreActive) => None,
            // A KSK whose DS came first is published as it takes over.
            Stage::Published if also(Stage::Active) && self.key(key).is(Stage::Submitted) => None,
            Stage::DsWithdrawn if also(Stage::Retired) || also(Stage::Removed) => None,
            Stage::DsWithdrawn if act == Act::GoInsecure => Some("go-insecure"),
            Stage::DsWithdrawn => Some("retire-active"),
            Stage::Generated
            | Stage::PreActive
            | Stage::Published
            | Stage::Submitted
            | Stage::Registered
            | Stage::Active
            | Stage::Retired
            | Stage::DsGone
            | Stage::PostActive
            | Stage::Revoked
            | Stage::Removed
            | Stage::Destroyed => stage.verb(),
        }
    }

    /// Algorithm and size, where they are not the policy's.
    fn specification(key: &PlannedKey) -> String {
        let Some(spec) = key.spec else {
            return String::new();
        };
        let bits = match spec.algorithm() {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => format!(" --bits {}", spec.bits()),
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 | Algorithm::Ed25519 => String::new(),
        };
        format!(" --algorithm {}{bits}", spec.algorithm())
    }
}
