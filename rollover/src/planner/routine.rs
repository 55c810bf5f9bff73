//! What the policy asks for, role by role, and what is wanted beside it.

use key_metadata::{KeySpec, Role, RolloverMethod, Time};

use super::algorithm::KeySet;
use super::draft::Draft;
use super::key::{PlannedKey, Stage, Stamp};
use super::{Goal, PlanError, Request, followers, past, silences, validators};
use crate::chain::Validators;
use crate::schedule::{AlgorithmNumber, CauseIndex, KeyIndex, Silence, Silenced};

/// A policy whose rollovers would be more than that has lifetimes of hours.
const MOST_ROLLOVERS: usize = 2000;

/// The draft of a plan: its steps, when its records begin, and when nothing is signed.
pub fn draft<'a>(request: &'a Request<'a>) -> Result<(Draft<'a>, Time, Vec<Silence>), PlanError> {
    let (mut draft, since, silences) = begin(request);
    let mut run = Run {
        request,
        draft: &mut draft,
        silences,
    };
    run.all()?;
    let silences = run.silences;
    Ok((draft, since, silences))
}

/// A draft with the past alone.
pub fn begin<'a>(request: &'a Request<'a>) -> (Draft<'a>, Time, Vec<Silence>) {
    let past = past(request);
    let mut causes = past.causes;
    let silences = silences(&request.outages, &mut causes);
    let draft = Draft {
        zone: request.zone,
        figures: &request.figures,
        now: request.now,
        outages: request.outages.clone(),
        unsigned: None,
        keys: past.keys,
        causes,
        rollovers: Vec::new(),
        steps: Vec::new(),
    };
    (draft, past.since, silences)
}

struct Run<'r, 'd> {
    request: &'r Request<'r>,
    draft: &'d mut Draft<'r>,
    silences: Vec<Silence>,
}

impl Run<'_, '_> {
    fn all(&mut self) -> Result<(), PlanError> {
        let is_new = !self
            .draft
            .keys
            .iter()
            .any(|key| key.is(Stage::Active) && !key.is(Stage::Removed));
        if self.request.goals.contains(&Goal::Insecure) {
            if !self
                .request
                .keys
                .keys()
                .iter()
                .any(|key| key.times.active.is_some())
            {
                return Err(self.not_active(match self.request.policy.key(Role::Csk) {
                    Some(_) => Role::Csk,
                    None => Role::Ksk,
                }));
            }
            self.leave(PlannedKey::is_in_use);
            return Ok(());
        }
        let abandons = self.request.goals.contains(&Goal::Abandon);
        if abandons {
            let coming = coming(&self.draft.keys);
            if coming.is_empty() {
                return Err(PlanError::NothingToAbandon {
                    zone: self.request.zone.clone(),
                });
            }
            // The way back from the first DS is to be insecure again.
            if self.draft.keys.iter().all(|key| !is_anchored(key)) {
                self.leave(PlannedKey::is_in_use);
                return Ok(());
            }
            self.draft.abandon(&coming);
        }
        if !abandons && (is_new || self.is_first_signing()) {
            self.first()?;
        }
        let wanted = self.request.goals.iter().find_map(|goal| match goal {
            Goal::Algorithm(spec) => Some(*spec),
            Goal::Roll(_) | Goal::Compromised(_) | Goal::Lost(..) | Goal::Insecure | Goal::Abandon => None,
        });
        let number = wanted
            .map(|spec| AlgorithmNumber(spec.algorithm().number()))
            .or(algorithm_under_way(&self.draft.keys).filter(|_| !abandons));
        if let Some(number) = number {
            self.algorithm(number, wanted)?;
        }
        for role in Role::ALL {
            self.role(role, number)?;
        }
        self.draft.clear();
        Ok(())
    }

    /// Keys leave with their DS, and the zone is signed no more.
    fn leave(&mut self, fits: impl Fn(&PlannedKey) -> bool) {
        let of = |signs: fn(Role) -> bool| self.draft.keys_where(|key| fits(key) && signs(key.role));
        let keys = KeySet {
            anchors: of(Role::signs_dnskey),
            signers: of(Role::signs_zone),
        };
        // Of a zone that is insecure already nothing is left to be done.
        if !keys.anchors.is_empty() || !keys.signers.is_empty() {
            self.draft.insecure(&keys, self.request.now);
        }
        self.draft.clear();
    }

    fn not_active(&self, role: Role) -> PlanError {
        PlanError::NotActive {
            zone: self.request.zone.clone(),
            role,
        }
    }

