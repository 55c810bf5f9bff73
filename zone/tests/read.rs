//! Zone files as registries write them, and as nobody should.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test needs and lacks is a failure"
)]

use std::fs;
use std::path::Path;

use key_metadata::Advice;
use keyrite_zone::{ReadError, Records};
use proptest::prelude::*;

fn read(text: &str) -> Result<Records, ReadError> {
    Records::parse(text.as_bytes(), Path::new("cr.zone"), &"cr".parse().unwrap())
}

/// Owner, type, TTL and line of each record.
fn told(records: &Records) -> Vec<String> {
    let tell = |record: keyrite_zone::Record<'_>| {
        format!(
            "{} {} {} {}",
            record.owner(),
            record.ttl(),
            record.rtype(),
            record.line().unwrap_or(0)
        )
    };
    records.iter().map(tell).collect()
}

fn error(text: &str) -> String {
    match read(text) {
        Ok(records) => panic!("{text} was read: {:?}", told(&records)),
        Err(error) => format!("{error}; {}", error.hint().unwrap_or_default()),
    }
}

#[test]
fn records_come_in_canonical_order_each_once() {
    let records = read(
        "$TTL 1h30m\n\
         z A 192.0.2.1\n\
         @ 60 IN SOA ns hostmaster ( 1 ; serial\n 2 3 4 5 )\n\
         \tNS ns ; indented: of the owner before\n\
         Z A 192.0.2.1\n\
         a.z IN 30 A 192.0.2.2\n\
         $ORIGIN a.z\n\
         $TTL 7\n\
         \tA 192.0.2.3\n\
         yl TYPE65280 \\# 2 0a0b\n",
    )
    .unwrap();
    assert_eq!(
        told(&records),
        [
            "cr 5400 NS 5",
            "cr 60 SOA 3",
            "z.cr 5400 A 2",
            // The owner before the directives, not one below the new origin.
            "a.z.cr 30 A 7",
            "a.z.cr 7 A 10",
            "yl.a.z.cr 7 TYPE65280 11",
        ]
    );
}

#[test]
fn a_ttl_that_is_not_there_is_that_of_the_record_before() {
    let records = read("a 60 A 192.0.2.1\nb A 192.0.2.1\nc 30 A 192.0.2.1\nd A 192.0.2.1\n").unwrap();
    let ttls: Vec<_> = records.iter().map(|record| record.ttl()).collect();
    assert_eq!(ttls, [60, 60, 30, 30]);
    assert_eq!(
        error("; nothing\n@ NS ns\n"),
        "cr.zone:2: there is no TTL, and no $TTL before; "
    );
    assert!(error("@ 4294967295 NS ns\n").contains("cr.zone:1: a TTL is at most 2,147,483,647"));
    assert!(error("@ 2147483648 NS ns\n").contains("cr.zone:1: a TTL is at most 2,147,483,647"));
}

