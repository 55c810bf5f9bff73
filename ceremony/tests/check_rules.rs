//! Every rule of `check`, each by a change that breaks a good script, and where it is found.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ceremony::check::{CheckError, Finding, LARGEST, Rule, check, check_bytes};
use proptest::prelude::*;

const GOOD: &str = include_str!("scripts/good.yaml");

/// What is replaced in the good script, where it is once; by what; and all that is found then: line, column, rule.
type Broken = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const BROKEN: &[Broken] = &[
    ("kind: PRODUCTION", "kind: REAL", "5:7 schema"),
    ("    say: Welcome.", "    say: Welcome.\n        seal: a", "26:9 schema"),
    ("zone: cr\nroles", "zone: cr\n  zone: fi.cr\nroles", "10:3 schema"),
    ("say: Welcome.", "say: \"Welcome\\e[2J\"", "28:14 control-character"),
    ("decides}", "\"de\\u202Ecides\"}", "12:30 control-character"),
    ("title: A small ceremony", "title: ' '", "3:8 empty-text"),
    ("what: decides", "what: ''", "12:30 empty-text"),
    ("say: Welcome.", "say: ''", "28:14 empty-text"),
    ("skip: there is no referee today", "skip: ''", "84:15 empty-text"),
    ("initials: [witness]", "initials: []", "66:93 empty-list"),
    ("by: [officer-1]\n        say: Welcome.", "by: []\n        say: Welcome.", "27:13 empty-list"),
    ("argv: [ldns-verify-zone, signed/cr.zone]", "argv: []", "85:21 empty-list"),
    ("to: [medium-a]}", "to: []}", "70:40 empty-list"),
    ("- id: drive", "- id: ksk", "63:13 id-twice"),
    ("- id: safe", "- id: copies", "93:9 id-twice"),
    ("safe-state:", "  - {id: open, title: Again, steps: [{id: more, by: [officer], say: More.}]}\nsafe-state:", "92:10 id-twice"),
    ("log: keyrite", "log: REHEARSAL/keyrite", "2:6 kind"),
    ("previous: 2026-q3", "previous: 2026-q4", "6:11 previous"),
    ("previous: 2026-q3", "previous: none", "36:92 previous"),
    ("  witness: {people", "  guest-1: {people: 1, what: comes}\n  witness: {people", "13:12 role-name"),
    ("by: [officer-2]", "by: [officer-4]", "33:14 role-unknown"),
    ("by: [officer-2]", "by: [auditor]", "33:14 role-unknown"),
    ("quorum: {officer: 2}", "quorum: {officer: 2, auditor: 1}", "14:31 role-unknown"),
    ("people: 1,", "people: 0,", "13:21 people, 16:34 signers, 62:86 role-unknown"),
    ("quorum: {officer: 2}", "quorum: {officer: 1}", "14:9 quorum"),
    ("quorum: {officer: 2}", "quorum: {officer: 2, witness: 0}", "14:31 quorum"),
    ("quorum: {officer: 2}", "quorum: {officer: 4}", "14:19 quorum"),
    ("    title: Opening", "    title: Opening\n    quorum: {officer: 1}", "25:23 quorum"),
    ("\nseals: {officer: 2}", "\nseals: {}", "15:8 signers"),
    ("last-seal: {officer: 2, witness: 1}", "last-seal: {officer: 2, witness: 2}", "16:34 signers"),
    ("  - id: seal\n        by: [officer-1]", "  - id: go\n        by: [officer-1]\n        leave: [witness]\n      - id: seal\n        by: [officer-1]", "16:34 signers, 94:54 absent"),
    ("say: Welcome.", "clock: the wall clock", "28:16 before-quorum"),
    ("attend: [officer, witness]", "attend: [officer-1, witness]", "16:22 signers, 36:17 before-quorum, 48:19 signers, 56:19 signers, 78:11 signers, 80:21 destroys, 88:15 signers"),
    ("    takes: [medium-a]\n        say: Take it out.", "    leave: [officer-2, officer-3]", "16:22 signers, 77:11 quorum-absent, 77:11 signers, 79:21 destroys, 87:15 signers"),
    ("attend: [officer, witness]", "attend: [officer-1, officer-3, witness]", "33:14 absent"),
    ("attend: [officer, witness]", "attend: [officer]", "16:34 signers, 62:86 absent, 66:94 absent, 91:54 absent"),
    ("    say: Take it out.", "    leave: [officer-1]", "83:14 absent, 87:14 absent"),
    ("    say: Take it out.", "    attend: [witness-1]", "74:18 attend-twice"),
    ("checker: witness-1", "checker: officer-1", "62:86 reader-is-checker"),
    ("say: Take it out.", "say: 'Take ${it out.'", "74:14 variable-syntax"),
    ("say: Take it out.", "say: 'Take ${it} out.'", "74:14 variable-unknown"),
    ("say: Welcome.", "say: '${key-tag-new}'", "28:14 variable-unknown"),
    ("values: {key-tag-new: /keys/0/key-tag}\n                  affects", "affects", "65:25 variable-unknown, 77:69 variable-unknown, 77:98 variable-unknown, 79:21 variable-unknown"),
    ("say: Put all back.", "say: 'Put ${bag-in} back.'", "95:10 variable-unknown"),
    ("name: bag-in", "name: zone", "36:24 variable-shadowed"),
    ("  zone: cr\n", "  zone: cr\n  site: x\n", "11:9 variable-shadowed"),
    ("what: medium A", "what: 'medium ${zone}'", "20:34 variable-place"),
    ("[A-Z][0-9]+", "[A-Z", "36:66 pattern"),
    ("[A-Z][0-9]+", "a)|(b", "36:66 pattern"),
    ("values: {key-tag-new: /keys/0/key-tag}\n                  affects", "values: {key-tag-new: keys/0}\n                  affects", "49:41 pointer"),
    ("values: {key-tag-new: /keys/0/key-tag}\n                  affects", "values: {key-tag-new: /keys~2}\n                  affects", "49:41 pointer"),
    ("--role, ksk, --json]", "--role, ksk]", "48:25 values-without-json"),
    ("argv: [ldns-verify-zone,", "argv: [sh,", "85:22 program"),
    ("argv: [ldns-verify-zone, signed/cr.zone]", "argv: [keyrite-ceremony, --site, x, run, y.yaml]", "85:21 program"),
    ("  ldns-verify-zone: {path", "  keyrite-keyctl: {path", "18:19 program, 85:22 program"),
    ("path: /usr/bin/", "path: bin/", "18:28 program-path"),
    ("run: {argv: [ldns-verify-zone, signed/cr.zone]}", "run: {argv: [ldns-verify-zone, signed/cr.zone], succeeds: []}", "85:67 succeeds"),
    ("--pin, prompt, --json]", "--pin, '1234', --json]", "56:84 secret-argument"),
    ("--pin, prompt, --json]", "--pin=1234, --json]", "56:84 secret-argument"),
    ("--pin, prompt, --json]", "--pin, '${zone}', --json]", "56:84 secret-argument"),
    ("argv: [ldns-verify-zone, signed/cr.zone]", "argv: [ldns-verify-zone, -passin, 'pass:x']", "85:40 secret-argument, 85:49 secret-argument"),
    ("                  secret: the user PIN\n", "", "56:19 secret-unsaid"),
    ("secret: the user PIN\n                  affects-keys: true", "secret: the user PIN", "56:25 affects-keys"),
    ("argv: [ldns-verify-zone, signed/cr.zone]", "argv: [keyrite-backup, rewrap, start, --shares, x]", "85:21 affects-keys"),
    ("argv: [ldns-verify-zone, signed/cr.zone]", "argv: [keyrite-backup, restore, --to, spare, --share, words]", "85:21 affects-keys, 85:60 secret-argument"),
    ("          destroys: \"${key-tag-new}\"\n", "", "78:17 destroys"),
    ("by: [officer]\n        run:", "by: [witness]\n        run:", "80:21 destroys"),
    ("path: media/a", "path: /media/a", "20:50 path"),
    ("files: [keys, log]", "files: [keys/../../secret, log]", "70:24 path"),
    ("path: site.yaml", "path: ./site.yaml", "79:27 path"),
    ("sha256: \"${script}\"", "sha256: 0badcafe", "62:45 digest"),
    ("path: site.yaml", "path: site.yaml, sha256: '${script}${zone}'", "79:46 digest"),
    ("to: [medium-a]", "to: [bag]", "70:41 medium"),
    ("to: [medium-a]", "to: [medium-b]", "70:41 medium"),
    (", path: media/a", "", "70:41 medium"),
    ("        gives: [medium-a]\n        confirm", "        confirm", "68:17 fact-missing, 69:41 medium, 72:17 fact-missing"),
    ("needs: [medium-a, key]", "needs: [medium-a, keys]", "69:27 fact-missing"),
    ("        gives: [key]\n                run:\n                  argv: [keyrite-keyctl, generate, --zone, \"${zone}\", --role, zsk", "        run:\n                  argv: [keyrite-keyctl, generate, --zone, \"${zone}\", --role, zsk", "68:27 fact-missing"),
    ("say: Take it out.", "say: Take it out.\n      - {id: again, by: [officer-1], needs: [medium-a], say: Again.}", "75:46 fact-missing"),
    ("by: [officer-1]\n        gives: [medium-a]", "by: [officer-1]\n        skip: there is another\n        gives: [medium-a]", "70:17 fact-missing, 71:41 medium"),
    ("takes: [medium-a]", "takes: [medium-x]", "73:17 fact-missing"),
    ("say: Put all back.", "seal: broken off", "95:11 safe-state"),
    ("say: Put all back.", "needs: [bag]\n    say: Put all back.", "95:13 safe-state"),
    ("say: Put all back.", "run: {argv: [keyrite-keyctl, reconcile], affects-keys: true}", "95:10 safe-state"),
    ("tpm: tpm\n", "", "2:6 unanchored"),
    ("  bag: {kind: bag", "  pen: {kind: other, what: a pen}\n  bag: {kind: bag", "21:8 material-unused"),
    ("      - id: ldns\n        by: [officer-1]\n", "      - id: pick\n        by: [officer-1]\n        branch: {question: Which?, choices: {one: []}}\n      - id: ldns\n        by: [officer-1]\n", "84:45 branch"),
    ("          choices:\n            ksk:\n", "          choices:\n            aaa: []\n            ksk:\n", "67:25 variable-unknown, 70:27 fact-missing, 79:69 variable-unknown, 79:98 variable-unknown, 81:21 variable-unknown"),
    ("    title: Opening\n    steps:\n      - id: welcome\n", "    title: Opening\n    steps: []\n  - id: then\n    title: Then\n    steps:\n      - id: welcome\n", "25:12 empty-list"),
    ("      - id: seal\n        by", "      - {id: alone, by: [witness], leave: [officer-3]}\n      - id: seal\n        by", ""),
    ("      - id: bag\n", "      - {id: alone, by: [witness], leave: [officer-3]}\n  - id: more\n    title: More\n    quorum: {officer: 3}\n    steps:\n      - id: bag\n", "41:17 quorum-absent"),
];

