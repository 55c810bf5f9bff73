//! Plans: a pure function of the policy, the keys, what is known of the parent, and the time.
//!
//! A method (RFC 7583, RFC 6781) is a list of steps with what each waits for. Those that a record shows as taken are passed over, so that a
//! rollover that is under way goes on where it is. What comes out is proved by [`mod@crate::prove`], which knows nothing of the methods.

mod abandon;
mod algorithm;
mod draft;
mod key;
mod ksk;
mod records;
mod routine;
mod zone;
mod zsk;

use std::collections::BTreeSet;

use key_metadata::policy::{AlgorithmRollover, TrustAnchor};
use key_metadata::timing::{Equation, Figure, Figures, Wait, t3_add_wait, x1_least_lifetime};
use key_metadata::{Advice, KeyId, KeyRecord, KeySpec, Policy, Role, Span, Time, ZoneKeys, ZoneName};

use self::draft::Draft;
pub use self::key::Stage;
use self::ksk::Followers;
use self::records::Past;
use crate::anchors::TrustAnchors;
use crate::chain::Validators;
use crate::plan::{Plan, Runway};
use crate::prove::{Claim, Counterexample, prove};
use crate::rrsets::VersionsError;
use crate::schedule::{Caching, KeyIndex, Propagation, Schedule, Signatures, Silence, Silenced};

/// What a plan is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The zone.
    pub zone: &'a ZoneName,
    /// The policy's name.
    pub policy_name: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// The zone's keys.
    pub keys: &'a ZoneKeys,
    /// The figures: the policy's, and what was measured where that is longer.
    pub figures: Figures,
    /// What was seen at the parent.
    pub evidence: Vec<Evidence>,
    /// When the first RRSIG expires that is there, and where that was seen; nothing, where no signed zone was.
    pub expires: Option<(Time, String)>,
    /// When.
    pub now: Time,
    /// Until when rollovers are begun.
    pub until: Time,
    /// What else than the policy's rollovers is wanted.
    pub goals: Vec<Goal>,
    /// When nothing can be done and nothing is signed.
    pub outages: Vec<(Time, Time)>,
}

/// That a DS was seen at every server of the parent, or at none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Of which key.
    pub key: KeyId,
    /// What: [`Stage::Registered`] or [`Stage::DsGone`].
    pub stage: Stage,
    /// When it was seen.
    pub at: Time,
}

/// What is wanted beside the policy's rollovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A key of that role is to be replaced now, whatever its lifetime.
    Roll(Role),
    /// Somebody else has the key of that role: replaced as soon as it can be.
    Compromised(Role),
    /// Nobody has the private part of the key of that role any more, since then.
    Lost(Role, Time),
    /// The zone is to be signed with another algorithm.
    Algorithm(KeySpec),
    /// The zone is to be signed no more.
    Insecure,
    /// The keys that have not taken over are to leave again.
    Abandon,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A lifetime that is shorter than a rollover.
    #[error("keys.{}.lifetime: {lifetime} is shorter than a rollover takes: {least}", role.field())]
    Infeasible {
        /// Whose.
        role: Role,
        /// The lifetime.
        lifetime: Span,
        /// What it takes (X1).
        least: Box<Wait>,
    },
    /// The policy has no key that could sign.
    #[error("the policy has no keys that sign the DNSKEY RRset and the zone: a KSK and a ZSK, or a CSK")]
    NoKeys,
    /// There is no key of that role to be replaced.
    #[error("no {role} of {zone} is active")]
    NotActive {
        /// The zone.
        zone: ZoneName,
        /// The role.
        role: Role,
    },
    /// No rollover is under way that could be gone back from.
    #[error("no key of {zone} is on its way in")]
    NothingToAbandon {
        /// The zone.
        zone: ZoneName,
    },
    /// A rollover within the old algorithm has gone too far to be dropped for one to another algorithm.
    #[error(
        "{key} of {zone} has its DS at the parent and has not taken over: no algorithm rollover begins before that has ended"
    )]
    UnderWay {
        /// The zone.
        zone: ZoneName,
        /// The key.
        key: String,
    },
    /// The keys have that algorithm already.
    #[error("the keys of {zone} are {algorithm} already")]
    SameAlgorithm {
        /// The zone.
        zone: ZoneName,
        /// The algorithm.
        algorithm: String,
    },
    /// A key that did everything is lost, and no other one was there to follow it.
    #[error(
        "{key} of {zone} is lost, and nobody can sign the zone with another key in it before validators ask for that one"
    )]
    NobodySigns {
        /// The zone.
        zone: ZoneName,
        /// The key.
        key: String,
    },
    /// Nothing could be proved.
    #[error(transparent)]
    Versions(#[from] VersionsError),
    /// What was planned is not safe. The plan is not given out; what is wrong is.
    #[error("no safe plan for {zone}: {first}")]
    Unsafe {
        /// The zone.
        zone: ZoneName,
        /// The first counterexample, in sentences.
        first: String,
        /// All of them.
        found: Vec<Counterexample>,
        /// The schedule that they are of.
        schedule: Box<Schedule>,
    },
}