    /// Whether the first DS is still on its way: no key's DS was ever seen, or said to be in place.
    fn is_first_signing(&self) -> bool {
        !self.draft.keys.iter().any(is_anchored)
    }

    fn first(&mut self) -> Result<(), PlanError> {
        let policy = self.request.policy;
        let roles: &[Role] = match (
            policy.key(Role::Csk),
            policy.key(Role::Ksk),
            policy.key(Role::Zsk),
        ) {
            (_, Some(_), Some(_)) => &[Role::Ksk, Role::Zsk],
            (Some(_), _, _) => &[Role::Csk],
            (None, _, _) => return Err(PlanError::NoKeys),
        };
        let mut keys = KeySet {
            anchors: Vec::new(),
            signers: Vec::new(),
        };
        for role in roles {
            let known = self
                .draft
                .keys_where(|key| key.role == *role && !key.is(Stage::Retired) && !key.is(Stage::Removed));
            let furthest = known.into_iter().max_by_key(|key| self.progress(*key));
            let key = match furthest {
                Some(key) => key,
                None => self.new_key(*role, None)?,
            };
            if role.signs_dnskey() {
                keys.anchors.push(key);
            }
            if role.signs_zone() {
                keys.signers.push(key);
            }
        }
        self.draft.first_signing(&keys, self.request.now);
        Ok(())
    }

    /// How far a key has come.
    fn progress(&self, key: KeyIndex) -> usize {
        let key = self.draft.key(key);
        [
            Stage::Generated,
            Stage::Published,
            Stage::Submitted,
            Stage::Registered,
            Stage::Active,
        ]
        .into_iter()
        .filter(|stage| key.is(*stage))
        .count()
    }

    /// A key that is to be made.
    fn new_key(&mut self, role: Role, spec: Option<KeySpec>) -> Result<KeyIndex, PlanError> {
        let of_policy = self.request.policy.key(role).and_then(|key| key.spec().ok());
        let algorithm = spec.or(of_policy).ok_or(PlanError::NoKeys)?.algorithm();
        let number = self
            .draft
            .keys_where(|key| key.role == role && key.id.is_none())
            .len()
            + 1;
        let mut key = PlannedKey::new(
            format!("{role} new {number}"),
            role,
            AlgorithmNumber(algorithm.number()),
        );
        key.spec = spec;
        self.draft.keys.push(key);
        Ok(KeyIndex(self.draft.keys.len() - 1))
    }

    /// What a successor of `old` is to be made as, where that is not what the policy says: whoever replaces a key keeps its algorithm. To go over
    /// to another one is a rollover of its own, of all keys together.
    fn unlike_policy(&self, role: Role, old: KeyIndex) -> Option<KeySpec> {
        let old = self.draft.key(old);
        let of_policy = self.request.policy.key(role).and_then(|key| key.spec().ok());
        if of_policy.is_some_and(|spec| AlgorithmNumber(spec.algorithm().number()) == old.algorithm) {
            return None;
        }
        let recorded = || {
            let key = &self.request.keys.key(old.id?)?.public_key;
            KeySpec::new(key.algorithm().made()?, Some(key.bits())).ok()
        };
        old.spec.or_else(recorded)
    }

