//! What is so of a zone or a run, whatever others say.

use std::collections::BTreeSet;
use std::fmt::Write;

/// What `sign` warns of, all of it.
const WARNINGS: [&str; 14] = [
    ". NS has a TTL of 6d, and zone.max-ttl of policy 'corpus' is 1d: keys would be removed while caches need them",
    "ns.ttls.test A has a TTL of 24855d3h14m7s, and zone.max-ttl of policy 'corpus' is 1d: keys would be removed while caches need them",
    "zones/apex-dname.test.zone:7: www.apex-dname.test is below a DNAME and was left out",
    "zones/apex-dname.test.zone:8: a.b.apex-dname.test is below a DNAME and was left out",
    "zones/apex-dname.test.zone:9: cut.apex-dname.test is below a DNAME and was left out",
    "zones/dname.test.zone:8: occluded.d.dname.test is below a DNAME and was left out",
    "zones/dname.test.zone:9: OCCLUDED.D.dname.test is below a DNAME and was left out",
    "zones/dname.test.zone:10: deeper.occluded.d.dname.test is below a DNAME and was left out",
    "zones/dname.test.zone:11: cut.d.dname.test is below a DNAME and was left out",
    "zones/dname.test.zone:16: a.x.empty.dname.test is below a DNAME and was left out",
    "zones/ttls.test.zone:9: the A records of ttl.ttls.test have several TTLs; 300 was taken, not 600",
    "zones/ttls.test.zone:21: the NS records of cut.ttls.test have several TTLs; 0 was taken, not 1",
    "zones/ttls.test.zone:23: the DS records of cut.ttls.test have several TTLs; 2 was taken, not 3",
    "zones/ttls.test.zone:25: the A records of ns.cut.ttls.test have several TTLs; 10 was taken, not 20",
];

/// How many NSEC records a zone has, how many NSEC3, and how many NSEC3 with opt-out: as BIND 9.18's dnssec-signzone makes them.
const DENIALS: [(&str, [usize; 3]); 16] = [
    (".", [7, 8, 5]),
    ("2.0.192.in-addr.arpa", [11, 11, 10]),
    ("8.b.d.0.1.0.0.2.ip6.arpa", [6, 52, 51]),
    ("apex-dname.test", [1, 1, 1]),
    ("apex.test", [1, 1, 1]),
    ("cuts.test", [22, 23, 12]),
    ("dname.test", [7, 8, 8]),
    ("empty.test", [19, 49, 38]),
    ("many.test", [5001, 5001, 501]),
    ("minimum-large.test", [3, 3, 2]),
    ("sets.test", [8, 8, 8]),
    ("small.test", [10, 12, 10]),
    ("ttls.test", [10, 10, 10]),
    ("wildcards.test", [23, 33, 31]),
    ("written.test", [13, 17, 17]),
    ("xn--nxasmq6b", [7, 8, 7]),
];

/// Records that are there as they are written here, behind their names.
const RECORDS: [(&str, &[&str]); 3] = [
    (
        "ttls.test",
        &[
            "ttls.test. 0 IN NS ns.ttls.test.",
            "ns.ttls.test. 2147483647 IN A 192.0.2.1",
            "zero.ttls.test. 0 IN A 192.0.2.2",
            "ttl.ttls.test. 300 IN A 192.0.2.3",
            "ttl.ttls.test. 300 IN A 192.0.2.5",
            "ttl.ttls.test. 60 IN AAAA 2001:db8::5",
            "before.ttls.test. 5 IN A 192.0.2.6",
            "behind.ttls.test. 6 IN A 192.0.2.7",
            "units.ttls.test. 5400 IN AAAA 2001:db8::8",
            "none.ttls.test. 0 IN A 192.0.2.9",
            "cut.ttls.test. 0 IN NS ns2.cut.ttls.test.",
            "ns2.cut.ttls.test. 0 IN A 192.0.2.12",
        ],
    ),
    (
        "written.test",
        &[
            "ns.written.test. 300 IN AAAA 2001:db8::1",
            "three.more.written.test. 7200 IN A 192.0.2.4",
            "four.more.written.test. 7200 IN A 192.0.2.5",
            "text.written.test. 7200 IN TXT \"of text again\"",
            "_https._tcp.written.test. 7200 IN SRV 0 0 443 ns.written.test.",
            "last.written.test. 7200 IN A 192.0.2.6",
            "x.deeper.written.test. 7200 IN A 192.0.2.10",
            "absolute.written.test. 7200 IN A 192.0.2.11",
        ],
    ),
    (
        "cases.test",
        &[
            "MIXED.cases.test. 3600 IN TXT \"Kept As It Is\"",
            "cases.test. 3600 IN MX 10 Mail.EXAMPLE.",
        ],
    ),
];

