use tpm::Firmware;

use super::*;

fn info(manufacturer: &str, version: [u16; 4]) -> Info {
    let word = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
    Info {
        manufacturer: manufacturer.to_owned(),
        vendor: "model".to_owned(),
        firmware: Firmware(word(version[0], version[1]), word(version[2], version[3])),
        revision: 138,
    }
}

fn verdicts(manufacturer: &str, version: [u16; 4]) -> [Verdict; 4] {
    let findings = FirmwareTable::built_in()
        .unwrap()
        .assess(&info(manufacturer, version));
    let names: Vec<_> = findings.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(
        names,
        ["roca", "tpm-fail", "firmware-advisories", "firmware-known"]
    );
    for finding in &findings {
        assert!(finding.evidence.contains("table of 2026-11-23"), "{finding:?}");
        assert_eq!(finding.verdict.says_no(), finding.remedy.is_some(), "{finding:?}");
        assert_ne!(finding.remedy.as_deref(), Some(""), "{finding:?}");
    }
    [0, 1, 2, 3].map(|i| findings[i].verdict)
}

use Verdict::{Fail, Pass, Unknown};

#[test]
fn makers_at_the_borders() {
    for (manufacturer, version, expected) in [
        // Infineon: ROCA by family, EUCLEAK open for all.
        ("IFX", [5, 61, 9, 9], [Fail, Pass, Unknown, Pass]),
        ("IFX", [5, 62, 0, 0], [Pass, Pass, Unknown, Unknown]),
        ("IFX", [7, 61, 0, 0], [Fail, Pass, Unknown, Pass]),
        ("IFX", [7, 85, 17, 51968], [Pass, Pass, Unknown, Unknown]),
        ("IFX", [4, 39, 0, 0], [Pass, Pass, Unknown, Pass]),
        ("IFX", [4, 40, 0, 0], [Fail, Pass, Unknown, Pass]),
        ("IFX", [15, 21, 0, 0], [Unknown, Pass, Fail, Pass]),
        ("IFX", [15, 22, 0, 0], [Unknown, Pass, Unknown, Unknown]),
        ("IFX", [15, 23, 0, 0], [Unknown, Pass, Unknown, Pass]),
        // STMicroelectronics: whatever is not listed is not affected by TPM-FAIL, and no other row names it.
        ("STM", [73, 4, 0, 0], [Pass, Fail, Unknown, Pass]),
        ("STM", [74, 16, 1, 1], [Pass, Fail, Unknown, Pass]),
        ("STM", [73, 20, 0, 0], [Pass, Pass, Unknown, Pass]),
        ("STM", [1, 258, 0, 0], [Pass, Pass, Unknown, Unknown]),
        // Nuvoton.
        ("NTC", [1, 3, 2, 8], [Pass, Unknown, Fail, Pass]),
        ("NTC", [1, 3, 2, 20], [Pass, Unknown, Unknown, Pass]),
        ("NTC", [7, 2, 1, 0], [Pass, Fail, Fail, Pass]),
        ("NTC", [7, 2, 2, 0], [Pass, Pass, Fail, Pass]),
        ("NTC", [7, 2, 4, 0], [Pass, Pass, Fail, Pass]),
        ("NTC", [7, 2, 4, 1], [Pass, Pass, Unknown, Pass]),
        ("NTC", [7, 2, 6, 0], [Pass, Pass, Unknown, Unknown]),
        // Firmware TPMs: their numbers do not tell.
        ("INTC", [11, 8, 50, 3426], [Pass, Unknown, Unknown, Unknown]),
        ("AMD", [3, 59, 0, 5], [Pass, Pass, Unknown, Unknown]),
        // libtpms, and somebody of whom nothing is known.
        ("IBM", [8217, 4131, 22, 13878], [Pass, Pass, Unknown, Unknown]),
        ("QCOM", [1, 0, 0, 0], [Pass, Pass, Unknown, Unknown]),
    ] {
        assert_eq!(
            verdicts(manufacturer, version),
            expected,
            "{manufacturer} {version:?}"
        );
    }
}