/// How a plan's schedule was proved, so that others can prove it again.
pub fn claim(request: &Request<'_>, schedule: &Schedule) -> Claim {
    Claim {
        validators: validators(request),
        since: request.now,
        trust_anchors: trust_anchors(request, schedule),
    }
}

/// What is published by the records alone, if nothing more is done.
pub fn recorded(request: &Request<'_>) -> Schedule {
    let (draft, since, silences) = routine::begin(request);
    schedule(request, &draft, since, silences)
}

/// The plan, proved.
pub fn plan(request: &Request<'_>) -> Result<Plan, PlanError> {
    feasible(request)?;
    let (draft, since, silences) = routine::draft(request)?;
    let schedule = schedule(request, &draft, since, silences);
    let claim = claim(request, &schedule);
    let proof = match prove(&schedule, &claim)? {
        Ok(proof) => proof,
        Err(found) => {
            return Err(PlanError::Unsafe {
                zone: request.zone.clone(),
                first: found
                    .first()
                    .map_or_else(String::new, |first| first.tell(&schedule)),
                found,
                schedule: Box::new(schedule),
            });
        }
    };
    let Draft {
        rollovers, mut steps, ..
    } = draft;
    steps.sort_by_key(|step| step.at);
    for (place, step) in steps.iter_mut().enumerate() {
        step.number = place + 1;
    }
    Ok(Plan {
        version: 1,
        zone: request.zone.clone(),
        policy: request.policy_name.to_owned(),
        head: request.keys.head(),
        now: request.now,
        until: request.until,
        rollovers,
        steps,
        proof,
        margins: Vec::new(),
        runway: runway(request, &schedule),
        schedule,
    })
}

/// A lifetime that a rollover does not fit into would make plans of ever more keys.
fn feasible(request: &Request<'_>) -> Result<(), PlanError> {
    for role in Role::ALL {
        let Some(key) = request.policy.key(role) else {
            continue;
        };
        let least = x1_least_lifetime(&request.figures, role, request.policy.rollover(role));
        if key.lifetime < least.total() {
            return Err(PlanError::Infeasible {
                role,
                lifetime: key.lifetime,
                least: Box::new(least),
            });
        }
    }
    Ok(())
}

/// The validators that a plan of this policy is proved for: a liberal algorithm rollover fails those that want every algorithm of the DNSKEY
/// RRset, which is what makes it liberal.
fn validators(request: &Request<'_>) -> Validators {
    let wanted = |goal: &Goal| matches!(goal, Goal::Algorithm(_));
    // What is destroyed is in no cache.
    let was_published = |key: &&KeyRecord| key.times.published.is_some() && key.times.destroyed.is_none();
    let mut published = request.keys.keys().iter().filter(was_published);
    let first = published.next().map(KeyRecord::algorithm);
    let changes = request.goals.iter().any(wanted) || published.any(|key| Some(key.algorithm()) != first);
    match request.policy.algorithm_rollover {
        AlgorithmRollover::Liberal if changes => Validators::Standard,
        AlgorithmRollover::Liberal | AlgorithmRollover::Conservative => Validators::Strict,
    }
}

fn followers(request: &Request<'_>) -> Followers {
    match request.policy.trust_anchor {
        TrustAnchor::None => Followers::None,
        TrustAnchor::Rfc5011 => Followers::Rfc5011 {
            validity: Figure::policy(request.policy.dnskey_validity()),
        },
    }
}

/// Everybody trusts the keys that the DS names when the schedule begins, or that are active now.
fn trust_anchors(request: &Request<'_>, schedule: &Schedule) -> Option<TrustAnchors> {
    let Followers::Rfc5011 { validity } = followers(request) else {
        return None;
    };
    let is_anchor = |key: &&crate::schedule::KeyLanes| {
        let first = key.ds.0.first().map(|presence| presence.begins.from);
        first.is_some_and(|from| from <= request.now)
    };
    let initial: BTreeSet<_> = schedule
        .keys
        .iter()
        .enumerate()
        .filter(|(_, key)| is_anchor(key))
        .map(|(place, _)| KeyIndex(place))
        .collect();
    // Nobody trusts a zone that was never signed; whoever will, begins with its first key.
    let first = || {
        let places = schedule.keys.iter().enumerate();
        let begins = places.filter_map(|(place, key)| Some((key.ds.0.first()?.begins.from, KeyIndex(place))));
        begins.min().map(|(_, key)| key)
    };
    let initial = match initial.is_empty() {
        true => first().into_iter().collect(),
        false => initial,
    };
    Some(TrustAnchors {
        initial,
        add_wait: t3_add_wait(&request.figures, &validity)
            .preceded_by("Dprp", &request.figures.dprp)
            .total(),
        remove_hold_down: key_metadata::timing::remove_hold_down().total(),
    })
}

