//! Observations: what follows from them, and what their file must not say.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::observation::{ObservationError, WhyNot};
use key_metadata::observations::{Added, KEPT, ObservationsError};
use key_metadata::observed::{Denial, Signature};
use key_metadata::sightings::{Count, Run};
use key_metadata::{
    Asked, ChildAnswer, DnskeyAnswer, DsAnswer, ListedBy, NoAnswer, Observation, Observations,
    ObservedDnskey, ObservedDs, ObservedRrsig, Server, SiteFolder, SoaAnswer, Source, Span, Time, ZoneName,
};
use proptest::prelude::*;

const START: &str = "2026-10-01T00:00:00Z";

fn zone() -> ZoneName {
    "cr".parse().unwrap()
}

/// That many hours after the start.
fn hour(hours: u32) -> Time {
    START
        .parse::<Time>()
        .unwrap()
        .after(Span::from_seconds(hours * 3600))
}

fn server(number: usize) -> Server {
    format!("ns{number}.example=192.0.2.{number}").parse().unwrap()
}

fn ds(tag: u16) -> ObservedDs {
    ObservedDs {
        key_tag: tag,
        algorithm: 13,
        digest_type: 2,
        digest: vec![tag as u8; 32],
    }
}

fn with_ds(tags: &[u16], ttl: u32) -> DsAnswer {
    DsAnswer {
        ttl: Span::from_seconds(ttl),
        ds: tags.iter().copied().map(ds).collect(),
        denial: tags.is_empty().then_some(Denial::NoData),
    }
}

fn dnskey(octet: u8) -> ObservedDnskey {
    ObservedDnskey {
        flags: 257,
        protocol: 3,
        algorithm: 13,
        public_key: vec![octet; 64],
    }
}

fn rrsig(key: &ObservedDnskey, expiration: Time) -> ObservedRrsig {
    ObservedRrsig {
        key_tag: key.key_tag(),
        algorithm: 13,
        inception: hour(0),
        expiration,
        original_ttl: Span::from_seconds(3600),
        signature: Signature::Good,
    }
}

fn with_keys(octets: &[u8], expiration: Time) -> ChildAnswer {
    let records: Vec<_> = octets.iter().copied().map(dnskey).collect();
    ChildAnswer {
        dnskey: DnskeyAnswer {
            ttl: Span::from_seconds(3600),
            rrsigs: records.iter().map(|key| rrsig(key, expiration)).collect(),
            records,
            denial: None,
        },
        soa: Some(SoaAnswer {
            serial: 1,
            expire: Span::from_seconds(604_800),
            minimum: Span::from_seconds(300),
            ttl: Span::from_seconds(900),
            rrsigs: Vec::new(),
        }),
    }
}

fn silent(number: usize, why: WhyNot) -> NoAnswer {
    let Server { name, address } = server(number);
    NoAnswer {
        name,
        address: Some(address),
        why,
        detail: "no answer".to_owned(),
    }
}

/// `None` is a server that did not answer.
fn asked<A: PartialEq>(answers: Vec<Option<A>>) -> Asked<A> {
    let results = answers
        .into_iter()
        .enumerate()
        .map(|(number, answer)| match answer {
            Some(answer) => Ok((server(number + 1), answer)),
            None => Err(silent(number + 1, WhyNot::Timeout)),
        });
    Asked::new(ListedBy::Resolver, results)
}

fn observation(hours: u32, parent: Vec<Option<DsAnswer>>, child: Vec<Option<ChildAnswer>>) -> Observation {
    Observation {
        at: hour(hours),
        began: hour(hours).before(Span::from_seconds(5)),
        operator: "officer".to_owned(),
        tool: "test".to_owned(),
        source: Source::Network,
        parent_zone: Some(".".parse().unwrap()),
        parent: (!parent.is_empty()).then(|| asked(parent)),
        child: (!child.is_empty()).then(|| asked(child)),
    }
}

fn parent(hours: u32, answers: Vec<Option<DsAnswer>>) -> Observation {
    observation(hours, answers, Vec::new())
}

fn all(observations: impl IntoIterator<Item = Observation>) -> Observations {
    let mut all = Observations::new(zone());
    for observation in observations {
        all.add(observation).unwrap();
    }
    all
}

fn is(tag: u16) -> impl Fn(&ObservedDs) -> bool {
    move |ds| ds.key_tag == tag
}