/// What a run said.
pub fn of_run(said: &str, problems: &mut String) {
    let told: BTreeSet<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("warning: "))
        .collect();
    let expected = BTreeSet::from(WARNINGS);
    for missing in expected.difference(&told) {
        let _ = writeln!(problems, "sign does not say: {missing}");
    }
    for other in told.difference(&expected) {
        let _ = writeln!(problems, "sign says: {other}");
    }
}

/// Whether a name of an unsigned zone is below a DNAME.
pub fn is_occluded(zone: &str, owner: &str) -> bool {
    let below: &[&str] = match zone {
        "dname.test" => &["d.dname.test.", "x.empty.dname.test."],
        "apex-dname.test" => &["apex-dname.test."],
        _ => &[],
    };
    below.iter().any(|above| owner.ends_with(&format!(".{above}")))
}

/// Whether an RRset of the zone has several TTLs.
pub fn has_mixed_ttls(zone: &str) -> bool {
    zone == "ttls.test"
}

/// What is in a signed zone.
pub fn of_zone(zone: &str, denial: &str, text: &str, problems: &mut String) {
    let records: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.splitn(5, [' ', '\t']).collect())
        .collect();
    let of_type = |wanted: &'static str| records.iter().filter(move |record| record[3] == wanted);
    let (denies, other, place) = match denial {
        "nsec" => ("NSEC", "NSEC3", 0),
        "nsec3" => ("NSEC3", "NSEC", 1),
        _ => ("NSEC3", "NSEC", 2),
    };
    let mut claim = |holds: bool, what: String| {
        if !holds {
            let _ = writeln!(problems, "{what}");
        }
    };
    // Servers load no zone in which something comes before it.
    claim(
        records[0][3] == "SOA",
        "the SOA is not its first record".to_owned(),
    );
    let lines: BTreeSet<_> = text.lines().collect();
    claim(lines.len() == records.len(), "a record is there twice".to_owned());
    claim(of_type(other).next().is_none(), format!("it has {other} records"));
    let count = of_type(denies).count();
    if let Some((_, counts)) = DENIALS.iter().find(|(name, _)| *name == zone) {
        let wanted = counts[place];
        claim(
            count == wanted,
            format!("it has {count} {denies} records, not {wanted}"),
        );
    }
    // RFC 9077 section 3.
    let minimum = records[0][4].split(' ').next_back().unwrap();
    let ttl: u32 = records[0][1].parse().unwrap();
    let ttl = ttl.min(minimum.parse().unwrap()).to_string();
    claim(
        of_type(denies).all(|record| record[1] == ttl),
        format!("the TTL of {denies} is not {ttl}"),
    );
    let parameters: Vec<_> = of_type("NSEC3PARAM").map(|record| record[4].trim()).collect();
    let (wanted, start): (&[&str], _) = match denial {
        "nsec" => (&[], ""),
        // No flag there, no iterations, no salt (RFC 5155 4.1.2, RFC 9276 3.1).
        "nsec3" => (&["1 0 0 -"], "1 0 0 - "),
        _ => (&["1 0 0 -"], "1 1 0 - "),
    };
    claim(parameters == wanted, format!("its NSEC3PARAM is {parameters:?}"));
    claim(
        of_type(denies).all(|record| record[4].starts_with(start)),
        format!("an NSEC3 record does not begin with {start}"),
    );
    for (_, records) in RECORDS.iter().filter(|(name, _)| *name == zone) {
        for record in *records {
            claim(lines.contains(record), format!("it does not have: {record}"));
        }
    }
}
