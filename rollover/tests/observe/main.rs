//! `keyrite-rollover observe` at real name servers (Knot DNS), and of what `dig` printed of them.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod place;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use key_metadata::observed::Denial;
use key_metadata::{KeyState, ListedBy, ObservedDs, Source, Span, WhyNot};
use sandbox::{Knotd, ServedZone, SignedZone};

use place::{Place, Ran, ZONE, servers};

const ACTIVE: KeyState = KeyState::Active;

/// The lines of a result that are neither empty nor of a table.
fn findings(ran: &Ran) -> Vec<&str> {
    let severities = ["RED: ", "differs: ", "not known: ", "note: "];
    let is_finding = |line: &&str| severities.iter().any(|severity| line.starts_with(severity));
    ran.out.lines().filter(is_finding).collect()
}

/// The key tag in a DS record, and in what is said of a key.
fn tag(ds: &str) -> u16 {
    ds.split_whitespace().nth(3).unwrap().parse().unwrap()
}

fn is(signed: &SignedZone) -> impl Fn(&ObservedDs) -> bool {
    let tag = tag(&signed.ds);
    move |ds| ds.key_tag == tag
}

fn at(servers: &[&Knotd]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address()).collect()
}

#[test]
fn all_is_as_it_should_be() {
    let place = Place::new();
    let signed = place.sign();
    place.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    let parents = [1, 2].map(|_| place.parent(1800, &[&signed.ds]));
    let child = place.child(&signed.text);
    let servers = servers(&at(&[&parents[0], &parents[1]]), &at(&[&child]));

    let dry = place.observe(&servers, &["--dry-run"]);
    assert_eq!(
        (dry.exit, dry.said.as_str()),
        (Some(0), "would be recorded in observations/fi.cr.yaml\n")
    );
    assert!(!place.path("observations").exists());

    let ran = place.observe(&servers, &[]);
    assert_eq!(
        (ran.exit, ran.said.as_str()),
        (Some(0), "recorded in observations/fi.cr.yaml\n")
    );
    assert_eq!(findings(&ran), [""; 0]);
    let ds = format!("{}/13/2  30m", tag(&signed.ds));
    assert_eq!(ran.out.matches(&ds).count(), 2, "{}", ran.out);
    assert!(
        ran.out.contains(&format!("{} KSK, ", tag(&signed.ds))),
        "{}",
        ran.out
    );

    let seen = place.observations();
    let [observation] = seen.all() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (observation.operator.as_str(), observation.source),
        ("officer", Source::Network)
    );
    assert!(
        observation.tool.starts_with("keyrite-rollover "),
        "{}",
        observation.tool
    );
    assert!(observation.is_complete());
    assert_eq!(seen.ds_seen_everywhere(is(&signed)), Some(observation.at));
    assert_eq!(seen.ds_ttl(), Some((Span::from_seconds(1800), observation.at)));
}