#[test]
fn a_ds_is_everywhere_when_every_server_said_so_and_since_then() {
    let seen = all([
        parent(1, vec![Some(with_ds(&[1], 60)), Some(with_ds(&[1], 60))]),
        parent(2, vec![Some(with_ds(&[1, 2], 60)), Some(with_ds(&[1], 60))]),
        parent(3, vec![Some(with_ds(&[1, 2], 60)), None]),
        parent(4, vec![Some(with_ds(&[1, 2], 60)), Some(with_ds(&[1, 2], 60))]),
        parent(5, vec![None, None]),
        parent(6, vec![Some(with_ds(&[1, 2], 60)), Some(with_ds(&[1, 2], 60))]),
    ]);
    assert_eq!(seen.ds_seen_everywhere(is(1)), Some(hour(1)));
    assert_eq!(seen.ds_seen_everywhere(is(2)), Some(hour(4)));
    assert_eq!(seen.ds_gone_everywhere(is(2)), None);
    assert_eq!(seen.ds_gone_everywhere(is(3)), Some(hour(1)));
    let run = seen.parent_run(|answer| answer.ds.contains(&ds(2))).unwrap();
    let after = Some(hour(2).before(Span::from_seconds(5)));
    assert_eq!(
        run,
        Run {
            after,
            since: hour(4),
            until: hour(6)
        }
    );
    assert_eq!(
        seen.ds_count(is(2)),
        Some(Count {
            at: hour(6),
            had: 2,
            answered: 2,
            servers: 2
        })
    );
}

#[test]
fn one_server_that_contradicts_ends_it_though_another_is_silent() {
    let seen = all([
        parent(1, vec![Some(with_ds(&[1], 60)), Some(with_ds(&[1], 60))]),
        parent(2, vec![None, Some(with_ds(&[], 60))]),
    ]);
    assert_eq!(seen.ds_seen_everywhere(is(1)), None);
    assert_eq!(seen.ds_gone_everywhere(is(1)), None);
    let count = seen.ds_count(is(1)).unwrap();
    assert_eq!((count.had, count.answered, count.servers), (0, 1, 2));
}

#[test]
fn an_answer_that_is_not_known_is_no_answer() {
    for why in [
        WhyNot::Timeout,
        WhyNot::Unreachable,
        WhyNot::Refused,
        WhyNot::ServFail,
        WhyNot::Rcode,
        WhyNot::Lame,
        WhyNot::Malformed,
        WhyNot::NoAddress,
        WhyNot::LeftOut,
        WhyNot::NotInFile,
    ] {
        let results = [Ok((server(1), with_ds(&[1], 60))), Err(silent(2, why))];
        let asked = Asked::new(ListedBy::Resolver, results);
        assert!(!asked.is_complete(), "{why}");
        let seen = all([Observation {
            parent: Some(asked),
            ..parent(1, vec![None])
        }]);
        assert_eq!(seen.ds_seen_everywhere(is(1)), None, "{why}");
        assert_eq!(seen.ds_gone_everywhere(is(2)), None, "{why}");
        assert_eq!(seen.ds_ttl(), None, "{why}");
    }
}

#[test]
fn an_address_that_was_left_out_is_missed_only_where_its_server_said_nothing_at_another() {
    let other = "ns1.example=2001:db8::1".parse::<Server>().unwrap();
    let left_out = NoAnswer {
        name: other.name,
        address: Some(other.address),
        why: WhyNot::LeftOut,
        detail: "IPv4 only".to_owned(),
    };
    let answered = || Ok((server(1), with_ds(&[1], 60)));
    let complete = Asked::new(ListedBy::Resolver, [answered(), Err(left_out.clone())]);
    assert!(complete.is_complete());
    assert_eq!((complete.len(), complete.answered()), (1, 1));
    let timed_out = NoAnswer {
        why: WhyNot::Timeout,
        ..left_out
    };
    assert!(!Asked::new(ListedBy::Resolver, [answered(), Err(timed_out)]).is_complete());
    assert!(!Asked::new(ListedBy::Nobody, [answered()]).is_complete());
    assert!(!Asked::<DsAnswer>::new(ListedBy::Resolver, []).is_complete());
}

#[test]
fn ttls_are_the_largest_and_none_is_taken_from_some_servers_only() {
    let seen = all([
        parent(1, vec![Some(with_ds(&[1], 86_400)), Some(with_ds(&[1], 3600))]),
        parent(2, vec![Some(with_ds(&[1], 3600)), Some(with_ds(&[1], 7200))]),
        parent(3, vec![Some(with_ds(&[1], 60)), None]),
    ]);
    assert_eq!(seen.ds_ttl(), Some((Span::from_seconds(7200), hour(2))));
    assert_eq!(seen.largest_ds_ttl_since(hour(3)), Some(Span::from_seconds(60)));
    assert_eq!(seen.largest_ds_ttl_since(hour(2)), Some(Span::from_seconds(7200)));
    assert_eq!(
        seen.largest_ds_ttl_since(hour(1)),
        Some(Span::from_seconds(86_400))
    );
    assert_eq!(seen.ds_denial_ttl(), None);
    // A larger one since then counts, though somebody was silent.
    let mut more = seen.clone();
    more.add(parent(4, vec![Some(with_ds(&[1], 9000)), None]))
        .unwrap();
    assert_eq!(more.ds_ttl(), Some((Span::from_seconds(9000), hour(2))));
    // No DS is left: the TTL of the last is still told, and when it was seen.
    more.add(parent(5, vec![Some(with_ds(&[], 300)), Some(with_ds(&[], 900))]))
        .unwrap();
    assert_eq!(more.ds_ttl(), Some((Span::from_seconds(9000), hour(2))));
    assert_eq!(more.ds_denial_ttl(), Some((Span::from_seconds(900), hour(5))));
}

