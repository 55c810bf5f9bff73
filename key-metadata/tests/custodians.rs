//! Custodians in `site.yaml`: one line changes, and nothing else.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::fs;

use key_metadata::store::StoreError;
use key_metadata::{Advice, CustodianError, Recipient, Site, SiteFolder, SiteWord};
use proptest::prelude::*;
use tempfile::TempDir;

const HEAD: &str = "\
# Site of the registry.
version: 1   # always

tokens:
  cr: {address: 'pkcs11:token=cr?module-path=/m.so', pin: prompt}
zones:
  cr: {policy: small-tld, token: cr}
";
const NEW: &str = "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t";

/// A site with that text in its file.
fn site(text: &str) -> (TempDir, SiteFolder) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.yaml"), text).unwrap();
    let site = SiteFolder::open(folder.path()).unwrap();
    (folder, site)
}

fn read(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("site.yaml")).unwrap()
}

fn word(text: &str) -> SiteWord {
    text.parse().unwrap()
}

fn recipient(text: &str) -> Recipient {
    text.parse().unwrap()
}

/// What becomes of a text.
fn added(text: &str, name: &str, to: &str) -> Result<String, CustodianError> {
    let (folder, mut site) = site(text);
    let done = site.add_custodian(&word(name), &recipient(to));
    let now = read(&folder);
    match done {
        Ok(()) => {
            assert_eq!(site.site(), &Site::from_yaml(&now).unwrap());
            Ok(now)
        }
        Err(error) => {
            assert_eq!(now, text);
            Err(error)
        }
    }
}

fn replaced(text: &str, name: &str, to: &str) -> Result<String, CustodianError> {
    let (folder, mut site) = site(text);
    let done = site.replace_custodian(&word(name), &recipient(to));
    let now = read(&folder);
    match done {
        Ok(()) => {
            assert_eq!(site.site(), &Site::from_yaml(&now).unwrap());
            Ok(now)
        }
        Err(error) => {
            assert_eq!(now, text);
            Err(error)
        }
    }
}

#[test]
fn the_first_custodian_makes_the_list() {
    let list = format!("custodians:\n  ana: {NEW}\n");
    assert_eq!(added(HEAD, "ana", NEW).unwrap(), format!("{HEAD}{list}"));
    assert_eq!(
        added(HEAD.trim_end(), "ana", NEW).unwrap(),
        format!("{HEAD}{list}")
    );
    let dos = HEAD.replace('\n', "\r\n");
    assert_eq!(
        added(&dos, "ana", NEW).unwrap(),
        format!("{dos}{}", list.replace('\n', "\r\n"))
    );
}

#[test]
fn one_more_comes_after_the_last() {
    let text = format!(
        "{HEAD}custodians: # people\n    # the first\n    ana: age1xyz # her key\n\n    'luis': \"age1abc\"\n    # nobody else\n# end\n"
    );
    let wanted = text.replace("\"age1abc\"\n", &format!("\"age1abc\"\n    eva: {NEW}\n"));
    assert_eq!(added(&text, "eva", NEW).unwrap(), wanted);
    // Before the zones, and at the end without a line's end.
    let text = format!(
        "version: 1\ncustodians:\n ana: age1xyz\n{}",
        HEAD.replace("version: 1   # always\n", "")
    );
    assert_eq!(
        added(&text, "eva", NEW).unwrap(),
        text.replace("age1xyz\n", &format!("age1xyz\n eva: {NEW}\n"))
    );
    let text = format!("{HEAD}custodians:\n  ana: age1xyz");
    assert_eq!(
        added(&text, "eva", NEW).unwrap(),
        format!("{text}\n  eva: {NEW}\n")
    );
}