fn changed(from: &str, to: &str) -> String {
    assert_eq!(
        GOOD.matches(from).count(),
        1,
        "'{from}' is once in the good script"
    );
    GOOD.replacen(from, to, 1)
}

fn found(text: &str) -> Vec<Finding> {
    match check(text) {
        Ok(checked) => checked.warnings,
        Err(CheckError { findings }) => findings,
    }
}

fn places(findings: &[Finding]) -> String {
    let number = |number: Option<usize>| number.map_or("?".to_owned(), |number| number.to_string());
    let places: Vec<String> = findings
        .iter()
        .map(|finding| {
            format!(
                "{}:{} {}",
                number(finding.line),
                number(finding.column),
                finding.rule
            )
        })
        .collect();
    places.join(", ")
}

#[test]
fn the_good_script_is_good() {
    let checked = check(GOOD).unwrap();
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    assert_eq!(checked.script.plan().len(), 14);
}

#[test]
fn each_break_is_found_where_it_is() {
    let mut wrong = String::new();
    for (from, to, expected) in BROKEN {
        let found = places(&found(&changed(from, to)));
        if found != *expected {
            wrong += &format!("{from:?} -> {to:?}\n  expected {expected}\n  found    {found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_is_broken_by_some_test() {
    let told: BTreeSet<&str> = BROKEN
        .iter()
        .flat_map(|(_, _, expected)| expected.split(", "))
        .filter_map(|place| place.split_once(' ').map(|(_, rule)| rule))
        .collect();
    // These two have tests of their own below.
    let elsewhere = ["size", "branch-depth"];
    for rule in Rule::ALL {
        assert!(
            told.contains(rule.name()) || elsewhere.contains(&rule.name()),
            "no test breaks '{rule}'"
        );
    }
}

#[test]
fn a_step_says_who_took_what_it_needs() {
    let again = "say: Take it out.\n      - {id: again, by: [officer-1], needs: [medium-a], say: Again.}";
    let findings = found(&changed("say: Take it out.", again));
    assert_eq!(
        findings[0].to_string(),
        "75:46: fact-missing: step 'again': 'medium-a' does not hold here: step 'out' took it"
    );
}

/// A step with a branch in a choice of a branch, `depth` deep.
fn nested(depth: usize) -> String {
    (0..depth).fold(String::new(), |inner, n| {
        format!(
            "{{id: b{n}, by: [officer-1], branch: {{question: Which?, choices: {{a: [{inner}], b: []}}}}}}"
        )
    })
}

#[test]
fn branches_are_four_deep_at_most() {
    let with = |depth| {
        let steps = format!("      - {}\n      - id: script", nested(depth));
        found(&changed("      - id: script", &steps))
    };
    assert_eq!(with(4), []);
    let deep = with(6);
    assert_eq!(deep.len(), 1, "{deep:?}");
    assert_eq!((deep[0].rule, deep[0].line), (Rule::BranchDepth, Some(60)));
    assert_eq!(
        deep[0].step.as_ref().map(ToString::to_string),
        Some("b1".to_owned())
    );
    assert_eq!(with(200)[0].rule, Rule::Schema, "the parser's own limit");
}

#[test]
fn a_script_has_a_size() {
    let large = format!("{GOOD}{}", "#".repeat(LARGEST));
    assert_eq!(places(&found(&large)), "?:? size");
    let binary = check_bytes(b"version: 1\n\xff").unwrap_err();
    assert_eq!(places(&binary.findings), "?:? size");
}

/// The largest script that there may be, with nothing in it right.
#[test]
fn a_large_script_takes_bounded_time() {
    let mut text = GOOD.split("safe-state:").next().unwrap().to_owned();
    while text.len() < LARGEST - 200 {
        let id = text.len();
        text += &format!("      - {{id: s{id}, by: [ghost], needs: [n{id}], say: '${{x{id}}}'}}\n");
    }
    let start = Instant::now();
    assert!(found(&text).len() > 20_000);
    assert!(
        start.elapsed() < Duration::from_secs(120),
        "{:?}",
        start.elapsed()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Bytes changed, dropped, doubled and moved: it says what it finds, and never panics.
    #[test]
    fn no_mutation_of_a_script_panics(
        edits in prop::collection::vec((0..GOOD.len(), 0..12_usize, any::<u8>(), 0..5_u8), 1..8),
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (place, length, byte, edit) in edits {
            let place = place % bytes.len();
            let end = (place + length).min(bytes.len());
            match edit {
                0 => bytes[place] = byte,
                1 => drop(bytes.drain(place..end)),
                2 => bytes.insert(place, byte),
                3 => {
                    let piece = bytes[place..end].to_vec();
                    bytes.splice(place..place, piece);
                }
                _ => {
                    let piece: Vec<u8> = bytes.drain(place..end).collect();
                    let to = usize::from(byte) * bytes.len() / 256;
                    bytes.splice(to..to, piece);
                }
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        if let Err(error) = check_bytes(&bytes) {
            prop_assert!(!error.findings.is_empty());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// A word of it in the place of another: most are still YAML, and are walked through.
    #[test]
    fn no_exchange_of_words_panics(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let words: Vec<&str> = GOOD.split([' ', '\n', ',', '{', '}', '[', ']']).filter(|word| !word.is_empty()).collect();
        let (from, to) = (words[from.index(words.len())], words[to.index(words.len())]);
        let _ = check(&GOOD.replace(from, to));
    }
}