#[test]
fn the_keys_of_the_zone_are_seen_likewise() {
    let (early, late) = (hour(100), hour(200));
    let child = |hours, answers| observation(hours, Vec::new(), answers);
    let seen = all([
        child(1, vec![Some(with_keys(&[1], late)), Some(with_keys(&[1], late))]),
        child(
            2,
            vec![Some(with_keys(&[1, 2], late)), Some(with_keys(&[1], early))],
        ),
        child(3, vec![Some(with_keys(&[2], late)), Some(with_keys(&[2], early))]),
    ]);
    let is = |octet| move |key: &ObservedDnskey| *key == dnskey(octet);
    assert_eq!(seen.dnskey_seen_everywhere(is(2)), Some(hour(3)));
    assert_eq!(seen.dnskey_gone_everywhere(is(1)), Some(hour(3)));
    assert_eq!(
        seen.dnskey_signed_everywhere(|rrsig| rrsig.is_of(&dnskey(2))),
        Some(hour(3))
    );
    assert_eq!(seen.soa_signed_everywhere(|_| true), None);
    assert_eq!(seen.first_expiration(), Some((early, hour(3))));
    assert_eq!(seen.dnskey_ttl(), Some((Span::from_seconds(3600), hour(3))));
    assert_eq!(seen.negative_ttl(), Some((Span::from_seconds(300), hour(3))));
    assert_eq!(seen.ds_seen_everywhere(|_| true), None);
    assert!(seen.newest_of_parent().is_none());
    assert_eq!(seen.newest_of_child().unwrap().at, hour(3));
}

/// RFC 4034 5.4 and RFC 4509 2.3: one key and its DS with SHA-1 and SHA-256.
#[test]
fn a_ds_is_known_by_its_key() {
    let public_key = "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphX\
                      dvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
    let key = ObservedDnskey {
        flags: 256,
        protocol: 3,
        algorithm: 5,
        public_key: STANDARD.decode(public_key).unwrap(),
    };
    assert_eq!(key.key_tag(), 60_485);
    let zone: ZoneName = "dskey.example.com".parse().unwrap();
    for (digest_type, digest) in [
        (1, "2bb183af5f22588179a53b0a98631fad1a292118"),
        (
            2,
            "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a",
        ),
    ] {
        let ds = ObservedDs {
            key_tag: 60_485,
            algorithm: 5,
            digest_type,
            digest: hex::decode(digest).unwrap(),
        };
        assert!(ds.is_of_dnskey(&zone, &key));
        assert!(!ds.is_of_dnskey(&"example.com".parse().unwrap(), &key));
        let revoked = ObservedDnskey {
            flags: 256 | 128,
            ..key.clone()
        };
        assert!(!ds.is_of_dnskey(&zone, &revoked));
        let other_digest = ObservedDs { digest_type: 3, ..ds };
        assert!(!other_digest.is_of_dnskey(&zone, &key));
    }
}

#[test]
fn the_file_reads_back_and_tells_where_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("site.yaml"),
        "version: 1\ntokens: {}\nzones: {}\n",
    )
    .unwrap();
    let site = SiteFolder::open(folder.path()).unwrap();
    assert!(site.observations(&zone()).unwrap().all().is_empty());
    let seen = all([
        observation(
            1,
            vec![Some(with_ds(&[1], 60)), None],
            vec![Some(with_keys(&[1], hour(9)))],
        ),
        parent(2, vec![Some(with_ds(&[], 60)), Some(with_ds(&[1], 60))]),
    ]);
    let lock = site.lock_observations(&zone()).unwrap();
    site.write_observations(&seen, &lock).unwrap();
    assert_eq!(site.observations(&zone()).unwrap(), seen);

    let text = std::fs::read_to_string(site.observations_path(&zone())).unwrap();
    let error = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in\n{text}");
        Observations::from_yaml(&text.replacen(from, to, 1), &zone())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("zone: cr", "zone: fi"),
        "zone: these are the observations of fi, not of cr"
    );
    assert!(error("operator:", "operater:").contains("unknown field `operater`"));
    assert_eq!(
        error("denial: no-data", ""),
        "line 53: observations[1]: parent: an answer has either records or a denial"
    );
    assert_eq!(
        error("ns2.example=192.0.2.2", "ns1.example=192.0.2.1"),
        "line 53: observations[1]: parent: ns1.example=192.0.2.1 is there twice"
    );
    assert_eq!(
        error("at: 2026-10-01T02:00:00Z", "at: 2026-10-01T04:00:00Z"),
        "line 53: observations[1]: it took from 2026-10-01T01:59:55Z to 2026-10-01T04:00:00Z; that may be at most 1h"
    );
    let tag = format!("key-tag: {}", dnskey(1).key_tag());
    let wrong = error(&tag, "key-tag: 1");
    assert!(
        wrong.ends_with(&format!(
            "key-tag is 1, but by the public key it is {}",
            dnskey(1).key_tag()
        )),
        "{wrong}"
    );
    let swapped = text
        .replace("2026-10-01T01:00:00Z", "2026-10-01T03:00:00Z")
        .replace("2026-10-01T00:59:55Z", "2026-10-01T02:59:55Z");
    assert!(matches!(
        Observations::from_yaml(&swapped, &zone()),
        Err(ObservationsError::Order { index: 1, .. })
    ));
}