#[test]
fn a_parent_that_lags_is_waited_for() {
    let place = Place::new();
    let [old, new] = [place.sign(), place.sign()];
    place.record(&[
        (&old.ksk, KeyState::Retired),
        (&old.zsk, KeyState::Removed),
        (&new.ksk, ACTIVE),
        (&new.zsk, ACTIVE),
    ]);
    let swapped = place.parent(1800, &[&new.ds]);
    let mut lags = place.parent(7200, &[&old.ds, &new.ds]);
    let child = place.child(&new.text);
    let servers = servers(&at(&[&swapped, &lags]), &at(&[&child]));
    let ran = place.observe(&servers, &[]);
    assert_eq!(ran.exit, Some(3));
    let (old_tag, new_tag) = (tag(&old.ds), tag(&new.ds));
    let [p1, p2, c1] = [&swapped, &lags, &child].map(Knotd::address);
    let (p1, p2, c1) = (
        format!("p1.example={p1}"),
        format!("p2.example={p2}"),
        format!("c1.example={c1}"),
    );
    let both = match old_tag < new_tag {
        true => format!("{old_tag}/13/2 and {new_tag}/13/2"),
        false => format!("{new_tag}/13/2 and {old_tag}/13/2"),
    };
    assert_eq!(
        findings(&ran),
        [
            format!("differs: the servers of the parent differ: DS {new_tag}/13/2, TTL 30m [{p1}]"),
            format!("differs: the servers of the parent differ: DS {both}, TTL 2h [{p2}]"),
            format!("differs: DS {old_tag}/13/2 leads to no DNSKEY that signs the DNSKEY RRset [{c1}, {p2}]"),
            format!(
                "differs: KSK {old_tag} is retired: its DNSKEY is missing at every server that answered [{c1}]"
            ),
            format!(
                "note: KSK {old_tag} is retired: its DS is at 1 of 2 servers that answered: it is on its way out [{p2}]"
            ),
        ]
    );
    let said: Vec<_> = ran.said.lines().collect();
    assert_eq!(
        said,
        [
            "recorded in observations/fi.cr.yaml",
            "error: zone fi.cr is not at every server as it should be",
            &format!("hint: look at {c1}, {p1}, {p2}"),
        ]
    );
    let seen = place.observations();
    assert_eq!(seen.ds_gone_everywhere(is(&old)), None);
    assert!(seen.ds_seen_everywhere(is(&new)).is_some());
    // The longer TTL counts.
    assert_eq!(seen.ds_ttl().unwrap().0, Span::from_seconds(7200));

    // It has caught up.
    let text = fs::read_to_string(place.path("knotd-3/0.zone")).unwrap();
    assert!(text.contains(&new_tag.to_string()) && !text.contains(&old_tag.to_string()));
    lags.serve(&[ServedZone {
        name: "cr",
        text: &text,
    }])
    .unwrap();
    place.observe(&servers, &[]);
    let seen = place.observations();
    let gone = seen.ds_gone_everywhere(is(&old));
    assert_eq!((gone, seen.all().len()), (Some(seen.newest().unwrap().at), 2));
    let run = seen.parent_run(|answer| !answer.ds.iter().any(is(&old))).unwrap();
    assert_eq!(run.after, Some(seen.all()[0].began));
}

#[test]
fn who_does_not_answer_counts_for_nothing_and_is_named() {
    let place = Place::new();
    let signed = place.sign();
    place.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    let good = place.parent(1800, &[&signed.ds]);
    let mut down = place.parent(1800, &[&signed.ds]);
    down.stop();
    let frozen = place.parent(1800, &[&signed.ds]);
    frozen.freeze().unwrap();
    let child = place.child(&signed.text);
    // The zone's own server is none of the parent's, and the parent's is none of the zone's.
    let parents = at(&[&good, &down, &frozen, &child]);
    let ran = place.observe(&servers(&parents, &at(&[&child, &good])), &[]);
    assert_eq!(ran.exit, Some(3));
    let [_, p2, p3, p4] = [1, 2, 3, 4].map(|number| format!("p{number}.example={}", parents[number - 1]));
    let c2 = format!("c2.example={}", good.address());
    let unknown = "not known: no answer of a server of the";
    assert_eq!(
        findings(&ran),
        [
            format!("{unknown} parent: unreachable: Connection refused (os error 111) [{p2}]"),
            format!("{unknown} parent: timeout: no answer in 1 tries of 1s [{p3}]"),
            format!("{unknown} parent: lame: it answers for the zone fi.cr [{p4}]"),
            format!("{unknown} zone: lame: it answered without authority (no AA bit) [{c2}]"),
        ]
    );
    assert!(
        ran.said.ends_with(&format!(
            "error: zone fi.cr was not seen at every server\nhint: look at {c2}, {p2}, {p3}, {p4}\n"
        )),
        "{}",
        ran.said
    );
    let seen = place.observations();
    let observation = seen.newest().unwrap();
    assert!(!observation.is_complete());
    let why: Vec<_> = observation
        .parent
        .as_ref()
        .unwrap()
        .unknown
        .iter()
        .map(|no| no.why)
        .collect();
    assert_eq!(why, [WhyNot::Unreachable, WhyNot::Timeout, WhyNot::Lame]);
    assert_eq!(seen.ds_seen_everywhere(is(&signed)), None);
    assert_eq!(seen.ds_gone_everywhere(|_| false), None);
    assert_eq!(seen.ds_ttl(), None);
    let count = seen.ds_count(is(&signed)).unwrap();
    assert_eq!((count.had, count.answered, count.servers), (1, 1, 4));
}

