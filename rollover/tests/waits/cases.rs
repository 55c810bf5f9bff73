//! Rollovers of every method, by policies with figures at random.

use std::fmt;

use key_metadata::policy::{AlgorithmRollover, PolicyKey, TrustAnchor};
use key_metadata::step::Step;
use key_metadata::{Algorithm, KeySpec, Policy, Role, RolloverMethod, Span, Time};
use proptest::prelude::*;
use rollover::planner::Goal;

use crate::site::{Zone, policy};

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    PrePublication,
    DoubleSignature,
    DoubleKsk,
    DoubleDs,
    DoubleRrset,
    Csk,
    Conservative,
    ConservativeCsk,
    Liberal,
    LiberalCsk,
    First,
    FirstCsk,
    Insecure,
    InsecureCsk,
    LostKsk,
    Rfc5011,
    Rfc5011Csk,
    BackFromPublished,
    BackFromSubmitted,
}

impl Case {
    pub const ALL: [Self; 19] = [
        Self::PrePublication,
        Self::DoubleSignature,
        Self::DoubleKsk,
        Self::DoubleDs,
        Self::DoubleRrset,
        Self::Csk,
        Self::Conservative,
        Self::ConservativeCsk,
        Self::Liberal,
        Self::LiberalCsk,
        Self::First,
        Self::FirstCsk,
        Self::Insecure,
        Self::InsecureCsk,
        Self::LostKsk,
        Self::Rfc5011,
        Self::Rfc5011Csk,
        Self::BackFromPublished,
        Self::BackFromSubmitted,
    ];

    const fn is_of_csk(self) -> bool {
        matches!(
            self,
            Self::Csk
                | Self::ConservativeCsk
                | Self::LiberalCsk
                | Self::FirstCsk
                | Self::InsecureCsk
                | Self::Rfc5011Csk
        )
    }

    /// What is wanted, beside what the policy asks for by itself.
    fn goal(self, now: Time) -> Option<Goal> {
        let rsa = || KeySpec::new(Algorithm::RsaSha256, Some(2048)).unwrap();
        match self {
            Self::PrePublication | Self::DoubleSignature => Some(Goal::Roll(Role::Zsk)),
            Self::DoubleKsk | Self::DoubleDs | Self::DoubleRrset | Self::Rfc5011 => {
                Some(Goal::Roll(Role::Ksk))
            }
            Self::Csk | Self::Rfc5011Csk => Some(Goal::Roll(Role::Csk)),
            Self::Conservative | Self::ConservativeCsk | Self::Liberal | Self::LiberalCsk => {
                Some(Goal::Algorithm(rsa()))
            }
            Self::First | Self::FirstCsk => None,
            Self::Insecure | Self::InsecureCsk => Some(Goal::Insecure),
            Self::LostKsk => Some(Goal::Lost(Role::Ksk, now)),
            Self::BackFromPublished | Self::BackFromSubmitted => Some(Goal::Abandon),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// From nothing to days, each order of magnitude as often as the other.
fn seconds() -> impl Strategy<Value = u32> {
    prop_oneof![
        1 => Just(0u32),
        2 => 1u32..10,
        3 => 10u32..600,
        4 => 600u32..90_000,
        2 => 90_000u32..300_000,
    ]
}

/// Figures, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub dsgn: u32,
    pub dprp: u32,
    pub ttl_key: u32,
    pub ttl_sig: u32,
    pub dprp_parent: u32,
    pub ttl_ds: u32,
    pub dreg: u32,
    pub psafe: u32,
    pub rsafe: u32,
}

prop_compose! {
    fn figures()(
        dsgn in seconds(), dprp in seconds(), ttl_key in seconds(), ttl_sig in seconds(), dprp_parent in seconds(), ttl_ds in seconds(),
        dreg in seconds(), safety in prop_oneof![2 => Just((0, 0)), 1 => (seconds(), seconds())],
    ) -> Figures {
        let (psafe, rsafe) = safety;
        Figures { dsgn, dprp, ttl_key, ttl_sig, dprp_parent, ttl_ds, dreg, psafe, rsafe }
    }
}

/// A policy, what is planned by it, and what happens to the plan.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub case: Case,
    pub figures: Figures,
    /// A time in which the signer stands still: so long after the plan's beginning, for so long.
    pub outage: Option<(u32, u32)>,
    /// A step that comes so much later, and all that follow it.
    pub late: (usize, u32),
    /// A step that changes places with the next one.
    pub swapped: usize,
    /// Of the simulated world.
    pub seed: u64,
}

pub fn draws(case: Case) -> impl Strategy<Value = Drawn> {
    let outage = prop::option::weighted(0.2, (0u32..400_000, 1u32..80_000));
    (
        figures(),
        outage,
        (0usize..12, seconds()),
        0usize..12,
        any::<u64>(),
    )
        .prop_map(move |(figures, outage, late, swapped, seed)| Drawn {
            case,
            figures,
            outage,
            late,
            swapped,
            seed,
        })
}

const YEAR: u32 = 365 * 86_400;

impl Drawn {
    /// A zone in which the case is about to begin.
    pub fn zone(&self) -> Zone {
        let policy = self.policy();
        let mut zone = match self.case {
            Case::First | Case::FirstCsk => Zone::new(policy),
            _ => Zone::signed(policy),
        };
        match self.case {
            Case::BackFromPublished => zone.take(Role::Ksk, &[Step::Publish]),
            Case::BackFromSubmitted => zone.take(Role::Ksk, &[Step::Publish, Step::Submit]),
            _ => {}
        }
        zone
    }

