//! Which DS records the parent has, as far as a site knows: a zone that they do not lead into is bogus once it is published.

use key_metadata::{KeyRecord, Observations, ObservedDs, Span, Time, ZoneName};

use crate::key_records::{DsDigest, KeyRecords};

/// For how long it counts what was seen at the parent, where no key had a part in a change since. Our choice: a parent that was told nothing changes
/// nothing, but who moves a zone from one operator to another tells it things that no record here knows of.
const SEEN_COUNTS_FOR: Span = Span::from_seconds(7 * 86_400);

/// The digests that a DS can be checked by; validators pass over others (RFC 4035 5.2).
const DIGESTS: [u8; 3] = [1, 2, 4];

/// The algorithms that validators follow here (RFC 8624 3.1); one that is not followed asks for no chain (RFC 4035 5.2).
const ALGORITHMS: [u8; 7] = [5, 7, 8, 10, 13, 14, 15];

/// The RDATA of the DS records that the parent has: as they were last seen at all its servers, if that is recent and no key had a part in a change since;
/// otherwise those that are there by the keys' states. None, where the zone was never signed or becomes insecure.
///
/// A DS that is only on its way is not counted, and of two servers that differ each counts: what every state of a rollover allows stays allowed
/// (RFC 7583 3.3). For each algorithm of the result there must be a chain, and one of the records is enough.
pub fn ds_at_parent(
    zone: &ZoneName,
    keys: &[KeyRecord],
    observations: &Observations,
    now: Time,
) -> Vec<Vec<u8>> {
    match seen(keys, observations, now) {
        Some(seen) => seen,
        None => by_states(zone, keys),
    }
}

/// What was seen, if it still counts.
fn seen(keys: &[KeyRecord], observations: &Observations, now: Time) -> Option<Vec<Vec<u8>>> {
    let observation = observations.newest_of_parent()?;
    let is_recent = observation.at <= now && now.since(observation.at) <= SEEN_COUNTS_FOR;
    let changed = keys.iter().filter_map(last_change).max();
    if !is_recent || changed.is_some_and(|changed| changed >= observation.began) {
        return None;
    }
    let answers = observation.parent.iter().flat_map(|asked| &asked.answers);
    let records = answers.flat_map(|answer| &answer.answer.ds);
    Some(records.filter(|ds| counts(ds)).map(rdata).collect())
}

/// When a key last had a part in a change of the DS RRset. When its DS was seen there or gone is no change.
fn last_change(key: &KeyRecord) -> Option<Time> {
    if !key.role.signs_dnskey() {
        return None;
    }
    let times = &key.times;
    [
        times.pre_active,
        times.ready,
        times.submitted,
        times.active,
        times.retire_active,
        times.insecure,
        times.retired,
        times.post_active,
        times.removed,
        times.revoked,
    ]
    .into_iter()
    .flatten()
    .max()
}

fn counts(ds: &ObservedDs) -> bool {
    DIGESTS.contains(&ds.digest_type) && ALGORITHMS.contains(&ds.algorithm)
}

fn rdata(ds: &ObservedDs) -> Vec<u8> {
    let [high, low] = ds.key_tag.to_be_bytes();
    [&[high, low, ds.algorithm, ds.digest_type][..], &ds.digest].concat()
}

