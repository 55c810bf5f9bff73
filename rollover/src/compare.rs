//! An observation, held against itself and against the site's records of the zone's keys.

use std::collections::BTreeSet;
use std::fmt;

use key_metadata::{
    Asked, ChildAnswer, DsAnswer, KeyAlgorithm, KeyRecord, KeyState, ListedBy, Observation, ObservedDnskey,
    ObservedDs, Server, ZoneName,
};
use serde::Serialize;

use crate::link::{Leads, Link};
use crate::tags::{DnskeyTag, DsTag};

/// Something that an observation shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at.
    pub check: Check,
    /// In words, without the servers.
    pub text: String,
    /// The servers that show it, as NAME=ADDRESS.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub servers: BTreeSet<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Validators refuse the zone, or will where they ask those servers.
    Red,
    /// The servers do not agree, or not with the records.
    Differs,
    /// It cannot be told.
    NotKnown,
    /// It is as it is to be on the way from one state to the next.
    Note,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Whether every server answered.
    Answered,
    /// Whether those of one zone say the same.
    Agreement,
    /// Whether a DS leads to a DNSKEY that signs the DNSKEY RRset, and a key of that signs the zone.
    Chain,
    /// Whether the DNSKEY records are those of the site's keys.
    Dnskey,
    /// Whether the DS records are those of the site's keys.
    Ds,
}

/// The digests of a DS that validators know (RFC 8624 3.3), and that are computed here: SHA-1, SHA-256, SHA-384.
const DIGESTS: [u8; 3] = [1, 2, 4];