    /// A role's rollovers, one after the other until the plan's end.
    ///
    /// What goes over to another algorithm is replaced by that.
    fn role(&mut self, role: Role, algorithm: Option<AlgorithmNumber>) -> Result<(), PlanError> {
        let Some(of_policy) = self.request.policy.key(role) else {
            return Ok(());
        };
        let (lifetime, standby) = (of_policy.lifetime, usize::from(of_policy.standby));
        let mut active_since = Vec::new();
        let is_urgent = |goal: &Goal| match goal {
            Goal::Roll(rolled) | Goal::Compromised(rolled) | Goal::Lost(rolled, _) => *rolled == role,
            Goal::Algorithm(_) | Goal::Insecure | Goal::Abandon => false,
        };
        let mut urgent = algorithm.is_none() && self.request.goals.iter().any(is_urgent);
        let lost = self.request.goals.iter().find_map(|goal| match goal {
            Goal::Lost(lost, since) if *lost == role => Some(*since),
            Goal::Lost(..)
            | Goal::Roll(_)
            | Goal::Compromised(_)
            | Goal::Algorithm(_)
            | Goal::Insecure
            | Goal::Abandon => None,
        });
        // What is wanted has been begun: its end alone was broken off.
        if self.finish(role, lost.filter(|_| urgent)) {
            urgent = false;
        }
        for _ in 0..MOST_ROLLOVERS {
            let active = self.draft.keys_where(|key| {
                key.role == role
                    && key.is(Stage::Active)
                    && !key.is(Stage::Retired)
                    && !key.is(Stage::Removed)
            });
            let Some(old) = active
                .into_iter()
                .max_by_key(|key| self.draft.at(*key, Stage::Active))
            else {
                return match urgent {
                    true => Err(self.not_active(role)),
                    false => Ok(()),
                };
            };
            let end = self.draft.at(old, Stage::Active).after(lifetime);
            let target = if urgent { self.request.now } else { end };
            let successor = self.successor(role, old);
            // So many keys wait, published: the next is published when the one so many before it took over.
            active_since.push(self.draft.at(old, Stage::Active));
            let early = (standby > 0).then(|| active_since[active_since.len().saturating_sub(standby)]);
            // A rollover that would begin after the end of the plan is not in it; one that has begun is.
            let begins = early.map_or(self.begins(role, target), |early| {
                early.min(self.begins(role, target))
            });
            if begins > self.request.until && successor.is_none_or(|key| !self.draft.key(key).is_in_use()) {
                return Ok(());
            }
            let new = match successor {
                Some(key) => key,
                None => self.new_key(role, self.unlike_policy(role, old))?,
            };
            let lost = lost.filter(|_| urgent);
            if let Some(since) = lost {
                self.can_follow(role, (old, new), since)?;
            }
            self.roll(role, (old, new), (target, early), lost);
            urgent = false;
        }
        Ok(())
    }

    /// Whether a key can follow one that nobody has any more. Where that signs everything, nobody can put its successor into the DNSKEY RRset before
    /// validators go by it: it must have been there.
    fn can_follow(&self, role: Role, (old, new): (KeyIndex, KeyIndex), since: Time) -> Result<(), PlanError> {
        let published = self.draft.key(new).stamp(Stage::Published);
        let signed = |stamp: Stamp| stamp.by(self.draft.figures) <= since;
        match role {
            Role::Csk if !published.is_some_and(signed) => Err(PlanError::NobodySigns {
                zone: self.request.zone.clone(),
                key: self.draft.key(old).label.clone(),
            }),
            Role::Csk | Role::Ksk | Role::Zsk => Ok(()),
        }
    }

    /// When a rollover to `target` has its first step.
    fn begins(&self, role: Role, target: Time) -> Time {
        let least = key_metadata::timing::x1_least_lifetime(
            &self.request.figures,
            role,
            self.request.policy.rollover(role),
        );
        target.before(least.total())
    }

    /// A key that is there, or under way, to follow `old`: the one that has come furthest.
    fn successor(&self, role: Role, old: KeyIndex) -> Option<KeyIndex> {
        let algorithm = self.draft.key(old).algorithm;
        let candidates = self.draft.keys_where(|key| {
            key.role == role
                && key.algorithm == algorithm
                && !key.is(Stage::Active)
                && !key.is(Stage::Retired)
                && !key.is(Stage::Revoked)
                && !key.is(Stage::Removed)
        });
        // Of several that are as far, the one that was made first.
        candidates.into_iter().rev().max_by_key(|key| self.progress(*key))
    }

    fn roll(
        &mut self,
        role: Role,
        (old, new): (KeyIndex, KeyIndex),
        (target, early): (Time, Option<Time>),
        lost: Option<Time>,
    ) {
        let followers = followers(self.request);
        let method = match (self.begun(role, old, new), lost) {
            (Some(method), _) => method,
            // What is lost cannot sign the DNSKEY RRset with its successor in it: the successor's DS comes first.
            (None, Some(_)) if role == Role::Ksk => RolloverMethod::DoubleDs,
            (None, Some(_) | None) => self.request.policy.rollover(role),
        };
        match method {
            RolloverMethod::PrePublication if role == Role::Zsk => {
                self.draft.pre_publication((old, new), target, early)
            }
            RolloverMethod::DoubleSignature => self.draft.double_signature((old, new), target),
            RolloverMethod::PrePublication | RolloverMethod::DoubleKsk => {
                self.draft.double_ksk((old, new), target, early, &followers)
            }
            RolloverMethod::DoubleDs => self.draft.double_ds((old, new), target),
            RolloverMethod::DoubleRrset => self.draft.double_rrset((old, new), target),
        };
        if let Some(since) = lost {
            let of = match role {
                Role::Ksk => Silenced::Dnskey,
                Role::Zsk => Silenced::Zone,
                Role::Csk => Silenced::All,
            };
            let until = self
                .draft
                .at(new, Stage::Active)
                .after(self.request.figures.dsgn.span);
            if role.signs_dnskey() {
                self.draft.unsigned((old, new), (since, until));
            }
            let label = self.draft.key(old).label.clone();
            self.draft.causes.push(format!("{label} is lost"));
            self.silences.push(Silence {
                from: since,
                until: Some(until),
                of,
                cause: CauseIndex(self.draft.causes.len() - 1),
            });
        }
    }