fn schedule(request: &Request<'_>, draft: &Draft<'_>, since: Time, silences: Vec<Silence>) -> Schedule {
    let figures = &request.figures;
    let ttl = |figure: &Figure| vec![(since, figure.span)];
    Schedule {
        zone: request.zone.clone(),
        since,
        keys: draft.keys.iter().map(|key| key.lanes(figures)).collect(),
        causes: draft.causes.clone(),
        caching: Caching {
            dnskey: ttl(&figures.ttl_key),
            ds: ttl(&figures.ttl_ds),
            zone: ttl(&figures.ttl_sig),
        },
        propagation: Propagation {
            zone: figures.dprp.span,
            parent: figures.dprp_parent.span,
        },
        signatures: Signatures {
            zone: request.policy.least_remaining(),
            dnskey: request.policy.least_dnskey_remaining(),
        },
        silences,
    }
}

/// Until when the zone validates for everybody if nothing is signed any more: by the signatures that were seen, else by the policy's figures.
fn runway(request: &Request<'_>, schedule: &Schedule) -> Runway {
    if let Some((until, place)) = &request.expires {
        return Runway {
            until: *until,
            left: until.since(request.now),
            why: format!("the first RRSIG of {place} expires"),
        };
    }
    let left = schedule.signatures.zone.min(schedule.signatures.dnskey);
    Runway {
        until: request.now.after(left),
        left,
        why: "the first RRSIG expires, if the zone was signed last by the policy and never again".to_owned(),
    }
}

impl Advice for PlanError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Infeasible { role, least, .. } => {
                format!(
                    "make keys.{}.lifetime {} at least, or its waits shorter ({})",
                    role.field(),
                    least.total(),
                    Equation::X1
                )
            }
            Self::NoKeys => "add keys.ksk and keys.zsk, or keys.csk, to the policy".to_owned(),
            Self::NotActive { zone, .. } => {
                format!("see what is planned: keyrite-rollover plan --zone {zone}")
            }
            Self::NothingToAbandon { zone } => format!(
                "a key that has taken over does not go back: the way is on, to another one (keyrite-rollover plan --zone {zone} --roll ROLE)"
            ),
            Self::UnderWay { zone, .. } => format!(
                "go on (keyrite-rollover step --zone {zone}), or back (keyrite-rollover undo --zone {zone}), and then ask again"
            ),
            Self::NobodySigns { zone, .. } => format!(
                "have the key restored from its backup; or let the zone be insecure before its signatures expire, and sign it anew: \
                 keyrite-rollover plan --zone {zone} --insecure. With a standby key in the policy there is another way the next time"
            ),
            Self::SameAlgorithm { .. } => "name another algorithm".to_owned(),
            Self::Versions(error) => return error.hint(),
            Self::Unsafe { zone, found, .. } => match found.first().and_then(|first| first.delay) {
                Some(delay) => format!("the step that is named must wait until {}", delay.until),
                None => format!("see what is published now: keyrite-keyctl list --zone {zone}"),
            },
        })
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The silences of the outages that are asked about, and of keys that are lost.
fn silences(outages: &[(Time, Time)], causes: &mut Vec<String>) -> Vec<Silence> {
    outages
        .iter()
        .map(|(from, until)| {
            causes.push(format!("outage from {from} until {until}"));
            Silence {
                from: *from,
                until: Some(*until),
                of: Silenced::All,
                cause: crate::schedule::CauseIndex(causes.len() - 1),
            }
        })
        .collect()
}

/// The keys of a zone that are on their way in.
pub fn coming(keys: &ZoneKeys, now: Time) -> Vec<KeyId> {
    let past = Past::of(keys, records::ONE_CHANGE, now);
    let coming = routine::coming(&past.keys).into_iter();
    coming
        .filter_map(|key| past.keys.get(key.0).and_then(|key| key.id))
        .collect()
}

/// The keys of the past with what was seen of them.
fn past(request: &Request<'_>) -> Past {
    let mut past = Past::of(request.keys, records::one_change(&request.figures), request.now);
    past.sign_late(&request.figures, &request.outages);
    past.sign_anew(&request.figures, request.now);
    for evidence in &request.evidence {
        let cause = crate::schedule::CauseIndex(past.causes.len());
        let Some(key) = past.keys.iter_mut().find(|key| key.id == Some(evidence.key)) else {
            continue;
        };
        past.causes
            .push(format!("{} {}", key.label, evidence.stage.happened()));
        key.set(
            evidence.stage,
            key::Stamp {
                from: evidence.at,
                at: evidence.at,
                by: None,
                cause,
            },
        );
    }
    past
}