#[test]
fn another_recipient_takes_the_place() {
    for (line, wanted) in [
        ("ana: age1xyz # her key", format!("ana: {NEW} # her key")),
        ("ana:   'age1xyz'   # x", format!("ana:   {NEW}   # x")),
        ("\"ana\": \"age1xyz\"", format!("\"ana\": {NEW}")),
        ("ana: ssh-ed25519 AAAA ana", format!("ana: {NEW}")),
    ] {
        let text = format!("{HEAD}custodians:\n  \u{e4}: age1q\n  {line}\n  eva: age1abc\n");
        let text = text.replace("\u{e4}", "luis");
        let now = replaced(&text, "ana", NEW).unwrap();
        assert_eq!(now, text.replace(line, &wanted));
    }
    let text = format!("{HEAD}custodians:\n  ana: age1xyz\n");
    let ssh = "ssh-ed25519 AAAA ana's: #1";
    let now = replaced(&text, "ana", ssh).unwrap();
    assert_eq!(now, text.replace("age1xyz", "'ssh-ed25519 AAAA ana''s: #1'"));
    assert_eq!(replaced(&now, "ana", NEW).unwrap(), text.replace("age1xyz", NEW));
}

#[test]
fn a_name_is_taken_or_is_not_there() {
    let text = format!("{HEAD}custodians:\n  ana: age1xyz\n  eva: age1abc\n");
    let error = added(&text, "ana", NEW).unwrap_err();
    assert!(matches!(error, CustodianError::Present { .. }), "{error:?}");
    assert!(error.hint().is_some());
    let error = replaced(&text, "luis", NEW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the site has no custodian 'luis'; there is ana, eva"
    );
    let error = replaced(HEAD, "luis", NEW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the site has no custodian 'luis'; there is none"
    );
}

#[test]
fn what_is_written_in_another_way_is_left_to_people() {
    for custodians in [
        "custodians: {}\n",
        "custodians: {ana: age1xyz}\n",
        "custodians: {\n  ana: age1xyz\n  }\n",
        "custodians:\n  ? ana\n  : age1xyz\n",
        "custodians:\n  ana: &key age1xyz\n  eva: *key\n",
        "custodians: &all\n  ana: age1xyz\n",
        "custodians:\n  ana: !!str age1xyz\n",
    ] {
        let text = format!("{HEAD}{custodians}");
        let error = added(&text, "luis", NEW).unwrap_err();
        assert!(
            matches!(error, CustodianError::Unusual { .. }),
            "{custodians}: {error:?}"
        );
        let hint = error.hint().unwrap();
        assert!(hint.ends_with(&format!("the line '  luis: {NEW}'")), "{hint}");
    }
    for custodians in [
        "custodians:\n  ana: &key age1xyz\n  eva: *key\n",
        "custodians:\n  ana: \"age1\\x78yz\"\n",
    ] {
        let error = replaced(&format!("{HEAD}{custodians}"), "ana", NEW).unwrap_err();
        assert!(
            matches!(error, CustodianError::Unusual { .. }),
            "{custodians}: {error:?}"
        );
    }
    // A value on a line of its own is no obstacle.
    for custodians in [
        "custodians:\n  ana:\n    age1xyz\n",
        "custodians:\n  ana: >-\n    age1xyz\n",
    ] {
        let text = format!("{HEAD}{custodians}");
        let now = added(&text, "luis", NEW).unwrap();
        assert_eq!(now, format!("{text}  luis: {NEW}\n"));
        assert_eq!(replaced(&text, "ana", NEW).unwrap(), text.replace("age1xyz", NEW));
    }
    // A whole site in braces.
    let flow = "{version: 1, tokens: {}, zones: {}}\n";
    assert!(matches!(
        added(flow, "ana", NEW),
        Err(CustodianError::Unusual { .. })
    ));
}

#[test]
fn a_change_since_it_was_opened_is_kept() {
    let (folder, mut site) = site(HEAD);
    let other = format!("{HEAD}custodians:\n  eva: age1abc\n");
    fs::write(folder.path().join("site.yaml"), &other).unwrap();
    site.add_custodian(&word("ana"), &recipient(NEW)).unwrap();
    assert_eq!(read(&folder), format!("{other}  ana: {NEW}\n"));
    fs::write(folder.path().join("site.yaml"), "version: 2\n").unwrap();
    let error = site.add_custodian(&word("luis"), &recipient(NEW)).unwrap_err();
    assert!(
        matches!(error, CustodianError::Store(StoreError::Site { .. })),
        "{error:?}"
    );
    assert_eq!(read(&folder), "version: 2\n");
}