    /// The method of a rollover that is under way, which is not always the policy's any more; none, where it could be more than one.
    fn begun(&self, role: Role, old: KeyIndex, new: KeyIndex) -> Option<RolloverMethod> {
        let (old, new) = (self.draft.key(old), self.draft.key(new));
        let published = new.is(Stage::Published);
        match role {
            Role::Csk => None,
            Role::Zsk if new.is(Stage::PreActive) => Some(RolloverMethod::DoubleSignature),
            Role::Zsk => published.then_some(RolloverMethod::PrePublication),
            Role::Ksk if old.is(Stage::Retired) => Some(RolloverMethod::DoubleKsk),
            Role::Ksk if old.is(Stage::PostActive) => Some(RolloverMethod::DoubleDs),
            Role::Ksk if published && !new.is(Stage::Submitted) => Some(RolloverMethod::DoubleKsk),
            Role::Ksk => None,
        }
    }

    /// Keys whose successor took over already are brought to their end; whether one of them does its part still.
    fn finish(&mut self, role: Role, lost: Option<Time>) -> bool {
        let left = self.draft.keys_where(|key| {
            let leaves = key.is(Stage::Retired) || key.is(Stage::DsWithdrawn) || key.is(Stage::PostActive);
            key.role == role
                && leaves
                && key.is(Stage::Active)
                && !(key.is(Stage::Removed) && key.is(Stage::Destroyed))
        });
        for old in left {
            let Some(after) = left_at(self.draft.key(old)) else {
                continue;
            };
            let followed = self
                .draft
                .keys_where(|key| key.role == role && key.at(Stage::Active).is_some_and(|at| at >= after));
            // What is out of the zone has gone with its algorithm: it is to be destroyed, and nothing else.
            let same = |new: &KeyIndex| {
                let (old, new) = (self.draft.key(old), self.draft.key(*new));
                old.algorithm == new.algorithm || !old.is(Stage::Removed)
            };
            let next = followed
                .into_iter()
                .filter(|new| *new != old && same(new))
                .min_by_key(|key| self.draft.at(*key, Stage::Active));
            if let Some(new) = next {
                self.roll(role, (old, new), (after, None), None);
            }
        }
        let pairs = self.both_active(role);
        for (old, new) in &pairs {
            let since = self.draft.at(*new, Stage::Active);
            self.roll(role, (*old, *new), (since, None), lost);
        }
        !pairs.is_empty()
    }

    /// Keys whose successor has taken over, and who were not told: each with the next that did.
    fn both_active(&self, role: Role) -> Vec<(KeyIndex, KeyIndex)> {
        let mut active = self
            .draft
            .keys_where(|key| key.role == role && key.is(Stage::Active) && !is_leaving(key));
        active.sort_by_key(|key| self.draft.at(*key, Stage::Active));
        let follows = |old: KeyIndex, new: KeyIndex| {
            let (old, new) = (self.draft.key(old), self.draft.key(new));
            // Those that were taken over together are all meant to be there.
            let was_there = new.stamp(Stage::Active).is_some_and(|stamp| stamp.by.is_some());
            old.algorithm == new.algorithm && !was_there
        };
        let pairs = active.windows(2).filter_map(|pair| match pair {
            [old, new] if follows(*old, *new) => Some((*old, *new)),
            _ => None,
        });
        pairs.collect()
    }

