//! The zones of the corpus.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use keyrite_tests::{ZONES, zone_fixtures};

/// An unsigned zone, with the files that it includes.
pub struct Zone {
    pub name: String,
    /// Names and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Zone {
    fn of(name: &str, text: String) -> Self {
        Self {
            name: name.to_owned(),
            files: vec![(format!("{name}.zone"), text.into_bytes())],
        }
    }
}

/// All zones that are signed with an algorithm. The largest are with one of them: what they are about has nothing to do with keys.
pub fn all(algorithm: &str) -> Vec<Zone> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut zones = Vec::new();
    for path in paths.iter().filter(|path| path.extension().unwrap() == "zone") {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = if stem == "%2E" { "." } else { stem };
        let own = format!("{}.", stem.split('.').next().unwrap());
        let is_own = |file: &&PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap();
            *file == path || (name.starts_with(&own) && file.extension().unwrap() != "zone")
        };
        let read = |file: &PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(file).unwrap())
        };
        zones.push(Zone {
            name: name.to_owned(),
            files: paths.iter().filter(is_own).map(read).collect(),
        });
    }
    for name in ZONES {
        let text = fs::read_to_string(zone_fixtures().join(format!("{name}.zone"))).unwrap();
        zones.push(Zone::of(name, text));
    }
    if algorithm == "ECDSAP256SHA256" {
        zones.extend([large(), wide(), sets(), names(), longest(), many()]);
    }
    zones
}

const APEX: &str =
    "$TTL 3600\n@ SOA ns.example. hostmaster.example. 1 7200 3600 1209600 900\n@ NS ns.example.\n";

/// RDATA and RRsets of up to 60,160 octets.
fn large() -> Zone {
    let mut text = APEX.to_owned();
    let full = "x".repeat(255);
    writeln!(text, "full TXT \"{full}\"").unwrap();
    let strings = |count: usize, string: &str| format!("\"{string}\" ").repeat(count);
    // 235 * 256 is 60,160.
    writeln!(text, "sixty-thousand TXT {}", strings(235, &full)).unwrap();
    writeln!(text, "short TXT {}", strings(10_000, "")).unwrap();
    for number in 0..3 {
        writeln!(
            text,
            "several TYPE65280 \\# 20001 {number:02}{}",
            "00".repeat(20_000)
        )
        .unwrap();
    }
    Zone::of("large.test", text)
}

/// RDATA of up to 65,431 octets, and in a text of more than 65,535 characters. With 65,535 octets BIND 9.18.49 `ran out of space`.
fn wide() -> Zone {
    let mut text = APEX.to_owned();
    let full = format!("\"{}\" ", "x".repeat(255));
    // 255 * 256 and 151 are 65,431.
    writeln!(text, "most TXT {} \"{}\"", full.repeat(255), "y".repeat(150)).unwrap();
    let zeros = format!("\"{}\" ", "\\000".repeat(255));
    writeln!(text, "escaped TXT {}", zeros.repeat(255)).unwrap();
    writeln!(text, "unknown TYPE65280 \\# 65400 {}", "5a".repeat(65_400)).unwrap();
    Zone::of("wide.test", text)
}

/// RRsets of 300 records.
fn sets() -> Zone {
    let mut text = APEX.to_owned();
    for number in 0..300 {
        // Not in the order in which they are signed.
        let number = number * 7 % 300;
        let (high, low) = (number / 256, number % 256);
        writeln!(text, "a A 10.0.{high}.{low}\naaaa AAAA 2001:db8::{number:x}").unwrap();
        writeln!(text, "txt TXT \"{number}\"\nmx MX {number} Mail{number}.example.").unwrap();
        writeln!(text, "cut NS ns{number}.cut\nns{number}.cut A 10.0.{high}.{low}").unwrap();
        writeln!(text, "cut DS {number} 13 2 {number:064x}").unwrap();
        writeln!(
            text,
            "@ NS ns{number}.example.\nunknown TYPE65280 \\# 2 {number:04x}"
        )
        .unwrap();
        // RDATA of many lengths: a shorter one that is the beginning of another comes first.
        writeln!(text, "lengths TYPE65280 \\# {number} {}", "00".repeat(number)).unwrap();
    }
    Zone::of("sets.test", text)
}

/// Names of 255 octets, and of 127 labels.
fn names() -> Zone {
    let mut text = APEX.to_owned();
    let label = "a".repeat(63);
    // Three labels of 64 octets, one of 60, and those of the apex: 3.
    let long = format!("{}.{label}.{label}.{label}", "b".repeat(59));
    let deep = vec!["a"; 126].join(".");
    writeln!(text, "{long} A 192.0.2.1\n{long} TXT \"255 octets\"").unwrap();
    writeln!(text, "{deep} A 192.0.2.2").unwrap();
    writeln!(text, "*.{} A 192.0.2.3", vec!["w"; 125].join(".")).unwrap();
    writeln!(text, "{} NS ns.example.", vec!["c"; 126].join(".")).unwrap();
    writeln!(text, "alias CNAME {long}\nmail MX 10 {deep}").unwrap();
    writeln!(text, "{} NS ns.example.", vec!["s"; 126].join(".")).unwrap();
    let digest = "0123456789ABCDEF".repeat(4);
    writeln!(text, "{} DS 12345 13 2 {digest}", vec!["s"; 126].join(".")).unwrap();
    writeln!(text, "{label} A 192.0.2.4\n*.{label} A 192.0.2.5").unwrap();
    Zone::of("n", text)
}

/// The longest apex below which the hash of a name has a place (RFC 5155 10.1): 222 octets, and the hash's 33.
fn longest() -> Zone {
    let label = "l".repeat(63);
    let apex = format!("{}.{label}.{label}.{label}", "l".repeat(28));
    let text = format!(
        "{APEX}{} A 192.0.2.1\nx A 192.0.2.2\ny NS ns.example.\n",
        "x".repeat(32)
    );
    Zone::of(&apex, text)
}

/// Five thousand delegations.
fn many() -> Zone {
    let mut text = APEX.to_owned();
    for number in 0..5000 {
        let name = format!("{}{number}", ["a", "sub", "x-", "zz"][number % 4]);
        match number % 8 {
            0 => writeln!(text, "{name} NS ns.{name}\nns.{name} A 192.0.2.1"),
            _ => writeln!(text, "{name} NS ns1.example.\n{name} NS ns2.example."),
        }
        .unwrap();
        if number % 10 == 0 {
            writeln!(text, "{name} DS {number} 13 2 {number:064x}").unwrap();
        }
    }
    Zone::of("many.test", text)
}