#[test]
fn a_file_of_many_pieces_is_read_as_one() {
    let mut text = "$TTL 60\n@ NS ns\n".to_owned();
    for number in 0..60_000 {
        text += &format!("n{number:06} A 192.0.2.1\n\tTXT \"{number} (\" ; ) \"\n");
    }
    let records = read(&text).unwrap();
    assert_eq!(records.len(), 120_001);
    let last = records.get(120_000).unwrap();
    assert_eq!(
        (last.owner().to_string(), last.line().unwrap_or(0)),
        ("n059999.cr".to_owned(), 120_002)
    );
    let wrong = text + "wrong A 192.0.2.256\n";
    assert!(error(&wrong).starts_with("cr.zone:120003:"), "{}", error(&wrong));
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_was_expected() {
    for (text, said) in [
        (
            "$TTL 60\na A 192.0.2.1\nb FOO 1\n",
            "cr.zone:3:6: a record type was expected here; ",
        ),
        ("$TTL 60\na MX 10\n", "cr.zone:2: the record ends too early; "),
        (
            "$TTL 60\na A 192.0.2.1 2\n",
            "cr.zone:2:15: the record has more fields than its type; ",
        ),
        (
            "$TTL 60\na A ( 192.0.2.1\nb A 192.0.2.1\n",
            "cr.zone:2: a parenthesis that is not closed; ",
        ),
        (
            "$TTL 60\na A 192.0.2.1 )\n",
            "cr.zone:2: a closing parenthesis without an opening one; ",
        ),
        (
            "$TTL 60\na TXT \"b\n",
            "cr.zone:2: a quoted text that does not end; ",
        ),
        (
            "$TTL 60\na.. A 192.0.2.1\n",
            "cr.zone:2: a name in the record has an empty label, or is too long; ",
        ),
        (
            "$TTL 1y\n",
            "cr.zone:1: $TTL takes one number of seconds, or a time such as 1h30m, below 2^31; ",
        ),
        (
            "$TTL 60\n$GENERATE 1-9 a$ A 192.0.2.$\n",
            "cr.zone:2: $GENERATE is not read; write the records out, each of them: $GENERATE is BIND's alone",
        ),
        (
            "$FOO\n",
            "cr.zone:1: $FOO is not read; $ORIGIN, $TTL and $INCLUDE are read",
        ),
        (
            "$ORIGIN a..\n",
            "cr.zone:1: a.. is no name: it has an empty label, or is too long; ",
        ),
        (
            "$TTL 60\n  A 192.0.2.1\n",
            "cr.zone:2:3: the first record has no owner name; ",
        ),
        (
            "$INCLUDE /etc/passwd\n",
            "cr.zone:1: $INCLUDE is not read; it is followed in a zone file of the site, and nowhere else",
        ),
    ] {
        assert_eq!(error(text), said, "{text}");
    }
    let long = format!("$TTL 60\na TXT {}\n", "b".repeat(2 << 20));
    assert!(error(&long).starts_with("cr.zone:2: a line of more than 1 MiB"));
    let endless = format!(
        "$TTL 60\na TXT (\n{}",
        format!("{}\n", "b ".repeat(50_000)).repeat(200)
    );
    assert!(error(&endless).starts_with("cr.zone:2: a record that does not end for 16 MiB"));
}

#[test]
fn what_is_no_zone_file_is_refused_where_it_is_wrong() {
    let label = "a".repeat(64);
    let long = vec!["a".repeat(63); 4].join(".");
    let line = format!("$TTL 60\na TXT {}\n", "b".repeat(3 << 20));
    for (text, said) in [
        (
            "$TTL 60\na TXT ( b\n",
            "cr.zone:2: a parenthesis that is not closed; ",
        ),
        (
            "$TTL 60\na TXT \"b",
            "cr.zone:2: a quoted text that does not end; ",
        ),
        (
            "$TTL 60\na NOSUCH b\n",
            "cr.zone:2:9: a record type was expected here; ",
        ),
        (
            "$TTL\n",
            "cr.zone:1: $TTL takes one number of seconds, or a time such as 1h30m, below 2^31; ",
        ),
        (
            "$TTL -1\n",
            "cr.zone:1: $TTL takes one number of seconds, or a time such as 1h30m, below 2^31; ",
        ),
        (
            "$TTL 60 60\n",
            "cr.zone:1: $TTL takes one number of seconds, or a time such as 1h30m, below 2^31; ",
        ),
        (
            "a 1h A 192.0.2.1\n",
            "cr.zone:1:5: a record type was expected here; ",
        ),
        (
            "a 99999999999 A 192.0.2.1\n",
            "cr.zone:1:14: a record type was expected here; ",
        ),
        (
            "$TTL 60\n@ SOA ns root 1 2h 3 4 5\n",
            "cr.zone:2:19: expected decimal number; ",
        ),
        (
            "$TTL 60\na CH A 192.0.2.1\n",
            "cr.zone:2:8: different class: CH != IN; ",
        ),
        (
            "$TTL 60\na CLASS3 A 192.0.2.1\n",
            "cr.zone:2:12: different class: CH != IN; ",
        ),
        (
            "$TTL 60\na MX 10 b c\n",
            "cr.zone:2:11: the record has more fields than its type; ",
        ),
        ("$TTL 60\na SRV 1 2 3\n", "cr.zone:2: the record ends too early; "),
        ("$TTL 60\na A\n", "cr.zone:2: the record ends too early; "),
        ("$TTL 60\na\n", "cr.zone:2: the record ends too early; "),
        (
            "$TTL 60\na OPENPGPKEY AA*A\n",
            "cr.zone:2:17: illegal Base 64 data; ",
        ),
        (
            "$TTL 60\na OPENPGPKEY AAA\n",
            "cr.zone:2: incomplete Base 64 data; ",
        ),
        ("$TTL 60\na DS 1 8 2 0G\n", "cr.zone:2:14: expected hex digits; "),
        (
            "$TTL 60\na DS 1 8 2 012\n",
            "cr.zone:2: uneven number of hex digits; ",
        ),
        (
            "$TTL 60\na DS 1 256 2 01\n",
            "cr.zone:2:11: expected SecurityAlgorithm; ",
        ),
        ("$TTL 60\na A 192.0.2\n", "cr.zone:2: expected IPv4 address; "),
        (
            "$TTL 60\na AAAA 2001:db8::g\n",
            "cr.zone:2: expected IPv6 address; ",
        ),
        (
            "$TTL 60\na TYPE65280 \\# 3 0001\n",
            "cr.zone:2: generic data has incorrect length; ",
        ),
        (
            "$TTL 60\na TYPE65280 0001\n",
            "cr.zone:2:13: unknown record type with concrete data; ",
        ),
        (
            "$TTL 60\na TYPE1 \\# 3 c00002\n",
            "cr.zone:2: a name in the record has an empty label, or is too long; ",
        ),
        (
            "$TTL 60\na LOC 52 22 23 N 4 53 32 E 0m\n",
            "cr.zone:2:7: unknown record type with concrete data; ",
        ),
        (
            "$TTL 60\na\\256 A 192.0.2.1\n",
            "cr.zone:2:2: bad symbol: illegal escape sequence; ",
        ),
        (
            "$TTL 60\na\\ A 192.0.2.1\n",
            "cr.zone:2:15: a record type was expected here; ",
        ),
        (
            "$TTL 60\n\0 A 192.0.2.1\n",
            "cr.zone:2:2: a character that cannot stand here; ",
        ),
        (
            "$TTL 60\na TXT \0\n",
            "cr.zone:2:8: a character that cannot stand here; ",
        ),
        (
            "\u{feff}$TTL 60\na A 192.0.2.1\n",
            "cr.zone:1:4: a character that cannot stand here; ",
        ),
        (
            "PK\u{3}\u{4}\u{14}\0\0\0\n",
            "cr.zone:1:4: a character that cannot stand here; ",
        ),
        (
            &format!("$TTL 60\n{label} A 192.0.2.1\n"),
            "cr.zone:2:65: bad name; ",
        ),
        (
            &format!("$TTL 60\n{long} A 192.0.2.1\n"),
            "cr.zone:2:257: bad name; ",
        ),
        (
            &format!("$ORIGIN {label}\n"),
            "cr.zone:1: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa is no name: it has an empty label, or is too long; ",
        ),
        (
            &line,
            "cr.zone:2: a line of more than 1 MiB: this is no zone file; ",
        ),
        (
            "$INCLUDE\n",
            "cr.zone:1: $INCLUDE takes a file, and the origin in it; ",
        ),
        ("$ORIGIN\n", "cr.zone:1: $ORIGIN takes one name; "),
    ] {
        assert_eq!(error(text), said, "{}", text.chars().take(60).collect::<String>());
    }
}

#[test]
fn lines_may_end_as_they_do_on_other_systems() {
    let text = "$TTL 60\r\n@ SOA ns root ( 1\r\n 2 3 4 5 ) ; five\r\n\r\n\tNS ns\r\na TXT b";
    let records = read(text).unwrap();
    assert_eq!(told(&records), ["cr 60 NS 5", "cr 60 SOA 2", "a.cr 60 TXT 6"]);
    assert_eq!(records.get(2).unwrap().rdata(), b"\x01b");
    // A relative name needs no $ORIGIN: it is below the zone.
    assert_eq!(told(&read("a 60 A 192.0.2.1\n").unwrap()), ["a.cr 60 A 1"]);
}

#[test]
fn included_files_are_beside_the_one_that_includes_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "zone",
        "$TTL 60\n@ NS ns\na A 192.0.2.1\n$INCLUDE \"sub/more\" sub\n\tTXT \"of a again\"\nb A 192.0.2.2\n",
    );
    fs::create_dir(folder.path().join("sub")).unwrap();
    write(
        "sub/more",
        "c A 192.0.2.3\n$ORIGIN elsewhere.cr.\nd A 192.0.2.4\n$INCLUDE last\n",
    );
    write("sub/last", "e A 192.0.2.5\n");
    let zone = "cr".parse().unwrap();
    let records = Records::read(&folder.path().join("zone"), &zone, &mut |_| {}).unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            format!(
                "{} {} {}",
                record.owner(),
                record.rtype(),
                record.line().unwrap_or(0)
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "cr NS 2",
            "a.cr A 3",
            "a.cr TXT 5",
            "b.cr A 6",
            "d.elsewhere.cr A 3",
            "e.elsewhere.cr A 1",
            "c.sub.cr A 1",
        ]
    );
    assert!(records.get(4).unwrap().file().ends_with("sub/more"));
    write("sub/last", "$INCLUDE last\n");
    let error = Records::read(&folder.path().join("zone"), &zone, &mut |_| {})
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("$INCLUDE goes more than 8 files deep"),
        "{error}"
    );
    write("sub/last", "$INCLUDE nowhere\n");
    let error = Records::read(&folder.path().join("zone"), &zone, &mut |_| {})
        .err()
        .unwrap();
    assert!(error.to_string().contains("sub/last:1: $INCLUDE"), "{error}");
    write("sub/last", "e A 192.0.2.500\n");
    let error = Records::read(&folder.path().join("zone"), &zone, &mut |_| {})
        .err()
        .unwrap();
    assert!(error.to_string().contains("sub/last:1:"), "{error}");
    let error = Records::read(folder.path(), &zone, &mut |_| {}).err().unwrap();
    assert!(error.to_string().starts_with("cannot read"), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ab.$@\\\\\"();\t\n 0-9A-Z*]{0,80}") {
        let _ = read(&text);
        let _ = read(&format!("$TTL 60\n{text}"));
    }
}
