use super::*;
use crate::page::page;
use crate::random_test::RandomTest;

/// A report of a TPM that was given, read from JSON as `verify` reads it.
fn report() -> Report {
    let state = serde_json::json!({
        "manufacturer": "IFX", "vendor": "<b>SLB9672</b>", "firmware": "15.22.0.0", "revision": 159,
        "owner-auth": "set", "endorsement-auth": "set", "lockout-auth": "set", "in-lockout": false, "clear-disabled": true,
        "protection": {"tries": 32, "forgiven-after": 7200, "lockout-blocked-for": 86400},
        "storage-root-key": {"is": "ours", "name": "000b01"}, "attestation-key": {"is": "ours", "name": "000b02"},
        "log-index": {"is": "ours", "name": "000b03"}, "log-counter": {"is": "ours", "name": "000b04"},
        "persistent": [{"handle": "0x81000001", "name": "000b01", "what": "a storage key"}],
        "nv": [{"handle": "0x01800020", "name": "000b03", "what": "an NV index"}],
    });
    let mut random = RandomTest::new();
    let mut bytes = vec![0; 4096];
    getrandom::fill(&mut bytes).unwrap();
    random.feed(&bytes);
    let json = serde_json::json!({
        "version": 1, "tpm": "tpm", "written": "2026-11-23T10:00:00Z", "operator": "ana & co", "tool": "keyrite-tpm-init",
        "before": state, "after": state, "auths": {"owner": {"sealed": "0x81020010"}},
        "steps": [{"do": "disable-clear"}, {"do": "remove", "handle": "0x81000009", "name": "000b09", "what": "a key"}],
        "findings": [{"check": "clear", "verdict": "pass", "evidence": "1 < 2"}],
        "files": {"owner-auth.age": "aa"}, "random": random.finish().unwrap().first_blocks,
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let report = report();
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    let unknown = text.replacen("\"version\"", "\"more\":1,\"version\"", 1);
    assert!(serde_json::from_str::<Report>(&unknown).is_err());
}

type Change = fn(&mut TpmState);

#[test]
fn every_difference_is_drift_and_nothing_else() {
    let report = report();
    let places = ["0x81020000".to_owned()];
    let files = report.files.clone();
    let drifts = |now: &TpmState| -> Vec<String> {
        drift(&report, now, &places, &files)
            .into_iter()
            .map(|finding| finding.evidence)
            .collect()
    };
    assert_eq!(drifts(&report.after), Vec::<String>::new());
    // A PIN that was sealed since at a place of the site, and the first write of the log, are none.
    let mut now = report.after.clone();
    now.persistent.push(Kept {
        handle: "0x81020000".to_owned(),
        name: "000b05".to_owned(),
        what: "sealed data".to_owned(),
    });
    now.log_index = Place::Ours {
        name: "000b33".to_owned(),
    };
    assert_eq!(drifts(&now), Vec::<String>::new());
    let changes: [(Change, &str); 10] = [
        (
            |state| state.firmware = "15.23.0.0".to_owned(),
            "the firmware was 15.22.0.0, and is 15.23.0.0",
        ),
        (|state| state.vendor = "other".to_owned(), "the TPM was"),
        (
            |state| state.lockout_auth = crate::state::AuthState::Empty,
            "the lockout auth was set, and is empty",
        ),
        (|state| state.in_lockout = true, "the lockout was off, and is on"),
        (
            |state| state.clear_disabled = false,
            "TPM2_Clear was off, and is on",
        ),
        (|state| state.protection.tries = 3, "and is 3 tries"),
        (
            |state| state.storage_root_key = Place::Absent,
            "the storage root key was 000b01, and is absent",
        ),
        (
            |state| state.log_counter = Place::Absent,
            "the log counter was ours, and is absent",
        ),
        (
            |state| state.nv.clear(),
            "what is at 0x01800020 was an NV index, Name 000b03, and is absent",
        ),
        (
            |state| state.persistent[0].name = "000b99".to_owned(),
            "what is at 0x81000001 was",
        ),
    ];
    for (change, text) in changes {
        let mut now = report.after.clone();
        change(&mut now);
        let found = drifts(&now);
        assert!(found.len() == 1 && found[0].contains(text), "{text}: {found:?}");
    }
    let none = BTreeMap::new();
    let lost = drift(&report, &report.after, &places, &none);
    assert!(
        lost[0].evidence.contains("owner-auth.age was aa, and is absent"),
        "{lost:?}"
    );
}

/// What a TPM, a site or an operator says is never markup.
#[test]
fn the_page_escapes_what_it_shows() {
    let html = page(&report());
    for text in [
        "&lt;b&gt;SLB9672",
        "ana &amp; co",
        "1 &lt; 2",
        "remove a key at 0x81000009",
        "<code>aa</code>",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("<b>SLB"));
}