/// All that an observation shows which is not simply as the records say. The worst comes first.
pub fn compare(zone: &ZoneName, keys: &[KeyRecord], observation: &Observation) -> Vec<Finding> {
    let mut findings = Findings::default();
    if let Some(parent) = &observation.parent {
        findings.answered("parent", parent);
        findings.parents_agree(parent);
        findings.ds_of_records(zone, keys, parent);
    }
    if let Some(child) = &observation.child {
        findings.answered("zone", child);
        findings.children_agree(child);
        findings.dnskeys_of_records(keys, child);
    }
    if let (Some(parent), Some(child)) = (&observation.parent, &observation.child) {
        for delegation in parent
            .answers
            .iter()
            .filter(|answer| !answer.answer.ds.is_empty())
        {
            for apex in &child.answers {
                let link = Link {
                    zone,
                    ds: &delegation.answer.ds,
                    child: &apex.answer,
                    at: observation.at,
                };
                let servers = delegation.servers.iter().chain(&apex.servers);
                findings.chain(&link, &servers.collect::<Vec<_>>());
            }
        }
    }
    findings
        .0
        .sort_by_key(|finding| (finding.severity, finding.check));
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding; one of the same words gets the servers of both.
    fn add<'a>(
        &mut self,
        severity: Severity,
        check: Check,
        text: impl Into<String>,
        servers: impl IntoIterator<Item = &'a Server>,
    ) {
        let text = text.into();
        let servers = servers.into_iter().map(Server::to_string);
        let same =
            |known: &&mut Finding| (known.severity, known.check, &known.text) == (severity, check, &text);
        match self.0.iter_mut().find(same) {
            Some(known) => known.servers.extend(servers),
            None => self.0.push(Finding {
                severity,
                check,
                servers: servers.collect(),
                text,
            }),
        }
    }

    fn answered<A>(&mut self, of: &str, asked: &Asked<A>) {
        for missing in asked.missing() {
            self.0.push(Finding {
                severity: Severity::NotKnown,
                check: Check::Answered,
                text: format!(
                    "no answer of a server of the {of}: {}: {}",
                    missing.why, missing.detail
                ),
                servers: BTreeSet::from([missing.server()]),
            });
        }
        match asked.listed_by {
            ListedBy::Nobody => self.add(
                Severity::NotKnown,
                Check::Answered,
                format!("nobody says that these are all servers of the {of}"),
                [],
            ),
            ListedBy::Resolver | ListedBy::Operator if asked.is_empty() => self.add(
                Severity::NotKnown,
                Check::Answered,
                format!("no server of the {of} is known"),
                [],
            ),
            ListedBy::Resolver | ListedBy::Operator => {}
        }
    }

    fn parents_agree(&mut self, parent: &Asked<DsAnswer>) {
        if parent.answers.len() > 1 {
            for answer in &parent.answers {
                let text = format!("the servers of the parent differ: {}", Told(&answer.answer));
                self.add(Severity::Differs, Check::Agreement, text, &answer.servers);
            }
        }
    }

    /// Signatures and serial differ whenever a server is a little behind.
    fn children_agree(&mut self, child: &Asked<ChildAnswer>) {
        let told = |answer: &ChildAnswer| {
            let keys: Vec<_> = answer
                .dnskey
                .records
                .iter()
                .map(DnskeyTag)
                .map(|key| key.to_string())
                .collect();
            match keys.is_empty() {
                true => format!("no DNSKEY, kept {}", answer.dnskey.ttl),
                false => format!("DNSKEY {}, TTL {}", keys.join(" and "), answer.dnskey.ttl),
            }
        };
        let same = |answer: &ChildAnswer| (answer.dnskey.ttl, answer.dnskey.records.clone());
        let mut distinct = child.distinct().map(same);
        let first = distinct.next();
        if distinct.any(|other| Some(&other) != first.as_ref()) {
            for answer in &child.answers {
                let text = format!("the servers of the zone differ: {}", told(&answer.answer));
                self.add(Severity::Differs, Check::Agreement, text, &answer.servers);
            }
        }
    }

    /// Each key of the records, as far as DS records go, and each DS that is of none of them.
    fn ds_of_records(&mut self, zone: &ZoneName, keys: &[KeyRecord], parent: &Asked<DsAnswer>) {
        for key in keys.iter().filter(|key| key.role.signs_dnskey()) {
            let has = |answer: &DsAnswer| answer.ds.iter().any(|ds| ds.is_of(zone, key));
            let (with, without) = split(parent, has);
            let (name, state) = (named(key), key.state);
            let is_at = format!("{name} is {state}: its DS is at {}", some(&with, parent));
            let is_missing = format!(
                "{name} is {state}: its DS is missing at {}",
                some(&without, parent)
            );
            match state {
                KeyState::Ready | KeyState::PreActive if !without.is_empty() => {
                    self.add(
                        Severity::Note,
                        Check::Ds,
                        format!("{is_missing}: it is on its way"),
                        without,
                    );
                }
                KeyState::Active if !without.is_empty() => {
                    self.add(Severity::Differs, Check::Ds, is_missing, without);
                }
                KeyState::Ready | KeyState::PreActive | KeyState::Active | KeyState::PostActive => {}
                KeyState::Retired | KeyState::RetireActive if !with.is_empty() => {
                    self.add(
                        Severity::Note,
                        Check::Ds,
                        format!("{is_at}: it is on its way out"),
                        with,
                    );
                }
                KeyState::Generated
                | KeyState::Published
                | KeyState::Dead
                | KeyState::Removed
                | KeyState::Revoked
                | KeyState::Destroyed
                    if !with.is_empty() =>
                {
                    self.add(Severity::Differs, Check::Ds, is_at, with);
                }
                KeyState::Retired
                | KeyState::RetireActive
                | KeyState::Generated
                | KeyState::Published
                | KeyState::Dead
                | KeyState::Removed
                | KeyState::Revoked
                | KeyState::Destroyed => {}
            }
        }
        for answer in &parent.answers {
            for ds in &answer.answer.ds {
                if !keys.iter().any(|key| ds.is_of(zone, key)) {
                    let text = format!("DS {} is of no key in the records", DsTag(ds));
                    self.add(Severity::Differs, Check::Ds, text, &answer.servers);
                }
            }
        }
    }

    /// Each key of the records, as far as DNSKEY records go, and each DNSKEY that is of none of them.
    fn dnskeys_of_records(&mut self, keys: &[KeyRecord], child: &Asked<ChildAnswer>) {
        for key in keys {
            let has = |answer: &ChildAnswer| answer.dnskey.records.iter().any(|dnskey| dnskey.is_of(key));
            let (with, without) = split(child, has);
            let (name, state) = (named(key), key.state);
            if state.in_zone() && !without.is_empty() {
                let text = format!(
                    "{name} is {state}: its DNSKEY is missing at {}",
                    some(&without, child)
                );
                match state {
                    KeyState::Published => {
                        self.add(
                            Severity::Note,
                            Check::Dnskey,
                            format!("{text}: it is on its way"),
                            without,
                        );
                    }
                    KeyState::Generated
                    | KeyState::PreActive
                    | KeyState::Ready
                    | KeyState::Active
                    | KeyState::RetireActive
                    | KeyState::Retired
                    | KeyState::PostActive
                    | KeyState::Dead
                    | KeyState::Removed
                    | KeyState::Revoked
                    | KeyState::Destroyed => self.add(Severity::Differs, Check::Dnskey, text, without),
                }
            }
            if !state.in_zone() && !with.is_empty() {
                let text = format!("{name} is {state}: its DNSKEY is at {}", some(&with, child));
                self.add(Severity::Differs, Check::Dnskey, text, with);
            }
            let revoked = state == KeyState::Revoked;
            let is_other = |dnskey: &ObservedDnskey| dnskey.is_of(key) && dnskey.is_revoked() != revoked;
            let (other, _) = split(child, |answer| answer.dnskey.records.iter().any(is_other));
            if !other.is_empty() {
                let with = if revoked { "without" } else { "with" };
                let text = format!("{name} is {state}: its DNSKEY is there {with} the REVOKE bit");
                self.add(Severity::Differs, Check::Dnskey, text, other);
            }
        }
        for answer in &child.answers {
            for dnskey in &answer.answer.dnskey.records {
                if !keys.iter().any(|key| dnskey.is_of(key)) {
                    let text = format!("DNSKEY {} is of no key in the records", DnskeyTag(dnskey));
                    self.add(Severity::Differs, Check::Dnskey, text, &answer.servers);
                }
            }
        }
    }

    fn chain(&mut self, link: &Link<'_>, servers: &[&Server]) {
        let servers = || servers.iter().copied();
        let tags = |ds: &[&ObservedDs]| {
            ds.iter()
                .map(|ds| DsTag(ds).to_string())
                .collect::<Vec<_>>()
                .join(" and ")
        };
        let known: Vec<_> = link
            .ds
            .iter()
            .filter(|ds| DIGESTS.contains(&ds.digest_type))
            .collect();
        if known.is_empty() {
            let text = format!(
                "no DS has a digest that is known: {}",
                tags(&link.ds.iter().collect::<Vec<_>>())
            );
            return self.add(Severity::NotKnown, Check::Chain, text, servers());
        }
        let (led, lost): (Vec<_>, Vec<_>) = known
            .iter()
            .copied()
            .partition(|ds| link.leads(ds) != Leads::Nowhere);
        if led.is_empty() {
            let text = format!(
                "no DS leads to a DNSKEY that signs the DNSKEY RRset: {}",
                tags(&lost)
            );
            self.add(Severity::Red, Check::Chain, text, servers());
        } else if led.iter().all(|ds| link.leads(ds) == Leads::NotChecked) {
            let text = format!(
                "the signatures of the DNSKEY RRset cannot be verified here: {}",
                tags(&led)
            );
            self.add(Severity::NotKnown, Check::Chain, text, servers());
        }
        let algorithms: BTreeSet<_> = known.iter().map(|ds| ds.algorithm).collect();
        for algorithm in algorithms {
            if !led.is_empty() && !link.is_signed_with(algorithm) {
                let text = format!(
                    "a DS has the algorithm {}, and no signature of the DNSKEY RRset has (RFC 4035 2.2)",
                    algorithm_name(algorithm)
                );
                self.add(Severity::Red, Check::Chain, text, servers());
            }
        }
        for ds in lost {
            if !led.is_empty() {
                let text = format!("DS {} leads to no DNSKEY that signs the DNSKEY RRset", DsTag(ds));
                self.add(Severity::Differs, Check::Chain, text, servers());
            }
        }
        match link.soa() {
            Leads::There => {}
            Leads::NotChecked => {
                let text = "the signatures of the SOA cannot be verified here, or it was not asked for";
                self.add(Severity::NotKnown, Check::Chain, text, servers());
            }
            Leads::Nowhere => {
                let text = "the SOA has no signature that holds";
                self.add(Severity::Red, Check::Chain, text, servers());
            }
        }
    }
}