/// Comments, blanks and ways to quote that people have.
fn custodians() -> impl Strategy<Value = (Vec<String>, String)> {
    let entry = (
        "[a-z][a-z0-9._-]{0,9}",
        prop_oneof![
            "age1[a-z0-9]{1,20}",
            "ssh-ed25519 [A-Za-z0-9+/]{4}( [a-z@.]{1,8})?"
        ],
        0_usize..3,
        prop_oneof![Just(""), Just(" # a: comment"), Just("   ")],
        prop_oneof![
            Just(""),
            Just("\n"),
            Just("  # 'whole' line\n"),
            Just("# at the left\n")
        ],
    );
    (
        prop::collection::vec(entry, 0..5),
        1_usize..5,
        prop_oneof![Just(""), Just("# end\n"), Just("\n\n")],
    )
        .prop_map(|(entries, indent, end)| {
            let mut names: Vec<String> = Vec::new();
            let mut text = String::new();
            for (name, value, quotes, tail, before) in entries {
                if names.contains(&name)
                    || ["y", "n", "no", "on", "yes", "off", "null", "true"].contains(&name.as_str())
                {
                    continue;
                }
                let quote = ["", "'", "\""][quotes];
                text += &format!(
                    "{before}{}{name}: {quote}{value}{quote}{tail}\n",
                    " ".repeat(indent)
                );
                names.push(name);
            }
            let list = if names.is_empty() {
                String::new()
            } else {
                format!("custodians:\n{text}{end}")
            };
            (names, format!("{HEAD}{list}"))
        })
}

proptest! {
    #[test]
    fn every_other_byte_stays((names, text) in custodians(), name in "[A-Za-z0-9_-][A-Za-z0-9._-]{0,12}", pick: prop::sample::Index, to in prop_oneof!["age1[a-z0-9+._-]{1,20}", "ssh-rsa [A-Za-z0-9+/]{4} [ -~]{0,12}[!-~]"]) {
        if !names.contains(&name) {
            let now = added(&text, &name, &to).unwrap();
            // One line more, and the field's name before the first.
            let fresh: Vec<&str> = now.split_inclusive('\n').collect();
            let old: Vec<&str> = text.split_inclusive('\n').collect();
            let more = if names.is_empty() { 2 } else { 1 };
            prop_assert_eq!(fresh.len(), old.len() + more);
            let same = old.iter().zip(&fresh).take_while(|(one, other)| one == other).count();
            prop_assert_eq!(&fresh[same + more..], &old[same..]);
        }
        if !names.is_empty() {
            let name = pick.get(&names);
            let now = replaced(&text, name, &to).unwrap();
            let fresh: Vec<&str> = now.split_inclusive('\n').collect();
            let old: Vec<&str> = text.split_inclusive('\n').collect();
            prop_assert_eq!(fresh.len(), old.len());
            let differ: Vec<_> = old.iter().zip(&fresh).filter(|(one, other)| one != other).collect();
            prop_assert!(differ.len() <= 1);
            for (one, other) in differ {
                let front = format!("{name}:");
                prop_assert!(one.trim_start().starts_with(&front) && other.trim_start().starts_with(&front));
                let tail = |line: &str| line.contains("# a: comment");
                prop_assert!(!tail(one) || tail(other));
            }
        }
    }

    #[test]
    fn anything_may_be_the_custodians(custodians in "[ a-z:{}\\[\\]&*#'\"\n,>|-]{0,40}") {
        let text = format!("{HEAD}custodians:{custodians}\n");
        if let Ok(mut wanted) = Site::from_yaml(&text)
            && let Ok(now) = added(&text, "luis", NEW)
        {
            wanted.custodians.insert(word("luis"), recipient(NEW));
            prop_assert_eq!(Site::from_yaml(&now).unwrap(), wanted);
        }
    }
}