    pub fn goals(&self, zone: &Zone) -> Vec<Goal> {
        self.case.goal(zone.now).into_iter().collect()
    }

    pub fn outages(&self, zone: &Zone) -> Vec<(Time, Time)> {
        let outage = self.outage.map(|(after, length)| {
            let from = zone.now.after(Span::from_seconds(after));
            (from, from.after(Span::from_seconds(length)))
        });
        outage.into_iter().collect()
    }

    fn policy(&self) -> Policy {
        let f = self.figures;
        let span = Span::from_seconds;
        let mut policy = policy(if self.case.is_of_csk() { "csk" } else { "small-tld" });
        policy.signatures.resign = span(f.dsgn);
        policy.dnskey_ttl = span(f.ttl_key);
        policy.zone.max_ttl = span(f.ttl_sig);
        policy.zone.negative_ttl = None;
        policy.zone.propagation_delay = span(f.dprp);
        policy.parent.ds_ttl = span(f.ttl_ds);
        policy.parent.propagation_delay = span(f.dprp_parent);
        policy.parent.registration_delay = span(f.dreg);
        policy.safety.publish = span(f.psafe);
        policy.safety.retire = span(f.rsafe);
        // Signatures outlive the caches, an outage, and a lost KSK.
        let ds = f.dreg + f.dprp_parent + f.ttl_ds + f.psafe + f.rsafe;
        let kept = f.dprp + f.ttl_key.max(f.ttl_sig);
        let renewed = 2 * f.dsgn + kept + ds + 100_000;
        policy.signatures.refresh = Some(span(renewed));
        // In the world a signature may last nearly twice as long as what it has left when it is renewed.
        policy.signatures.validity = span(2 * renewed);
        for key in [&mut policy.keys.ksk, &mut policy.keys.zsk, &mut policy.keys.csk] {
            key.iter_mut()
                .for_each(|key: &mut PolicyKey| key.lifetime = span(20 * YEAR));
        }
        let method = match self.case {
            Case::DoubleSignature => Some((Role::Zsk, RolloverMethod::DoubleSignature)),
            Case::DoubleDs => Some((Role::Ksk, RolloverMethod::DoubleDs)),
            Case::DoubleRrset => Some((Role::Ksk, RolloverMethod::DoubleRrset)),
            _ => None,
        };
        match (method, &mut policy.keys) {
            (Some((Role::Zsk, method)), keys) => keys.zsk.as_mut().unwrap().rollover = Some(method),
            (Some((_, method)), keys) => keys.ksk.as_mut().unwrap().rollover = Some(method),
            (None, _) => {}
        }
        if matches!(self.case, Case::Liberal | Case::LiberalCsk) {
            policy.algorithm_rollover = AlgorithmRollover::Liberal;
        }
        if matches!(self.case, Case::Rfc5011 | Case::Rfc5011Csk) {
            policy.trust_anchor = TrustAnchor::Rfc5011;
        }
        policy
    }
}