/// The servers whose answer is so, and the others that answered.
fn split<A>(asked: &Asked<A>, has: impl Fn(&A) -> bool) -> (Vec<&Server>, Vec<&Server>) {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (server, answer) in asked.each() {
        match has(answer) {
            true => with.push(server),
            false => without.push(server),
        }
    }
    (with, without)
}

/// `every server that answered`, or `1 of 3 servers that answered`.
fn some<A>(servers: &[&Server], asked: &Asked<A>) -> String {
    match (servers.len(), asked.answered()) {
        (some, all) if some == all => "every server that answered".to_owned(),
        (some, all) => format!("{some} of {all} servers that answered"),
    }
}

fn named(key: &KeyRecord) -> String {
    format!("{} {}", key.role, key.key_tag())
}

fn algorithm_name(number: u8) -> String {
    match number.to_string().parse::<KeyAlgorithm>() {
        Ok(known) => known.to_string(),
        Err(_) => number.to_string(),
    }
}

/// What a server of the parent says, in words.
struct Told<'a>(&'a DsAnswer);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = self.0;
        let ds: Vec<_> = answer.ds.iter().map(DsTag).map(|ds| ds.to_string()).collect();
        match ds.is_empty() {
            true => write!(f, "no DS, kept {}", answer.ttl),
            false => write!(f, "DS {}, TTL {}", ds.join(" and "), answer.ttl),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Red => "RED",
            Self::Differs => "differs",
            Self::NotKnown => "not known",
            Self::Note => "note",
        })
    }
}