/// Those of keys that were active, or whose DS was seen, and that were not given up since.
fn by_states(zone: &ZoneName, keys: &[KeyRecord]) -> Vec<Vec<u8>> {
    let is_there = |key: &&KeyRecord| {
        let times = &key.times;
        let came = times.registered.or(times.active);
        let given_up = [
            times.retire_active,
            times.retired,
            times.removed,
            times.deregistered,
            times.revoked,
        ];
        key.role.signs_dnskey() && came.is_some() && given_up.iter().all(Option::is_none)
    };
    let there = keys.iter().filter(is_there);
    there
        .filter_map(|key| {
            let digest = KeyRecords::unrevoked(zone, key)?.digest(DsDigest::Sha256);
            let [high, low] = key.key_tag().to_be_bytes();
            let head = [high, low, key.algorithm().number(), DsDigest::Sha256.number()];
            Some([&head[..], &digest].concat())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use key_metadata::backup::Extractability;
    use key_metadata::observed::Denial;
    use key_metadata::{
        Algorithm, Asked, Backup, DsAnswer, KeyId, KeyReference, KeyState, KeyTimes, ListedBy, Observation,
        PublicKey, Role, Source, TokenUri,
    };

    use super::*;

    const NONE: [u16; 0] = [];

    fn day(days: u32) -> Time {
        let start: Time = "2026-10-01T00:00:00Z".parse().unwrap();
        start.after(Span::from_seconds(days * 86_400))
    }

    /// A key that came to each of these states on that day.
    fn key(number: u8, came: &[(KeyState, u32)]) -> KeyRecord {
        let id = KeyId::from_random([number; 16]);
        let mut times = KeyTimes::generated(day(0));
        came.iter().for_each(|(state, on)| times.set(*state, day(*on)));
        KeyRecord {
            id,
            role: Role::Ksk,
            public_key: PublicKey::from_dnskey(Algorithm::Ed25519, &[number; 32]).unwrap(),
            reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
            state: came.last().map_or(KeyState::Generated, |(state, _)| *state),
            times,
            backup: Backup::none(Extractability::Never),
        }
    }

    fn zone() -> ZoneName {
        "cr".parse().unwrap()
    }

    /// What each server of the parent had on a day.
    fn seen_on(on: u32, answers: &[&[ObservedDs]]) -> Observations {
        let mut observations = Observations::new(zone());
        let answers = answers.iter().zip(1..).map(|(ds, number)| {
            let server = format!("ns{number}.example=192.0.2.{number}").parse().unwrap();
            let answer = DsAnswer {
                ttl: Span::from_seconds(3600),
                ds: ds.to_vec(),
                denial: ds.is_empty().then_some(Denial::NoData),
            };
            Ok((server, answer))
        });
        let observation = Observation {
            at: day(on),
            began: day(on),
            operator: "test".to_owned(),
            tool: "test".to_owned(),
            source: Source::Network,
            parent_zone: None,
            parent: Some(Asked::new(ListedBy::Resolver, answers)),
            child: None,
        };
        observations.add(observation).unwrap();
        observations
    }

    fn ds(tag: u16, digest_type: u8) -> ObservedDs {
        ObservedDs {
            key_tag: tag,
            algorithm: 13,
            digest_type,
            digest: vec![1; 32],
        }
    }

    fn tags(keys: &[KeyRecord], observations: &Observations, now: Time) -> Vec<u16> {
        let records = ds_at_parent(&zone(), keys, observations, now);
        let tag = |ds: &Vec<u8>| u16::from_be_bytes([ds[0], ds[1]]);
        let mut tags: Vec<_> = records.iter().map(tag).collect();
        tags.sort_unstable();
        tags
    }

    #[test]
    fn a_key_counts_from_when_its_ds_is_there_until_it_is_given_up() {
        use KeyState::{Active, PostActive, PreActive, Published, Ready, Removed, RetireActive, Retired};
        let by_states = |keys: &[KeyRecord]| tags(keys, &Observations::new(zone()), day(50));
        let old = key(1, &[(Published, 0), (Active, 1)]);
        let of_old = vec![old.key_tag()];
        assert_eq!(by_states(&[key(1, &[(Published, 0)])]), NONE, "a first signing");
        assert_eq!(by_states(std::slice::from_ref(&old)), of_old);
        // Double-DS: on its way, there, and in use; then the old DS stays without its DNSKEY, and goes.
        let mut new = key(2, &[(PreActive, 10)]);
        new.times.submitted = Some(day(10));
        assert_eq!(by_states(&[old.clone(), new.clone()]), of_old);
        new.times.registered = Some(day(11));
        let mut both = vec![old.key_tag(), new.key_tag()];
        both.sort_unstable();
        assert_eq!(by_states(&[old.clone(), new.clone()]), both);
        new.times.active = Some(day(12));
        let post = key(1, &[(Published, 0), (Active, 1), (PostActive, 12)]);
        assert_eq!(by_states(&[post, new.clone()]), both);
        let of_new = vec![new.key_tag()];
        for end in [Retired, Removed, RetireActive] {
            let ended = key(1, &[(Published, 0), (Active, 1), (end, 20)]);
            assert_eq!(by_states(&[ended, new.clone()]), of_new, "{end}");
        }
        // A key whose DS was told to the parent and not seen there; and a zone that becomes insecure.
        let mut ready = key(3, &[(Published, 0), (Ready, 1)]);
        ready.times.submitted = Some(day(1));
        assert_eq!(by_states(&[ready]), NONE);
        assert_eq!(
            by_states(&[key(1, &[(Published, 0), (Active, 1), (RetireActive, 9)])]),
            NONE
        );
    }

    #[test]
    fn what_was_seen_counts_while_it_is_recent_and_nothing_was_changed() {
        let active = key(1, &[(KeyState::Published, 0), (KeyState::Active, 1)]);
        let by_states = vec![active.key_tag()];
        let keys = [active];
        // A foreign DS, one of a digest that nobody checks, and servers that differ.
        let observations = seen_on(10, &[&[ds(7, 2), ds(9, 3)], &[ds(8, 4)]]);
        assert_eq!(tags(&keys, &observations, day(11)), [7, 8]);
        assert_eq!(tags(&keys, &observations, day(17)), [7, 8]);
        assert_eq!(tags(&keys, &observations, day(18)), by_states, "too old");
        assert_eq!(tags(&keys, &observations, day(9)), by_states, "of another clock");
        assert_eq!(tags(&keys, &seen_on(10, &[&[]]), day(11)), NONE, "it has none");
        let mut changed = keys[0].clone();
        changed.times.retired = Some(day(10));
        assert_eq!(tags(&[changed], &observations, day(11)), NONE, "told to go since");
        let mut told = key(2, &[(KeyState::Published, 2)]);
        told.times.submitted = Some(day(11));
        assert_eq!(tags(&[keys[0].clone(), told], &observations, day(12)), by_states);
    }
}