#[test]
fn what_was_not_asked_is_no_observation() {
    let mut seen = Observations::new(zone());
    let nothing = observation(1, Vec::new(), Vec::new());
    assert_eq!(seen.add(nothing), Err(ObservationError::Nothing));
    let one = parent(1, vec![None]);
    assert_eq!(seen.add(one.clone()), Ok(Added::Kept));
    assert_eq!(seen.add(one), Ok(Added::Known));
    assert_eq!(seen.all().len(), 1);
}

#[test]
fn when_something_came_stays_known_however_often_it_is_seen() {
    let came = 5;
    let answer = |hours| vec![Some(with_ds(if hours < came { &[1] } else { &[1, 2] }, 60))];
    let mut seen = Observations::new(zone());
    for hours in 0..1000 {
        let added = seen.add(parent(hours, answer(hours))).unwrap();
        assert_eq!(matches!(added, Added::Displaced(_)), hours as usize >= KEPT);
    }
    assert_eq!(seen.all().len(), KEPT);
    assert_eq!(seen.ds_seen_everywhere(is(2)), Some(hour(came)));
    assert_eq!(seen.ds_seen_everywhere(is(1)), Some(hour(0)));
    assert_eq!(seen.newest().unwrap().at, hour(999));

    // Where each says something else the oldest goes.
    let mut varied = Observations::new(zone());
    for hours in 0..=KEPT as u32 {
        varied
            .add(parent(hours, vec![Some(with_ds(&[1], hours))]))
            .unwrap();
    }
    assert_eq!(varied.all().first().unwrap().at, hour(1));
}

fn answer() -> impl Strategy<Value = Option<DsAnswer>> {
    prop_oneof![
        1 => Just(None),
        2 => Just(Some(with_ds(&[], 60))),
        3 => Just(Some(with_ds(&[1], 60))),
        3 => Just(Some(with_ds(&[1, 2], 60))),
    ]
}

proptest! {
    /// Against what was there: each server's answers in the order of time.
    #[test]
    fn everywhere_is_everywhere(rows in prop::collection::vec(prop::collection::vec(answer(), 1..4), 1..8)) {
        let seen = all(rows.iter().cloned().enumerate().map(|(hours, row)| parent(hours as u32, row)));
        let has = |answer: &DsAnswer| answer.ds.contains(&ds(2));
        let since = seen.ds_seen_everywhere(is(2));
        let first = (0..rows.len()).find(|&first| {
            rows[first].iter().all(|answer| answer.as_ref().is_some_and(has))
                && rows[first..].iter().flatten().flatten().all(has)
        });
        prop_assert_eq!(since, first.map(|first| hour(first as u32)));
        prop_assert!(since.is_none() || seen.ds_gone_everywhere(is(2)).is_none());
    }

    #[test]
    fn the_order_of_adding_does_not_matter(order in Just((0..20u32).collect::<Vec<_>>()).prop_shuffle()) {
        let at = |hours: u32| parent(hours, vec![Some(with_ds(&[hours as u16], 60))]);
        prop_assert_eq!(all(order.into_iter().map(at)), all((0..20).map(at)));
    }

    #[test]
    fn a_file_is_read_as_it_was_written(rows in prop::collection::vec(prop::collection::vec(answer(), 1..4), 0..4)) {
        let seen = all(rows.into_iter().enumerate().map(|(hours, row)| parent(hours as u32, row)));
        let text = key_metadata::yaml::render(&seen).unwrap();
        prop_assert_eq!(Observations::from_yaml(&text, &zone()).unwrap(), seen);
    }
}
