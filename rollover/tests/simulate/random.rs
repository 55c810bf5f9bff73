//! Schedules that nobody planned: rollovers of every method with waits that are right, a second short, or anything; steps out of order; and lanes
//! at random.

use key_metadata::{Role, Span, Time, timing};
use proptest::prelude::*;
use rollover::schedule::{
    AlgorithmNumber, Caching, Event, KeyIndex, KeyLanes, Lane, Presence, Propagation, Schedule, Signatures,
    Silence, Silenced,
};

/// When the schedules begin.
pub fn since() -> Time {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn span(seconds: u32) -> Span {
    Span::from_seconds(seconds)
}

/// From nothing to weeks, each order of magnitude as often as the other.
pub fn seconds() -> impl Strategy<Value = u32> {
    prop_oneof![
        1 => Just(0u32),
        2 => 1u32..10,
        3 => 10u32..600,
        4 => 600u32..90_000,
        2 => 90_000u32..1_300_000,
    ]
}

/// The figures of a zone, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub dsgn: u32,
    pub dprp: u32,
    pub ttl_key: u32,
    pub ttl_sig: u32,
    pub dprp_parent: u32,
    pub ttl_ds: u32,
    pub dreg: u32,
}

prop_compose! {
    pub fn figures()(
        dsgn in seconds(), dprp in seconds(), ttl_key in seconds(), ttl_sig in seconds(), dprp_parent in seconds(),
        ttl_ds in seconds(), dreg in seconds(),
    ) -> Figures {
        Figures { dsgn, dprp, ttl_key, ttl_sig, dprp_parent, ttl_ds, dreg }
    }
}

impl Figures {
    /// Nobody keeps anything, and nothing takes any time.
    const NOTHING: Self = Self {
        dsgn: 0,
        dprp: 0,
        ttl_key: 0,
        ttl_sig: 0,
        dprp_parent: 0,
        ttl_ds: 0,
        dreg: 0,
    };

    /// T3 (draft-ietf-dnsop-rfc5011-security-considerations).
    pub fn add_wait(self, validity: u32) -> u32 {
        let figure = |seconds| timing::Figure::policy(span(seconds));
        let figures = timing::Figures {
            dsgn: figure(self.dsgn),
            dprp: figure(self.dprp),
            ttl_key: figure(self.ttl_key),
            ttl_sig: figure(self.ttl_sig),
            dprp_parent: figure(self.dprp_parent),
            ttl_ds: figure(self.ttl_ds),
            dreg: figure(self.dreg),
            psafe: figure(0),
            rsafe: figure(0),
        };
        timing::t3_add_wait(&figures, &figure(validity)).total().seconds()
    }

    /// Until everybody has looked who follows the keys.
    fn until_seen(self) -> u32 {
        let interval = (self.ttl_key / 2).clamp(3600, 15 * 86_400);
        self.dprp + self.ttl_key + interval + self.ttl_key.max(3600)
    }
}

/// What is published of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Dnskey,
    Ds,
    /// Its RRSIG of the DNSKEY RRset.
    Ksig,
    /// Its RRSIGs of the zone.
    Zsig,
    Revoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    In,
    Out,
}

use Comes::{In, Out};
use What::{Dnskey, Ds, Ksig, Revoked, Zsig};

/// A step of a rollover: how long after the step before, by the book, and what changes of which key.
struct Step {
    wait: u32,
    changes: Vec<(usize, What, Comes)>,
}

fn step(wait: u32, changes: impl Into<Vec<(usize, What, Comes)>>) -> Step {
    let changes = changes.into();
    Step { wait, changes }
}

/// The rollovers of the RFCs.
#[derive(Clone, Copy, Debug)]
pub enum Method {
    PrePublication,
    DoubleSignature,
    DoubleKsk,
    DoubleDs,
    DoubleRrset,
    Csk,
    AlgorithmConservative,
    AlgorithmLiberal,
    First,
    Insecure,
}

impl Method {
    pub const ALL: [Self; 10] = [
        Self::PrePublication,
        Self::DoubleSignature,
        Self::DoubleKsk,
        Self::DoubleDs,
        Self::DoubleRrset,
        Self::Csk,
        Self::AlgorithmConservative,
        Self::AlgorithmLiberal,
        Self::First,
        Self::Insecure,
    ];

