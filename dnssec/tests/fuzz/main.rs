//! A fuzz target for what `dig` printed: nothing panics, an error has its line, and what is accepted is an observation that reads back.
//!
//! As a test it runs for a second; `make fuzz` runs it for ten minutes. Cases are made as those of the crate `interchange` are.
#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

#[path = "../../../interchange/tests/fuzz/case.rs"]
mod case;

use key_metadata::{Observation, Observations, Server, Source, ZoneName, yaml};
use keyrite_dnssec::{DigError, DigText, ServerList, Servers};

use case::Corpus;

fn zone() -> ZoneName {
    "fi.cr".parse().unwrap()
}

/// The servers of the corpus, and one that is in none of its files.
fn servers() -> Servers {
    let list = |names: [&str; 3]| {
        let servers = names.map(|name| name.parse::<Server>().unwrap());
        Some(ServerList::given(servers.to_vec()))
    };
    Servers {
        parent_zone: Some("cr".parse().unwrap()),
        parent: list([
            "ns1.cr=127.53.0.1:5300",
            "ns2.cr=127.53.0.2:5300",
            "ns9.cr=127.53.0.9:5300",
        ]),
        child: list([
            "ns1.fi.cr=127.53.0.3:5300",
            "ns2.fi.cr=127.53.0.4:5300",
            "ns3.fi.cr=127.53.0.8:5300",
        ]),
    }
}

/// Whether the text was accepted.
fn dig(text: &str) -> bool {
    let dig = match DigText::parse(&zone(), text) {
        Ok(dig) => dig,
        Err(DigError::Line { line, reason, .. }) => {
            assert!(
                line >= 1 && line <= text.lines().count().max(1),
                "{line} {reason}"
            );
            return false;
        }
        Err(error) => {
            assert!(matches!(error, DigError::Nothing { .. }));
            return false;
        }
    };
    for servers in [Servers::default(), servers()] {
        let answers = dig.answers(&servers);
        let (began, at) = dig.times().unwrap();
        // Whoever is listed is told of, with an answer or without.
        if let Some(parent) = answers.parent.as_ref().filter(|_| servers.parent.is_some()) {
            assert!(parent.answered() + parent.unknown.len() >= 3);
        }
        let observation = Observation {
            at,
            began,
            operator: "fuzz".to_owned(),
            tool: "fuzz".to_owned(),
            source: Source::Dig,
            parent_zone: None,
            parent: answers.parent,
            child: answers.child,
        };
        let mut observations = Observations::new(zone());
        // It may be that the answers are days apart, or that nobody was asked.
        if observations.add(observation).is_ok() {
            let text = yaml::render(&observations).unwrap();
            assert_eq!(Observations::from_yaml(&text, &zone()).unwrap(), observations);
        }
    }
    true
}

#[test]
fn dig_text() {
    let corpus = Corpus::read("dig");
    let accepted: Vec<_> = corpus.files.iter().map(|file| dig(file)).collect();
    // All but nodata, nxdomain and refused, which are of other names, and unreached, which has no answer.
    assert_eq!(accepted.iter().filter(|accepted| **accepted).count(), 8);
    corpus.fuzz("dig", dig);
}