/// hbonow, 2015: a DS at the parent, and no DNSKEY that it leads to.
#[test]
fn a_ds_without_a_signing_dnskey_is_red() {
    let place = Place::new();
    let [signed, other] = [place.sign(), place.sign()];
    place.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    let wrong = place.parent(1800, &[&other.ds]);
    let child = place.child(&signed.text);
    let ran = place.observe(&servers(&at(&[&wrong]), &at(&[&child])), &[]);
    let (ksk, tag) = (tag(&signed.ds), tag(&other.ds));
    let (p1, c1) = (
        format!("p1.example={}", wrong.address()),
        format!("c1.example={}", child.address()),
    );
    assert_eq!(
        findings(&ran),
        [
            format!("RED: no DS leads to a DNSKEY that signs the DNSKEY RRset: {tag}/13/2 [{c1}, {p1}]"),
            format!("differs: KSK {ksk} is active: its DS is missing at every server that answered [{p1}]"),
            format!("differs: DS {tag}/13/2 is of no key in the records [{p1}]"),
        ]
    );
    assert_eq!(ran.exit, Some(3));
    assert!(
        ran.said.ends_with(&format!(
            "error: zone fi.cr does not validate at every server\nhint: look at {c1}, {p1}\n"
        )),
        "{}",
        ran.said
    );

    // The unsigned zone under a DS: the same.
    let right = place.parent(1800, &[&signed.ds]);
    let unsigned = "$ORIGIN fi.cr.\n@ 60 SOA ns1 h 1 3600 600 604800 300\n@ NS ns1\nns1 A 127.0.0.1\n";
    let unsigned = place.child(unsigned);
    let ran = place.observe(&servers(&at(&[&right]), &at(&[&unsigned])), &[]);
    let red = findings(&ran)
        .into_iter()
        .filter(|line| line.starts_with("RED: "));
    assert_eq!(red.count(), 2, "{}", ran.out);
    let seen = place.observations();
    let child = seen.newest().unwrap().child.as_ref().unwrap();
    assert_eq!(child.answers[0].answer.dnskey.denial, Some(Denial::NoData));
}

#[test]
fn keys_that_are_not_in_the_records_and_those_that_are_not_in_the_zone_are_told() {
    let place = Place::new();
    let [signed, gone] = [place.sign(), place.sign()];
    // The ZSK of the zone is in no record; those of the other are in no zone.
    place.record(&[
        (&signed.ksk, KeyState::Removed),
        (&gone.ksk, KeyState::Published),
        (&gone.zsk, KeyState::Retired),
    ]);
    let parent = place.parent(1800, &[]);
    let child = place.child(&signed.text);
    let ran = place.observe(&servers(&at(&[&parent]), &at(&[&child])), &[]);
    let zsk = ran
        .out
        .lines()
        .find_map(|line| line.split_once(" ZSK  "))
        .unwrap()
        .0;
    let zsk = zsk.split_whitespace().next_back().unwrap();
    let found = findings(&ran).join("\n");
    for part in [
        format!(
            "differs: KSK {} is removed: its DNSKEY is at every server",
            tag(&signed.ds)
        ),
        format!("differs: DNSKEY {zsk} ZSK is of no key in the records"),
        "is retired: its DNSKEY is missing at every server".to_owned(),
        format!(
            "note: KSK {} is published: its DNSKEY is missing at every server that answered: it is on its way",
            tag(&gone.ds)
        ),
    ] {
        assert!(found.contains(&part), "{part} is not in\n{found}");
    }
    assert_eq!(ran.exit, Some(3));
}