    /// The keys: role, algorithm, and whether it is there from the beginning.
    fn keys(self) -> Vec<(Role, u8, bool)> {
        let (ksk, zsk) = ((Role::Ksk, 13, true), (Role::Zsk, 13, true));
        match self {
            Self::PrePublication | Self::DoubleSignature => vec![ksk, zsk, (Role::Zsk, 13, false)],
            Self::DoubleKsk | Self::DoubleDs | Self::DoubleRrset => vec![ksk, zsk, (Role::Ksk, 13, false)],
            Self::Csk => vec![(Role::Csk, 13, true), (Role::Csk, 13, false)],
            Self::AlgorithmConservative | Self::AlgorithmLiberal => {
                vec![ksk, zsk, (Role::Ksk, 8, false), (Role::Zsk, 8, false)]
            }
            Self::First => vec![(Role::Ksk, 13, false), (Role::Zsk, 13, false)],
            Self::Insecure => vec![ksk, zsk],
        }
    }

    fn steps(self, f: Figures) -> Vec<Step> {
        let keys_known = f.dsgn + f.dprp + f.ttl_key;
        let signatures_known = f.dsgn + f.dprp + f.ttl_sig;
        let ds_known = f.dreg + f.dprp_parent + f.ttl_ds;
        match self {
            Self::PrePublication => vec![
                step(1000, [(2, Dnskey, In)]),
                step(keys_known, [(1, Zsig, Out), (2, Zsig, In)]),
                step(signatures_known, [(1, Dnskey, Out)]),
            ],
            Self::DoubleSignature => vec![
                step(1000, [(2, Dnskey, In), (2, Zsig, In)]),
                step(
                    keys_known.max(signatures_known),
                    [(1, Dnskey, Out), (1, Zsig, Out)],
                ),
            ],
            Self::DoubleKsk => vec![
                step(1000, [(2, Dnskey, In), (2, Ksig, In)]),
                step(keys_known, [(0, Ds, Out), (2, Ds, In)]),
                step(ds_known, [(0, Dnskey, Out), (0, Ksig, Out)]),
            ],
            Self::DoubleDs => vec![
                step(1000, [(2, Ds, In)]),
                step(
                    ds_known,
                    [(0, Dnskey, Out), (0, Ksig, Out), (2, Dnskey, In), (2, Ksig, In)],
                ),
                step(keys_known, [(0, Ds, Out)]),
            ],
            Self::DoubleRrset => vec![
                step(1000, [(2, Ds, In), (2, Dnskey, In), (2, Ksig, In)]),
                step(
                    keys_known.max(ds_known),
                    [(0, Ds, Out), (0, Dnskey, Out), (0, Ksig, Out)],
                ),
            ],
            Self::Csk => vec![
                step(1000, [(1, Dnskey, In), (1, Ksig, In)]),
                step(
                    keys_known,
                    [(0, Ds, Out), (1, Ds, In), (0, Zsig, Out), (1, Zsig, In)],
                ),
                step(ds_known.max(signatures_known), [(0, Dnskey, Out), (0, Ksig, Out)]),
            ],
            Self::AlgorithmConservative => vec![
                step(1000, [(3, Zsig, In)]),
                step(
                    signatures_known,
                    [(2, Dnskey, In), (2, Ksig, In), (3, Dnskey, In)],
                ),
                step(keys_known, [(0, Ds, Out), (2, Ds, In)]),
                step(ds_known, [(0, Dnskey, Out), (0, Ksig, Out), (1, Dnskey, Out)]),
                step(keys_known, [(1, Zsig, Out)]),
            ],
            Self::AlgorithmLiberal => vec![
                step(
                    1000,
                    [(2, Dnskey, In), (2, Ksig, In), (3, Dnskey, In), (3, Zsig, In)],
                ),
                step(keys_known.max(signatures_known), [(0, Ds, Out), (2, Ds, In)]),
                step(
                    ds_known,
                    [(0, Dnskey, Out), (0, Ksig, Out), (1, Dnskey, Out), (1, Zsig, Out)],
                ),
            ],
            Self::First => vec![
                step(
                    1000,
                    [(0, Dnskey, In), (0, Ksig, In), (1, Dnskey, In), (1, Zsig, In)],
                ),
                step(keys_known.max(signatures_known), [(0, Ds, In)]),
            ],
            Self::Insecure => vec![
                step(1000, [(0, Ds, Out)]),
                step(
                    ds_known,
                    [(0, Dnskey, Out), (0, Ksig, Out), (1, Dnskey, Out), (1, Zsig, Out)],
                ),
            ],
        }
    }
}

