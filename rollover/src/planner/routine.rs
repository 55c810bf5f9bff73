//! What the policy asks for, role by role, and what is wanted beside it.

use key_metadata::{KeySpec, Role, RolloverMethod, Time};

use super::algorithm::KeySet;
use super::draft::Draft;
use super::key::{PlannedKey, Stage};
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
        let wants_none = self.request.goals.contains(&Goal::Insecure);
        if wants_none {
            let keys = self.in_use();
            if keys.anchors.is_empty() {
                return Err(self.not_active(Role::Ksk));
            }
            self.draft.insecure(&keys, self.request.now);
            return Ok(());
        }
        let abandons = self.request.goals.contains(&Goal::Abandon);
        if abandons {
            let coming = self
                .draft
                .keys_where(|key| key.is_in_use() && !key.is(Stage::Active));
            if coming.is_empty() {
                return Err(PlanError::NothingToAbandon {
                    zone: self.request.zone.clone(),
                });
            }
            self.draft.abandon(&coming);
        }
        if !abandons && (is_new || self.is_first_signing()) {
            self.first()?;
        }
        let algorithm = self.request.goals.iter().find_map(|goal| match goal {
            Goal::Algorithm(spec) => Some(*spec),
            Goal::Roll(_) | Goal::Compromised(_) | Goal::Lost(..) | Goal::Insecure | Goal::Abandon => None,
        });
        if let Some(spec) = algorithm {
            self.algorithm(spec)?;
        }
        for role in Role::ALL {
            self.role(role)?;
        }
        Ok(())
    }

    fn not_active(&self, role: Role) -> PlanError {
        PlanError::NotActive {
            zone: self.request.zone.clone(),
            role,
        }
    }

    /// Whether the first DS is still on its way: no key's DS was ever seen, or said to be in place.
    fn is_first_signing(&self) -> bool {
        !self
            .draft
            .keys
            .iter()
            .any(|key| key.role.signs_dnskey() && key.is(Stage::Active) && key.is(Stage::Submitted))
    }

    /// The keys that sign now.
    fn in_use(&self) -> KeySet {
        let active = |key: &PlannedKey| key.is(Stage::Active) && !key.is(Stage::Retired) && key.is_in_use();
        KeySet {
            anchors: self
                .draft
                .keys_where(|key| active(key) && key.role.signs_dnskey()),
            signers: self.draft.keys_where(|key| active(key) && key.role.signs_zone()),
        }
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

    /// A role's rollovers, one after the other until the plan's end.
    fn role(&mut self, role: Role) -> Result<(), PlanError> {
        let Some(of_policy) = self.request.policy.key(role) else {
            return Ok(());
        };
        let (lifetime, standby) = (of_policy.lifetime, usize::from(of_policy.standby));
        let mut active_since = Vec::new();
        self.finish(role);
        let mut urgent = self.request.goals.iter().any(|goal| match goal {
            Goal::Roll(rolled) | Goal::Compromised(rolled) | Goal::Lost(rolled, _) => *rolled == role,
            Goal::Algorithm(_) | Goal::Insecure | Goal::Abandon => false,
        });
        let lost = self.request.goals.iter().find_map(|goal| match goal {
            Goal::Lost(lost, since) if *lost == role => Some(*since),
            Goal::Lost(..)
            | Goal::Roll(_)
            | Goal::Compromised(_)
            | Goal::Algorithm(_)
            | Goal::Insecure
            | Goal::Abandon => None,
        });
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
                None => self.new_key(role, None)?,
            };
            self.roll(role, (old, new), (target, early), lost.filter(|_| urgent));
            urgent = false;
        }
        Ok(())
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
        let method = match (lost, role) {
            // What is lost cannot sign the DNSKEY RRset with its successor in it: the successor's DS comes first.
            (Some(_), Role::Ksk) => RolloverMethod::DoubleDs,
            (Some(_) | None, _) => self.request.policy.rollover(role),
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

    /// Keys whose successor took over already are brought to their end.
    fn finish(&mut self, role: Role) {
        let left = self.draft.keys_where(|key| {
            let leaves = key.is(Stage::Retired) || key.is(Stage::DsWithdrawn) || key.is(Stage::PostActive);
            key.role == role
                && leaves
                && key.is(Stage::Active)
                && !(key.is(Stage::Removed) && key.is(Stage::Destroyed))
        });
        for old in left {
            let leaves = [Stage::Retired, Stage::DsWithdrawn, Stage::PostActive]
                .map(|stage| self.draft.key(old).at(stage));
            let Some(after) = leaves.into_iter().flatten().min() else {
                continue;
            };
            let followed = self
                .draft
                .keys_where(|key| key.role == role && key.at(Stage::Active).is_some_and(|at| at >= after));
            let next = followed
                .into_iter()
                .filter(|new| *new != old)
                .min_by_key(|key| self.draft.at(*key, Stage::Active));
            if let Some(new) = next {
                self.roll(role, (old, new), (after, None), None);
            }
        }
    }

    /// To another algorithm, or on with it: the keys of the new one that are there take part.
    fn algorithm(&mut self, spec: KeySpec) -> Result<(), PlanError> {
        let number = AlgorithmNumber(spec.algorithm().number());
        let left =
            |key: &PlannedKey| key.algorithm != number && key.is(Stage::Active) && !key.is(Stage::Destroyed);
        let old = KeySet {
            anchors: self.draft.keys_where(|key| left(key) && key.role.signs_dnskey()),
            signers: self.draft.keys_where(|key| left(key) && key.role.signs_zone()),
        };
        if old.anchors.is_empty() && old.signers.is_empty() {
            return Err(PlanError::SameAlgorithm {
                zone: self.request.zone.clone(),
                algorithm: number.to_string(),
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
                None => self.new_key(*role, Some(spec))?,
            };
            if role.signs_dnskey() {
                new.anchors.push(key);
            }
            if role.signs_zone() {
                new.signers.push(key);
            }
        }
        match validators(self.request) {
            Validators::Strict => self.draft.algorithm_conservative(&old, &new, self.request.now),
            Validators::Standard => self.draft.algorithm_liberal(&old, &new, self.request.now),
        };
        Ok(())
    }
}