    /// To another algorithm, or on with it: the keys of the new one that are there take part.
    fn algorithm(&mut self, number: AlgorithmNumber, spec: Option<KeySpec>) -> Result<(), PlanError> {
        let is_old =
            |key: &PlannedKey| key.algorithm != number && key.is(Stage::Active) && !key.is(Stage::Destroyed);
        let stays = |key: &PlannedKey| is_old(key) && !is_leaving(key);
        // One that leaves for another of the same algorithm leaves by itself.
        let left = |key: &PlannedKey| {
            let followed = |other: &PlannedKey| {
                let took_over = other.at(Stage::Active) >= left_at(key);
                other.label != key.label
                    && (stays(other) || took_over)
                    && other.role == key.role
                    && other.algorithm == key.algorithm
            };
            is_old(key) && !(is_leaving(key) && self.draft.keys.iter().any(followed))
        };
        let old = KeySet {
            anchors: self.draft.keys_where(|key| left(key) && key.role.signs_dnskey()),
            signers: self.draft.keys_where(|key| left(key) && key.role.signs_zone()),
        };
        if old.anchors.is_empty() && old.signers.is_empty() {
            // Those that are there leave without it.
            if self.draft.keys.iter().any(is_old) {
                return Ok(());
            }
            return Err(PlanError::SameAlgorithm {
                zone: self.request.zone.clone(),
                algorithm: number.to_string(),
            });
        }
        let waiting = self
            .draft
            .keys_where(|key| key.algorithm != number && key.is_in_use() && !key.is(Stage::Active));
        if let Some(key) = waiting
            .iter()
            .find(|key| self.draft.key(**key).is(Stage::Submitted))
        {
            return Err(PlanError::UnderWay {
                zone: self.request.zone.clone(),
                key: self.draft.key(*key).label.clone(),
            });
        }
        let mut new = KeySet {
            anchors: Vec::new(),
            signers: Vec::new(),
        };
        let is_csk = old.anchors.iter().any(|key| old.signers.contains(key));
        let roles: &[Role] = if is_csk {
            &[Role::Csk]
        } else {
            &[Role::Ksk, Role::Zsk]
        };
        for role in roles {
            let there = self.draft.keys_where(|key| {
                key.role == *role
                    && key.algorithm == number
                    && !key.is(Stage::Retired)
                    && !key.is(Stage::Removed)
            });
            let key = match there.into_iter().max_by_key(|key| self.progress(*key)) {
                Some(key) => key,
                None => self.new_key(*role, spec)?,
            };
            if role.signs_dnskey() {
                new.anchors.push(key);
            }
            if role.signs_zone() {
                new.signers.push(key);
            }
        }
        let begin = self.request.now;
        match validators(self.request) {
            Validators::Strict => self.draft.algorithm_conservative(&old, &new, &waiting, begin),
            Validators::Standard => self.draft.algorithm_liberal(&old, &new, &waiting, begin),
        };
        Ok(())
    }
}

/// Whether the DS of a key leads into the zone: it took over, and its DS was seen, or was there before it did.
fn is_anchored(key: &PlannedKey) -> bool {
    let ds_first = key.at(Stage::Submitted) <= key.at(Stage::Active);
    key.role.signs_dnskey()
        && key.is(Stage::Active)
        && key.is(Stage::Submitted)
        && (key.is(Stage::Registered) || ds_first)
}

const fn is_leaving(key: &PlannedKey) -> bool {
    key.is(Stage::Retired)
        || key.is(Stage::DsWithdrawn)
        || key.is(Stage::PostActive)
        || key.is(Stage::Revoked)
        || key.is(Stage::Removed)
}

/// The keys that are on their way in: they have not taken over, or sign the zone by an algorithm of which no DS leads into it yet.
pub fn coming(keys: &[PlannedKey]) -> Vec<KeyIndex> {
    let leads = |key: &PlannedKey| is_anchored(key) && key.is_in_use();
    let is_coming = |key: &PlannedKey| {
        let led = keys
            .iter()
            .any(|other| leads(other) && other.algorithm == key.algorithm);
        let never_led = !keys
            .iter()
            .any(|other| is_anchored(other) && other.algorithm == key.algorithm);
        key.is_in_use() && (!key.is(Stage::Active) || (!led && never_led))
    };
    let places = keys.iter().enumerate().filter(|(_, key)| is_coming(key));
    places.map(|(place, _)| KeyIndex(place)).collect()
}

/// When another key took over from it.
fn left_at(key: &PlannedKey) -> Option<Time> {
    let leaves = [Stage::Retired, Stage::DsWithdrawn, Stage::PostActive].map(|stage| key.at(stage));
    leaves.into_iter().flatten().min()
}

/// The algorithm that the zone goes over to: its own DS leads into the zone, and that of another algorithm is not to, any more or soon.
fn algorithm_under_way(keys: &[PlannedKey]) -> Option<AlgorithmNumber> {
    let leads = |key: &&PlannedKey| {
        (is_anchored(key) || key.is(Stage::Submitted)) && key.is_in_use() && !is_leaving(key)
    };
    let mut new = keys.iter().filter(leads).map(|key| key.algorithm);
    let number = new.next().filter(|number| new.all(|other| other == *number))?;
    let stays = |key: &&PlannedKey| key.algorithm != number && key.is(Stage::Active) && key.is_in_use();
    keys.iter().any(|key| stays(&key)).then_some(number)
}