/// What is done to a wait.
#[derive(Clone, Copy, Debug)]
pub enum Bend {
    Right,
    Less,
    More,
    /// So many hundredths of it.
    Scaled(u32),
    /// The step and the one before it change places.
    Swapped,
}

fn bends(right: u32) -> impl Strategy<Value = Vec<Bend>> {
    let bend = prop_oneof![
        right => Just(Bend::Right),
        3 => Just(Bend::Less),
        1 => Just(Bend::More),
        2 => (0u32..200).prop_map(Bend::Scaled),
        1 => Just(Bend::Swapped),
    ];
    prop::collection::vec(bend, 5)
}

fn methods() -> impl Strategy<Value = Method> {
    (0..Method::ALL.len()).prop_map(|place| Method::ALL[place])
}

/// A rollover whose waits are bent; whether it is safe is not known.
pub fn rollovers() -> impl Strategy<Value = Schedule> {
    let left = prop_oneof![3 => Just(None), 1 => (seconds(), seconds()).prop_map(Some)];
    let ttls = prop::option::weighted(0.2, (0u32..200, seconds()));
    (methods(), figures(), bends(8), left, ttls)
        .prop_map(|(method, figures, bends, left, ttls)| bent(method, figures, &bends, left, ttls))
}

/// A rollover whose steps all come at one instant, by the book of a zone that nobody keeps anything of.
pub fn at_once(method: Method) -> Schedule {
    bent(method, Figures::NOTHING, &[Bend::Right; 5], None, None)
}

/// The same where little is kept, and RRSIGs have little left when they are served: seconds, or nothing.
pub fn short_lived() -> impl Strategy<Value = Schedule> {
    let figures = (0u32..3, 0u32..3, 0u32..3).prop_map(|(dprp, ttl_key, ttl_sig)| Figures {
        dprp,
        ttl_key,
        ttl_sig,
        ..Figures::NOTHING
    });
    (methods(), figures, (0u32..6, 0u32..6))
        .prop_map(|(method, figures, left)| bent(method, figures, &[Bend::Right; 5], Some(left), None))
}

fn empty(figures: Figures, left: Option<(u32, u32)>) -> Schedule {
    let begins = since();
    let ample = figures.dprp + figures.ttl_key.max(figures.ttl_sig) + 1000;
    let (zone, dnskey) = left.map_or((ample, ample), |left| left);
    Schedule {
        zone: "example".parse().unwrap(),
        since: begins,
        keys: Vec::new(),
        causes: vec!["the beginning".to_owned()],
        caching: Caching {
            dnskey: vec![(begins, span(figures.ttl_key))],
            ds: vec![(begins, span(figures.ttl_ds))],
            zone: vec![(begins, span(figures.ttl_sig))],
        },
        propagation: Propagation {
            zone: span(figures.dprp),
            parent: span(figures.dprp_parent),
        },
        signatures: Signatures {
            zone: span(zone),
            dnskey: span(dnskey),
        },
        silences: Vec::new(),
    }
}

fn bent(
    method: Method,
    figures: Figures,
    bends: &[Bend],
    left: Option<(u32, u32)>,
    ttls: Option<(u32, u32)>,
) -> Schedule {
    let mut schedule = empty(figures, left);
    for (place, (role, algorithm, is_there)) in method.keys().into_iter().enumerate() {
        let mut key = KeyLanes::new(format!("{role} {}", place + 1), role, AlgorithmNumber(algorithm));
        if is_there {
            let first = Event::at(since(), rollover::schedule::CauseIndex(0));
            key.dnskey.begin(first);
            if role.signs_dnskey() {
                key.ds.begin(first);
                key.dnskey_rrsig.begin(first);
            }
            if role.signs_zone() {
                key.zone_rrsig.begin(first);
            }
        }
        schedule.add(key);
    }
    let length = take(&mut schedule, figures, method.steps(figures), bends);
    if let Some((hundredths, ttl)) = ttls {
        let when = since().after(span(length / 100 * hundredths));
        schedule.caching.zone.push((when, span(ttl)));
        schedule.caching.dnskey.push((when, span(ttl / 2)));
    }
    schedule
}

/// What comes or goes of which key.
type Changes = Vec<(usize, What, Comes)>;

