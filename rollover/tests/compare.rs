//! What an observation shows, by itself and against the records.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::observed::{Denial, Signature};
use key_metadata::{
    Algorithm, Asked, Backup, ChildAnswer, DnskeyAnswer, DsAnswer, Extractability, KeyId, KeyRecord,
    KeyReference, KeyState, KeyTimes, ListedBy, Observation, ObservedDnskey, ObservedDs, ObservedRrsig,
    PublicKey, Role, Server, SoaAnswer, Source, Span, Time, TokenUri, ZoneName,
};
use rollover::compare::{Finding, Severity, compare};

const AT: &str = "2026-10-01T00:00:00Z";

fn zone() -> ZoneName {
    "fi.cr".parse().unwrap()
}

fn at() -> Time {
    AT.parse().unwrap()
}

fn days(days: u32) -> Span {
    Span::from_seconds(days * 86_400)
}

fn key(octet: u8, role: Role, state: KeyState) -> KeyRecord {
    let id = KeyId::from_random([octet; 16]);
    KeyRecord {
        id,
        role,
        public_key: PublicKey::from_dnskey(Algorithm::Ed25519, &[octet; 32]).unwrap(),
        reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
        state,
        times: KeyTimes::generated(at()),
        backup: Backup {
            extractability: Extractability::Never,
            bundles: Vec::new(),
        },
    }
}

/// A DS with SHA-256, as it is digested by the function that is under test elsewhere (RFC 4509 2.3).
fn ds(key: &KeyRecord) -> ObservedDs {
    let dnskey = ObservedDnskey::of(key);
    let mut data = zone().wire();
    data.extend_from_slice(&[1, 1, 3, 15]);
    data.extend_from_slice(&dnskey.public_key);
    ObservedDs {
        key_tag: key.key_tag(),
        algorithm: 15,
        digest_type: 2,
        digest: key_metadata::Digest::of(&data).bytes().to_vec(),
    }
}

fn rrsig(key: &ObservedDnskey) -> ObservedRrsig {
    ObservedRrsig {
        key_tag: key.key_tag(),
        algorithm: key.algorithm,
        inception: at().before(days(1)),
        expiration: at().after(days(13)),
        original_ttl: Span::from_seconds(3600),
        signature: Signature::Good,
    }
}

/// A zone, its parent and the records, in order: KSK and ZSK, both active.
struct Case {
    records: Vec<KeyRecord>,
    ds: Vec<ObservedDs>,
    child: ChildAnswer,
}

impl Case {
    fn new() -> Self {
        let records = vec![
            key(1, Role::Ksk, KeyState::Active),
            key(2, Role::Zsk, KeyState::Active),
        ];
        let [ksk, zsk] = [0, 1].map(|index: usize| ObservedDnskey::of(&records[index]));
        Self {
            ds: vec![ds(&records[0])],
            records,
            child: ChildAnswer {
                dnskey: DnskeyAnswer {
                    ttl: Span::from_seconds(3600),
                    rrsigs: vec![rrsig(&ksk)],
                    records: vec![ksk, zsk.clone()],
                    denial: None,
                },
                soa: Some(SoaAnswer {
                    serial: 1,
                    expire: days(7),
                    minimum: Span::from_seconds(300),
                    ttl: Span::from_seconds(3600),
                    rrsigs: vec![rrsig(&zsk)],
                }),
            },
        }
    }

    fn soa(&mut self) -> &mut Vec<ObservedRrsig> {
        &mut self.child.soa.as_mut().unwrap().rrsigs
    }

    fn findings(&self) -> Vec<Finding> {
        let server: Server = "ns.example=192.0.2.1".parse().unwrap();
        let ds = DsAnswer {
            ttl: days(1),
            ds: self.ds.clone(),
            denial: self.ds.is_empty().then_some(Denial::NoData),
        };
        let observation = Observation {
            at: at(),
            began: at(),
            operator: "officer".to_owned(),
            tool: "test".to_owned(),
            source: Source::Network,
            parent_zone: None,
            parent: Some(Asked::new(ListedBy::Operator, [Ok((server.clone(), ds))])),
            child: Some(Asked::new(ListedBy::Operator, [Ok((server, self.child.clone()))])),
        };
        observation.check().unwrap();
        compare(&zone(), &self.records, &observation)
    }

