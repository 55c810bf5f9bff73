//! A fuzz target for each foreign format: nothing panics, what is read is written so that it reads the same, and no PIN comes out.
//!
//! As a test each runs for a second; `make fuzz` runs each for ten minutes. Both are on stable, without coverage to guide them. A case is a file
//! of the corpus with edits, since random bytes would not get past the first line of any of these formats.
#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod case;

use std::error::Error;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interchange::bind::{KeyFile, PrivateFile, StateFile};
use interchange::dnst::{self, KeySet, Wrapping};
use interchange::{Lost, ReadError, knot, opendnssec, records};

use case::Corpus;

/// What stands for a PIN in the corpus.
const PIN: &str = "4711-s3cr3t";

/// Runs `target` on cases for `FUZZ_SECONDS`, or for one; it says whether the file was accepted.
fn fuzz(name: &str, target: impl Fn(&str) -> bool + std::panic::RefUnwindSafe) {
    let corpus = Corpus::read(name);
    for file in &corpus.files {
        target(file);
    }
    corpus.fuzz(name, target);
}

fn file() -> &'static Path {
    Path::new("foreign")
}

/// All that a user could see of an error.
fn shown(error: &ReadError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error}"));
        source = error.source();
    }
    text
}

fn all(lost: &[Lost]) -> String {
    lost.iter().map(|lost| format!("{lost} {lost:?}\n")).collect()
}

#[test]
fn bind_key() {
    fuzz("bind-key", |text| match KeyFile::parse(file(), text) {
        Err(error) => shown(&error).is_empty(),
        Ok((key, _)) => {
            let (again, lost) = KeyFile::parse(file(), &key.to_string()).unwrap();
            assert_eq!((&again.dnskey, &again.times), (&key.dnskey, &key.times));
            assert!(lost.is_empty(), "{lost:?}");
            true
        }
    });
}

/// In the corpus, and so to the edits, Engine and Label are in the clear; BIND has them in base64.
fn in_base64(text: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((name @ ("Engine" | "Label"), value)) => format!(
            "{name}: {}\n",
            STANDARD.encode([value.as_bytes(), b"\0"].concat())
        ),
        Some(_) | None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Whether every PIN of the text is where a PIN is recognised: the value of an attribute of that name in a Label.
fn pins_are_in_place(text: &str) -> bool {
    text.lines().filter(|line| line.contains(PIN)).all(|line| {
        let uri = line.strip_prefix("Label: pkcs11:");
        uri.is_some_and(|uri| {
            let mut with_pin = uri
                .split([';', '?', '&'])
                .filter(|attribute| attribute.contains(PIN));
            with_pin
                .all(|attribute| attribute.starts_with("pin-value=") || attribute.starts_with("pin-source="))
        })
    })
}

#[test]
fn bind_private() {
    fuzz("bind-private", |text| {
        match PrivateFile::parse(file(), &in_base64(text)) {
            Err(error) => {
                // Whatever was edited: no error repeats any value of such a file.
                assert!(!shown(&error).contains(PIN), "{error:?}");
                false
            }
            Ok((private, lost)) => {
                assert!(!all(&lost).contains(PIN), "{lost:?}");
                let Some(rendered) = private.render() else {
                    return true;
                };
                let (again, more) = PrivateFile::parse(file(), &rendered).unwrap();
                assert_eq!(again.render().as_ref(), Some(&rendered));
                assert_eq!(
                    (again.algorithm, &again.times, again.succession, again.lifetime),
                    (
                        private.algorithm,
                        &private.times,
                        private.succession,
                        private.lifetime
                    )
                );
                assert!(more.is_empty(), "{more:?}");
                if pins_are_in_place(text) {
                    let decoded: String = rendered
                        .split_whitespace()
                        .filter_map(|word| STANDARD.decode(word).ok())
                        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                        .collect();
                    assert!(!decoded.contains(PIN) && !rendered.contains(PIN), "{rendered}");
                }
                true
            }
        }
    });
}

#[test]
fn bind_state() {
    fuzz("bind-state", |text| match StateFile::parse(file(), text) {
        Err(error) => shown(&error).is_empty(),
        Ok((state, _)) => {
            let (again, lost) = StateFile::parse(file(), &state.to_string()).unwrap();
            assert_eq!(again, state);
            assert!(lost.is_empty(), "{lost:?}");
            true
        }
    });
}

#[test]
fn knot() {
    let records = all_records();
    fuzz("knot", |text| match knot::Listing::parse(file(), text) {
        Err(error) => shown(&error).is_empty(),
        Ok(listing) => {
            let again = knot::Listing::parse(file(), &knot::render(&listing.keys).unwrap()).unwrap();
            assert_eq!(again.keys, listing.keys);
            assert!(again.lost.is_empty(), "{:?}", again.lost);
            let _ = knot::import(listing, &records).map_err(|error| shown(&error));
            true
        }
    });
}

#[test]
fn opendnssec() {
    let records = all_records();
    fuzz("opendnssec", |text| {
        let export = records::read(file(), text).map_err(|error| shown(&error));
        if let Ok((keys, _)) = &export {
            let rendered: String = keys.iter().map(|key| format!("{key}\n")).collect();
            assert_eq!(&records::read(file(), &rendered).unwrap().0, keys);
        }
        let list = opendnssec::Listing::parse(file(), text).map_err(|error| shown(&error));
        let is_list = list.is_ok();
        if let Ok(listing) = list {
            let rendered: String = listing.keys.iter().map(|key| format!("{key}\n")).collect();
            assert_eq!(
                opendnssec::Listing::parse(file(), &rendered).unwrap().keys,
                listing.keys
            );
            let _ = opendnssec::import(listing, &records).map_err(|error| shown(&error));
        }
        export.is_ok() || is_list
    });
}

#[test]
fn dnst() {
    let records = all_records();
    fuzz("dnst", |text| {
        // A password is where one is recognised unless an edit took it apart.
        let in_place = text.matches(PIN).count() == text.matches(&format!("kmip://u:{PIN}@hsm")).count();
        match KeySet::parse(file(), text) {
            Err(error) => {
                assert!(!in_place || !shown(&error).contains(PIN), "{error:?}");
                false
            }
            Ok((mut set, lost)) => {
                assert!(!in_place || !all(&lost).contains(PIN), "{lost:?}");
                let (again, lost) = KeySet::parse(file(), &set.render().unwrap()).unwrap();
                assert_eq!(again, set);
                assert!(lost.is_empty(), "{lost:?}");
                set.wrapping = Wrapping::KeySet;
                let theirs: Result<domain::dnssec::sign::keys::keyset::KeySet, _> =
                    serde_json::from_str(&set.render().unwrap());
                assert_eq!(theirs.unwrap().keys().len(), set.keys.len());
                let _ = dnst::import(set, file(), &records).map_err(|error| shown(&error));
                true
            }
        }
    });
}

/// The DNSKEY records of the corpus.
fn all_records() -> Vec<records::Dnskey> {
    let texts = [Corpus::read("bind-key").files, Corpus::read("opendnssec").files].concat();
    texts
        .iter()
        .filter_map(|text| records::read(file(), text).ok())
        .flat_map(|(keys, _)| keys)
        .collect()
}