/// Takes the steps of a rollover, and tells how long it takes.
fn take(schedule: &mut Schedule, figures: Figures, steps: Vec<Step>, bends: &[Bend]) -> u32 {
    let mut at = since();
    let mut taken: Vec<(Time, Changes)> = Vec::new();
    for (step, bend) in steps.into_iter().zip(bends) {
        let wait = match bend {
            Bend::Right | Bend::Swapped => step.wait,
            Bend::Less => step.wait.saturating_sub(1),
            Bend::More => step.wait + 1,
            Bend::Scaled(hundredths) => step.wait / 100 * hundredths + step.wait % 100 * hundredths / 100,
        };
        at = at.after(span(wait));
        taken.push((at, step.changes));
        if let (Bend::Swapped, [.., before, last]) = (bend, taken.as_mut_slice()) {
            std::mem::swap(&mut before.1, &mut last.1);
        }
    }
    for (number, (at, changes)) in taken.into_iter().enumerate() {
        let cause = schedule.cause(format!("step {}", number + 1));
        for (key, what, comes) in changes {
            let window = match what {
                Ds => figures.dreg,
                Dnskey | Ksig | Zsig | Revoked => figures.dsgn,
            };
            let event = Event {
                from: at,
                by: at.after(span(window)),
                cause,
            };
            let key = &mut schedule.keys[key];
            let lane = match what {
                Dnskey => &mut key.dnskey,
                Ds => &mut key.ds,
                Ksig => &mut key.dnskey_rrsig,
                Zsig => &mut key.zone_rrsig,
                Revoked => {
                    key.revoked = Some(event);
                    continue;
                }
            };
            match comes {
                In => lane.begin(event),
                Out => lane.end(event),
            }
        }
    }
    at.since(since()).seconds()
}

/// How a rollover of a KSK that validators follow ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The old one is revoked, as it should be.
    Revoked,
    /// The old one just goes.
    Gone,
    /// The new one goes again.
    Abandoned,
}

/// A rollover of a KSK that validators follow, with bent waits: `add_wait` seconds after its publication the new one is trusted.
pub fn followed() -> impl Strategy<Value = (Schedule, Figures)> {
    let end = prop_oneof![4 => Just(End::Revoked), 1 => Just(End::Gone), 1 => Just(End::Abandoned)];
    let ttl = prop_oneof![seconds(), 1_000_000u32..3_000_000];
    (figures(), ttl, bends(40), end, 0u32..100).prop_map(|(mut figures, ttl, bends, end, nearer)| {
        // The least validity of a policy is an hour.
        figures.ttl_key = ttl;
        let least = figures.dprp + figures.ttl_key.max(figures.ttl_sig) + 3600;
        let add_wait = figures.dprp + figures.add_wait(least * 2);
        let mut schedule = empty(figures, Some((least, least)));
        let first = Event::at(since(), rollover::schedule::CauseIndex(0));
        for (label, role) in [("KSK 1", Role::Ksk), ("ZSK 2", Role::Zsk)] {
            let mut key = KeyLanes::new(label, role, AlgorithmNumber(13));
            key.dnskey.begin(first);
            match role {
                Role::Ksk => {
                    key.ds.begin(first);
                    key.dnskey_rrsig.begin(first);
                }
                Role::Zsk | Role::Csk => key.zone_rrsig.begin(first),
            }
            schedule.add(key);
        }
        schedule.add(KeyLanes::new("KSK 3", Role::Ksk, AlgorithmNumber(13)));
        let known = figures.dsgn + figures.dprp + figures.ttl_key;
        let trusted = (figures.dsgn + add_wait).saturating_sub(known) / 100 * nearer.max(50);
        let trusted = if nearer < 60 {
            (figures.dsgn + add_wait).saturating_sub(known)
        } else {
            trusted
        };
        let month = 30 * 86_400;
        let steps = match end {
            End::Revoked => vec![
                step(1000, [(2, Dnskey, In), (2, Ksig, In)]),
                step(known, [(0, Ds, Out), (2, Ds, In)]),
                step(trusted, [(0, Revoked, In)]),
                step(
                    figures.dsgn + month.max(figures.until_seen()),
                    [(0, Dnskey, Out), (0, Ksig, Out)],
                ),
            ],
            End::Gone => vec![
                step(1000, [(2, Dnskey, In), (2, Ksig, In)]),
                step(known, [(0, Ds, Out), (2, Ds, In)]),
                step(trusted, [(0, Dnskey, Out), (0, Ksig, Out)]),
            ],
            End::Abandoned => vec![
                step(1000, [(2, Dnskey, In), (2, Ksig, In)]),
                step(month / 50 * nearer, [(2, Dnskey, Out), (2, Ksig, Out)]),
            ],
        };
        take(&mut schedule, figures, steps, &bends);
        (schedule, figures)
    })
}