    fn told(&self) -> Vec<String> {
        let told = |finding: &Finding| format!("{}: {}", finding.severity, finding.text);
        self.findings().iter().map(told).collect()
    }
}

fn edited(edit: impl FnOnce(&mut Case)) -> Vec<String> {
    let mut case = Case::new();
    edit(&mut case);
    case.told()
}

#[test]
fn what_is_as_the_records_say_is_not_told() {
    assert_eq!(Case::new().told(), [""; 0]);
    // Without a DS nothing need be signed; a key whose DS is not there yet is on its way.
    let insecure = edited(|case| {
        case.ds.clear();
        case.records[0].state = KeyState::Ready;
        case.soa().clear();
        case.child.dnskey.rrsigs.clear();
    });
    let tag = key(1, Role::Ksk, KeyState::Ready).key_tag();
    assert_eq!(
        insecure,
        [format!(
            "note: KSK {tag} is ready: its DS is missing at every server that answered: it is on its way"
        )]
    );
}

#[test]
fn a_broken_chain_is_red() {
    let tag = Case::new().records[0].key_tag();
    let broken = format!("RED: no DS leads to a DNSKEY that signs the DNSKEY RRset: {tag}/15/2");
    let first = |told: Vec<String>| told.into_iter().next().unwrap();
    type Edit = fn(&mut Case);
    let edits: [Edit; 8] = [
        // Expired, not yet valid, forged, of a key that is not there, not there at all.
        |case| case.child.dnskey.rrsigs[0].expiration = at().before(Span::from_seconds(1)),
        |case| case.child.dnskey.rrsigs[0].inception = at().after(Span::from_seconds(1)),
        |case| case.child.dnskey.rrsigs[0].signature = Signature::Bad,
        |case| case.child.dnskey.rrsigs[0].signature = Signature::NoKey,
        |case| case.child.dnskey.rrsigs.clear(),
        // Signed by the ZSK alone.
        |case| {
            let zsk = case.child.dnskey.records[1].clone();
            case.child.dnskey.rrsigs[0] = rrsig(&zsk);
        },
        // Another digest under the same tag and algorithm.
        |case| case.ds[0].digest[0] ^= 1,
        // No key of a zone.
        |case| case.child.dnskey.records[0].protocol = 2,
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        assert_eq!(first(edited(edit)), broken, "edit {number}");
    }
    // A revoked key is no way in, whoever signs with it (RFC 5011 2.1).
    let revoked = edited(|case| {
        case.child.dnskey.records[0].flags |= 0x80;
        let ksk = case.child.dnskey.records[0].clone();
        case.child.dnskey.rrsigs[0] = rrsig(&ksk);
    });
    assert_eq!(revoked[0], broken);
    assert!(
        revoked.contains(&format!(
            "differs: KSK {tag} is active: its DNSKEY is there with the REVOKE bit"
        )),
        "{revoked:?}"
    );
    let soa = edited(|case| case.soa()[0].expiration = at().before(days(1)));
    assert_eq!(soa, ["RED: the SOA has no signature that holds"]);
    let soa = edited(|case| case.soa().clear());
    assert_eq!(soa, ["RED: the SOA has no signature that holds"]);
}

#[test]
fn every_algorithm_of_the_ds_must_sign() {
    let told = edited(|case| {
        let other = ObservedDs {
            algorithm: 13,
            ..case.ds[0].clone()
        };
        case.ds.push(other);
    });
    let tag = Case::new().records[0].key_tag();
    assert_eq!(
        told,
        [
            "RED: a DS has the algorithm ECDSAP256SHA256, and no signature of the DNSKEY RRset has (RFC 4035 2.2)"
                .to_owned(),
            format!("differs: DS {tag}/13/2 leads to no DNSKEY that signs the DNSKEY RRset"),
            format!("differs: DS {tag}/13/2 is of no key in the records"),
        ]
    );
}