#[test]
fn what_is_barred() {
    let table = FirmwareTable::built_in().unwrap();
    let bars = |manufacturer, version, what: &str| {
        let findings = table.assess(&info(manufacturer, version));
        findings.iter().any(|finding| finding.evidence.contains(what))
    };
    assert!(bars("IFX", [7, 61, 0, 0], "bars RSA"));
    assert!(bars("NTC", [7, 2, 0, 1], "bars ECDSA"));
    assert!(!bars("IFX", [7, 85, 0, 0], "bars"));
    let failed = &table.assess(&info("STM", [73, 8, 0, 0]))[1];
    assert!(
        failed.evidence.contains("bars ECDSA keys") && failed.evidence.contains("https://st.com/"),
        "{failed:?}"
    );
}

/// Some TPM meets each row: none is hidden by one above it.
#[test]
fn every_row_is_reached() {
    let table = FirmwareTable::built_in().unwrap();
    let mut versions = vec![[0; 4], [200, 0, 0, 0]];
    for a in [1, 4, 5, 6, 7, 15, 71, 73, 74, 133, 8217] {
        for b in (0..90).chain([4131]) {
            for (c, d) in [
                (0, 0),
                (0, 1),
                (1, 0),
                (2, 0),
                (2, 8),
                (2, 20),
                (3, 0),
                (4, 0),
                (4, 1),
                (5, 0),
                (22, 13878),
            ] {
                versions.push([a, b, c, d]);
            }
        }
    }
    for row in &table.rows {
        let reached = versions.iter().any(|version| {
            ["IFX", "STM", "NTC", "INTC", "AMD", "IBM", "QCOM"]
                .into_iter()
                .any(|manufacturer| {
                    let tpm = info(manufacturer, *version);
                    table.row(&row.id, &tpm).is_some_and(|met| std::ptr::eq(met, row))
                })
        });
        assert!(reached, "{row:?}");
    }
}

#[test]
fn rows_are_complete_and_consistent() {
    let table = FirmwareTable::built_in().unwrap();
    for row in &table.rows {
        assert!(row.source.starts_with("https://"), "{row:?}");
        // What is not in order says what to do, and only what is vulnerable bars anything.
        assert_eq!(row.state == State::Unaffected, row.remedy.is_none(), "{row:?}");
        assert!(row.bars.is_empty() || row.state == State::Vulnerable, "{row:?}");
        let first = table.rows.iter().find(|other| other.id == row.id).unwrap();
        assert_eq!((&row.name, row.check), (&first.name, first.check), "{row:?}");
    }
    assert_eq!(table.date(), "2026-11-23");
}

/// A table without a row for somebody says unknown, not pass.
#[test]
fn silence_is_unknown() {
    let text = "date: 2026-01-01\nrows:\n- {id: X, name: X, check: roca, manufacturers: IFX, versions: '1.0', \
                state: unaffected, source: https://x}\n";
    let table: FirmwareTable = text.parse().unwrap();
    let verdicts = |version| -> Vec<_> {
        let findings = table.assess(&info("IFX", version)).into_iter();
        findings.map(|finding| finding.verdict).collect()
    };
    assert_eq!(verdicts([1, 0, 0, 0]), [Pass, Unknown, Unknown, Pass]);
    assert_eq!(verdicts([1, 1, 0, 0]), [Unknown; 4]);
}

#[test]
fn mistakes_in_a_table_are_said() {
    let row = |change: &str| {
        format!(
            "date: 2026-01-01\nrows:\n- id: X\n  name: X\n  check: roca\n  state: unknown\n  source: https://x\n{change}\n"
        )
    };
    for (change, message) in [
        ("  manufacturers: Infineon", "'Infineon' names no manufacturers"),
        ("  manufacturers: any but", "names no manufacturers"),
        (
            "  manufacturers: IFX\n  versions: newest",
            "'newest' is no list of firmware versions",
        ),
        ("  manufacturers: IFX\n  model: SLB9670", "unknown field `model`"),
        ("", "missing field `manufacturers`"),
    ] {
        let error = row(change).parse::<FirmwareTable>().unwrap_err().to_string();
        assert!(error.contains(message), "{change}: {error}");
    }
}