/// Keys that come and go at any time.
pub fn chaos() -> impl Strategy<Value = Schedule> {
    let presence = (0u32..1000, 0u32..400, 0u32..1000, 0u32..400, 0u8..4);
    let lanes = prop::collection::vec(presence, 4);
    let role = prop_oneof![Just(Role::Ksk), Just(Role::Zsk), Just(Role::Csk)];
    let key = (role, prop_oneof![Just(13u8), Just(8u8)], lanes, 0u32..1500);
    let silence = (0u32..1000, 1u32..1000, 0u8..3, 0u8..4);
    (
        prop::collection::vec(key, 1..5),
        figures(),
        prop::option::weighted(0.3, (seconds(), seconds())),
        prop_oneof![
            7 => Just(Vec::new()),
            3 => prop::collection::vec(silence, 1..4),
        ],
    )
        .prop_map(|(keys, figures, left, silences)| scattered(keys, figures, left, silences))
}

type RandomKey = (Role, u8, Vec<(u32, u32, u32, u32, u8)>, u32);

fn scattered(
    keys: Vec<RandomKey>,
    figures: Figures,
    left: Option<(u32, u32)>,
    silences: Vec<(u32, u32, u8, u8)>,
) -> Schedule {
    let mut schedule = empty(figures, left);
    // Long enough for caches to matter, and for changes to come before they have forgotten.
    let unit = 1 + (figures.ttl_ds.max(figures.ttl_key).max(figures.ttl_sig) / 400);
    let at = |thousandths: u32| since().after(span(thousandths.saturating_mul(unit)));
    for (place, (role, algorithm, lanes, revoked)) in keys.into_iter().enumerate() {
        let mut key = KeyLanes::new(format!("{role} {}", place + 1), role, AlgorithmNumber(algorithm));
        let mut lane = |(begins, begin_window, length, end_window, kind): (u32, u32, u32, u32, u8)| {
            let cause = schedule.cause("something");
            let begins = match kind {
                0 => Event::at(since(), rollover::schedule::CauseIndex(0)),
                _ => Event {
                    from: at(begins),
                    by: at(begins + begin_window / 10),
                    cause,
                },
            };
            let cause = schedule.cause("something else");
            let ends = Event {
                from: begins.by.after(span(length * unit)),
                by: begins.by.after(span((length + end_window / 10) * unit)),
                cause,
            };
            let ends = (kind != 1).then_some(ends);
            Lane(vec![Presence { begins, ends }])
        };
        key.dnskey = lane(lanes[0]);
        if role.signs_dnskey() {
            key.ds = lane(lanes[1]);
            key.dnskey_rrsig = lane(lanes[2]);
        }
        if role.signs_zone() {
            key.zone_rrsig = lane(lanes[3]);
        }
        if revoked < 1000 && role.signs_dnskey() {
            let cause = schedule.cause("revoked");
            key.revoked = Some(Event::at(at(revoked), cause));
        }
        schedule.add(key);
    }
    for (from, length, of, ends) in silences {
        let cause = schedule.cause("an outage");
        schedule.silences.push(Silence {
            from: at(from),
            until: (ends != 0).then(|| at(from + length)),
            of: match of {
                0 => Silenced::All,
                1 => Silenced::Dnskey,
                _ => Silenced::Zone,
            },
            cause,
        });
    }
    schedule
}

/// The keys that all validators with trust anchors have in the beginning: those that signed the DNSKEY RRset then.
pub fn initial_anchors(schedule: &Schedule) -> std::collections::BTreeSet<KeyIndex> {
    let is_there = |key: &KeyLanes| {
        let first = key.dnskey_rrsig.0.first();
        key.role.signs_dnskey() && first.is_some_and(|presence| presence.begins.by <= schedule.since)
    };
    let keys = schedule.keys.iter().enumerate();
    keys.filter(|(_, key)| is_there(key))
        .map(|(place, _)| KeyIndex(place))
        .collect()
}