#[test]
fn what_was_observed_elsewhere_is_taken_as_it_was() {
    let place = Place::new();
    let signed = place.sign();
    place.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    let parent = place.parent(1800, &[&signed.ds]);
    let child = place.child(&signed.text);
    let ran = place.observe(&servers(&at(&[&parent]), &at(&[&child])), &["--json"]);
    assert_eq!(ran.exit, Some(0), "{}", ran.said);

    let other = Place::new();
    other.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    let take = || other.run(&["observe", "--zone", ZONE, "--from", "-", "--json"], &ran.out);
    let taken = take();
    assert_eq!((taken.exit, &taken.out), (Some(0), &ran.out));
    assert_eq!(other.observations(), place.observations());
    assert_eq!(take().said, "observations/fi.cr.yaml has it already\n");
    assert_eq!(other.observations().all().len(), 1);

    let from = |text: &str| {
        fs::write(other.path("seen"), text).unwrap();
        other.run(&["observe", "--zone", ZONE, "--from", "seen"], "")
    };
    for (from_text, to, expected) in [
        (
            "\"zone\": \"fi.cr\"",
            "\"zone\": \"co.cr\"",
            "error: seen has no observation of fi.cr\n",
        ),
        (
            "\"version\": 1",
            "\"version\": 2",
            "error: seen is no observation\ncause: line 2, column 14: version: this Keyrite reads version 1",
        ),
        (
            "\"began\": \"20",
            "\"began\": \"19",
            "error: seen is no observation\ncause: it took from 19",
        ),
        (
            "\"listed-by\"",
            "\"listed\"",
            "observations[0].observation.parent.listed: unknown field `listed`",
        ),
        (
            "\"ttl\": \"30m\"",
            "\"ttl\": \"soon\"",
            "'soon' is no span of time",
        ),
    ] {
        assert!(ran.out.contains(from_text), "{from_text}");
        let refused = from(&ran.out.replacen(from_text, to, 1));
        assert_eq!(refused.exit, Some(1), "{}", refused.said);
        assert!(
            refused.said.contains(expected),
            "{expected} is not in\n{}",
            refused.said
        );
    }
    let early = ran
        .out
        .replace("\"at\": \"20", "\"at\": \"21")
        .replace("\"began\": \"20", "\"began\": \"21");
    assert!(
        from(&early)
            .said
            .contains("which is still to come: is the clock right?")
    );
    let doubled = other.run(
        &[
            "observe",
            "--zone",
            ZONE,
            "--from",
            "-",
            "--parent-server",
            "p=192.0.2.1",
        ],
        &ran.out,
    );
    assert_eq!(doubled.exit, Some(2), "{}", doubled.said);
    assert_eq!(other.observations().all().len(), 1);
}