#[test]
fn a_second_ds_in_advance_breaks_nothing() {
    let told = edited(|case| {
        let next = key(3, Role::Ksk, KeyState::Generated);
        case.ds.push(ds(&next));
        case.records.push(next);
    });
    let tag = key(3, Role::Ksk, KeyState::Generated).key_tag();
    assert_eq!(
        told,
        [
            format!("differs: DS {tag}/15/2 leads to no DNSKEY that signs the DNSKEY RRset"),
            format!("differs: KSK {tag} is generated: its DS is at every server that answered"),
        ]
    );
}

#[test]
fn what_cannot_be_verified_is_not_known() {
    let unchecked = edited(|case| case.child.dnskey.rrsigs[0].signature = Signature::NotChecked);
    let tag = Case::new().records[0].key_tag();
    assert_eq!(
        unchecked,
        [format!(
            "not known: the signatures of the DNSKEY RRset cannot be verified here: {tag}/15/2"
        )]
    );
    let digest = edited(|case| case.ds[0].digest_type = 3);
    let text = format!("not known: no DS has a digest that is known: {tag}/15/3");
    assert!(digest.contains(&text), "{digest:?}");
    let soa = edited(|case| case.child.soa = None);
    let text = "not known: the signatures of the SOA cannot be verified here, or it was not asked for";
    assert_eq!(soa, [text]);
}

/// For each state, what is told of a KSK whose DNSKEY and DS are there, and of one that has neither.
#[test]
fn a_key_is_where_its_state_says() {
    for (state, present, absent) in [
        (KeyState::Generated, vec!["DNSKEY is at", "DS is at"], vec![]),
        (
            KeyState::Published,
            vec!["DS is at"],
            vec!["DNSKEY is missing at every server that answered: it is on its way"],
        ),
        (
            KeyState::Ready,
            vec![],
            vec![
                "DNSKEY is missing",
                "DS is missing at every server that answered: it is on its way",
            ],
        ),
        (
            KeyState::Active,
            vec![],
            vec!["DNSKEY is missing", "DS is missing"],
        ),
        (
            KeyState::Retired,
            vec!["DS is at every server that answered: it is on its way out"],
            vec!["DNSKEY is missing"],
        ),
        (KeyState::Dead, vec!["DS is at"], vec!["DNSKEY is missing"]),
        (KeyState::Removed, vec!["DNSKEY is at", "DS is at"], vec![]),
        (
            KeyState::Revoked,
            vec!["DNSKEY is there without the REVOKE bit", "DS is at"],
            vec!["DNSKEY is missing"],
        ),
        (KeyState::Destroyed, vec!["DNSKEY is at", "DS is at"], vec![]),
    ] {
        // Beside the pair that is as it should be.
        let third = key(3, Role::Ksk, state);
        let name = format!("KSK {} is {state}: its ", third.key_tag());
        let of_it = |told: Vec<String>| -> Vec<String> {
            let rest = |line: &String| Some(line.split_once(&name)?.1.to_owned());
            told.iter().filter_map(rest).collect()
        };
        let there = of_it(edited(|case| {
            case.child.dnskey.records.push(ObservedDnskey::of(&third));
            case.ds.push(ds(&third));
            case.records.push(third.clone());
        }));
        let not_there = of_it(edited(|case| case.records.push(third.clone())));
        for (told, expected) in [(there, present), (not_there, absent)] {
            assert_eq!(told.len(), expected.len(), "{state}: {told:?}");
            for part in expected {
                assert!(
                    told.iter().any(|line| line.starts_with(part)),
                    "{state}: {part}: {told:?}"
                );
            }
        }
    }
}

#[test]
fn the_worst_comes_first() {
    let mut case = Case::new();
    case.soa().clear();
    case.records[1].state = KeyState::Removed;
    case.records.push(key(3, Role::Ksk, KeyState::Published));
    let severities: Vec<_> = case.findings().iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Red, Severity::Differs, Severity::Note]);
}