/// What real dig prints, for each server and type.
fn dig(server: &Knotd, rtype: &str) -> String {
    let address = server.address();
    let output = Command::new("dig")
        .args(["+norec", "+dnssec", "+tries=1", "+time=1"])
        .args([
            &format!("@{}", address.ip()),
            "-p",
            &address.port().to_string(),
            ZONE,
            rtype,
        ])
        .env_clear()
        .env("TZ", "UTC")
        .env("PATH", "/usr/bin:/bin")
        // Without a home there is no .digrc.
        .output();
    // Debian's package is bind9-dnsutils.
    let output = output.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_dig_printed_is_what_was_seen() {
    let place = Place::new();
    let signed = place.sign();
    place.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    let mut parents = [
        place.parent(1800, &[&signed.ds]),
        place.parent(1800, &[]),
        place.parent(1800, &[&signed.ds]),
    ];
    let child = place.child(&signed.text);
    parents[2].stop();
    // The third is down, the fourth is none of the parent, the fifth is asked for by nobody.
    let silent = place.parent(1800, &[&signed.ds]);
    let mut text: String = parents
        .iter()
        .chain([&child])
        .map(|server| dig(server, "DS"))
        .collect();
    text.push_str(&dig(&child, "SOA"));
    text.push_str(&dig(&child, "DNSKEY"));
    // Something else that somebody asked is passed over.
    text.push_str(&dig(&child, "NS"));
    let [first, second, third] = parents.each_ref().map(Knotd::address);
    let list = [first, second, third, child.address()];
    let options = servers(&list, &at(&[&child]));
    let network = place.observe(&options, &["--json"]);
    assert_eq!(network.exit, Some(3), "{}", network.said);
    let take = |options: &[String], text: &str| {
        let other = Place::new();
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let ran = other.run(
            &[&["observe", "--zone", ZONE, "--from", "-"], &options[..]].concat(),
            text,
        );
        (ran, other)
    };
    let (ran, other) = take(&options, &text);
    assert_eq!(ran.exit, Some(3), "{}", ran.said);
    let seen = other.observations().newest().unwrap().clone();
    let expected = place.observations().newest().unwrap().clone();
    assert_eq!(seen.source, Source::Dig);
    assert_eq!(seen.child, expected.child);
    let (parent, expected) = (seen.parent.unwrap(), expected.parent.unwrap());
    assert_eq!(parent.answers, expected.answers);
    let why: Vec<_> = parent
        .unknown
        .iter()
        .map(|unknown| (unknown.server(), unknown.why))
        .collect();
    let expected: Vec<_> = expected
        .unknown
        .iter()
        .map(|unknown| (unknown.server(), unknown.why))
        .collect();
    assert_eq!(why, expected);

    // One more is listed than was asked.
    let more = servers(&[list.as_slice(), &at(&[&silent])].concat(), &at(&[&child]));
    let (_, other) = take(&more, &text);
    let unknown = other
        .observations()
        .newest()
        .unwrap()
        .parent
        .clone()
        .unwrap()
        .unknown;
    assert_eq!(unknown.last().unwrap().why, WhyNot::NotInFile);

    // Nobody says which servers there are: nothing is seen everywhere.
    let good = [dig(&parents[0], "DS"), dig(&child, "DNSKEY")].concat();
    let (ran, other) = take(&[], &good);
    assert_eq!(ran.exit, Some(3));
    assert!(
        ran.out
            .contains("not known: nobody says that these are all servers of the parent\n"),
        "{}",
        ran.out
    );
    let seen = other.observations();
    assert_eq!(
        seen.newest().unwrap().parent.as_ref().unwrap().listed_by,
        ListedBy::Nobody
    );
    assert_eq!(seen.ds_seen_everywhere(|_| true), None);
    let listed = servers(&[first], &at(&[&child]));
    let (_, other) = take(&listed, &good);
    assert!(other.observations().ds_seen_everywhere(is(&signed)).is_some());

    // An answer that was cut, or changed by hand.
    for (from, to, expected) in [
        (";; WHEN:", ";; THEN:", "line 5: HEADER: the answer has no end"),
        (" UTC ", " CET ", "line 18: WHEN: '"),
        (
            "ANSWER: 1",
            "ANSWER: 2",
            "line 5: ANSWER: the section has 1 records, the flags say 2",
        ),
        (" 13 2 ", " 13 2 x", "line 14: ANSWER: "),
        (
            "\n;; SERVER: ",
            "\n;; SERVER: x",
            "line 17: SERVER: it is no address",
        ),
        ("status: NOERROR", "", "line 5: HEADER: there is no status"),
        (
            "flags: qr aa",
            "flags: aa",
            "line 5: flags: it is no answer: there is no qr",
        ),
        (
            ";; Got answer:",
            "Got answer:",
            "line 4: text: a line that is none of dig's",
        ),
    ] {
        assert!(good.contains(from), "{from} is not in\n{good}");
        let (ran, _) = take(&[], &good.trim_start().replacen(from, to, 1));
        assert_eq!(ran.exit, Some(1), "{}", ran.said);
        let start = format!("error: standard input is nothing that dig printed of fi.cr\ncause: {expected}");
        assert!(
            ran.said.starts_with(&start),
            "{start} is not in\n{}\n{good}",
            ran.said
        );
    }
    let (ran, _) = take(&[], &format!("{good}{good}"));
    assert!(ran.said.contains("is there twice"), "{}", ran.said);
    let (ran, _) = take(&[], &dig(&child, "NS"));
    assert!(
        ran.said
            .contains("there is no answer about DS or DNSKEY of fi.cr"),
        "{}",
        ran.said
    );
    // Without +dnssec nobody knows of signatures.
    let (_, other) = take(&[], &good.replace("flags: do", "flags:"));
    let unknown = other
        .observations()
        .newest()
        .unwrap()
        .child
        .clone()
        .unwrap()
        .unknown;
    assert_eq!(unknown[0].why, WhyNot::Malformed);
}

#[test]
fn the_servers_are_found_by_a_resolver() {
    let place = Place::new();
    let signed = place.sign();
    place.record(&[(&signed.ksk, ACTIVE), (&signed.zsk, ACTIVE)]);
    // One server stands for the resolver and for all name servers; its address is known only when it runs.
    let mut server = place.child(&signed.text);
    let host = server.address().ip();
    let cr = format!(
        "$ORIGIN cr.\n$TTL 60\n@ SOA ns h 1 3600 600 604800 900\n@ NS ns\nns A {host}\nfi NS ns1.fi\nns1.fi A {host}\n{}",
        signed.ds.replace("fi.cr. IN", "fi.cr. 1800 IN")
    );
    let child = signed.text.replace("127.0.0.1", &host.to_string());
    let zones = [
        ServedZone {
            name: "cr",
            text: &cr,
        },
        ServedZone {
            name: ZONE,
            text: &child,
        },
    ];
    server.serve(&zones).unwrap();
    let resolver = server.address().to_string();
    let options = ["--resolver", &resolver, "--port", "5300", "--only", "ipv4"];
    let ran = place.observe(&[], &options);
    assert_eq!(
        (ran.exit, findings(&ran)),
        (Some(0), Vec::new()),
        "{}{}",
        ran.out,
        ran.said
    );
    assert!(ran.out.contains("SERVER OF cr "), "{}", ran.out);
    let seen = place.observations();
    let observation = seen.newest().unwrap();
    assert_eq!(observation.parent_zone, Some("cr".parse().unwrap()));
    let child = observation.child.as_ref().unwrap();
    assert_eq!(child.listed_by, ListedBy::Resolver);
    assert_eq!(child.each().next().unwrap().0.name.to_string(), "ns1.fi.cr");

    server.stop();
    let ran = place.observe(&[], &options);
    assert_eq!(ran.exit, Some(1));
    assert!(
        ran.said
            .starts_with("error: the resolver did not answer for cr. SOA: ")
            && ran
                .said
                .contains("hint: name one with --resolver, or give the servers with --parent-server"),
        "{}",
        ran.said
    );
}

#[test]
fn wrong_usage_is_told() {
    let place = Place::new();
    for (arguments, expected) in [
        (&["--zone", "xx"][..], "the site has no zone xx"),
        (&["--parent-server", "192.0.2.1"], "write NAME=ADDRESS"),
        (&["--resolver", "somewhere"], "'somewhere' is no address"),
        (&["--from", "x", "--tcp"], "cannot be used with"),
        (&["--tries", "0"], "0 is not in 1..=20"),
        (&["--timeout", "5"], "'5' is no span of time"),
    ] {
        let ran = place.run(&[&["observe"], arguments].concat(), "");
        assert_eq!(ran.exit, Some(2), "{}", ran.said);
        assert!(ran.said.contains(expected), "{expected} is not in\n{}", ran.said);
    }
    let ran = place.run(&["observe", "--from", "missing"], "");
    assert_eq!(ran.exit, Some(1));
    assert!(
        ran.said
            .starts_with("error: cannot read missing\ncause: No such file"),
        "{}",
        ran.said
    );
}
