//! `prove`: whether a zone's keys, as another signer tells of them or as somebody wrote them down, are safe for every cache.

mod figures;
mod source;

use std::collections::BTreeSet;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::{Span, Time, ZoneName, timing};
use rollover::anchors::TrustAnchors;
use rollover::chain::Validators;
use rollover::prove::{Claim, Counterexample, Proof, prove};
use rollover::schedule::{CauseIndex, Schedule};
use serde::Serialize;

use figures::{Figure, FigureArguments};
use source::{Source, Told};

/// The options of `prove`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    figures: FigureArguments,
    /// When the lists were made, in UTC as 2026-11-23T10:07:31Z; now when absent
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
    /// From when on a fault counts; from the beginning of a history, else from --at
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
    /// Also for validators that want a signature of every algorithm of the DNSKEY RRset (RFC 4035 2.2)
    #[arg(long)]
    strict: bool,
    /// Also for validators that have the first KSKs as trust anchors and follow them by RFC 5011
    #[arg(long)]
    rfc5011: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    version: u32,
    zone: &'a ZoneName,
    safe: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a Proof>,
    counterexamples: Vec<Described<'a>>,
    figures: &'a [Figure],
    assumptions: &'a [String],
    schedule: &'a Schedule,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Described<'a> {
    text: String,
    #[serde(flatten)]
    counterexample: &'a Counterexample,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let now = self.at.map_or_else(cli::now, |at| at);
        let mut told = self.source.read(&self.figures, site, now, output)?;
        let validity = self.figures.validity(site)?;
        let trust_anchors = self.rfc5011.then(|| trust_anchors(&told, validity.value));
        if self.rfc5011 && !told.figures.iter().any(|figure| figure.name == validity.name) {
            told.figures.push(validity);
        }
        let Told {
            schedule,
            figures,
            assumptions,
            begins,
        } = &told;
        let claim = Claim {
            validators: match self.strict {
                true => Validators::Strict,
                false => Validators::Standard,
            },
            since: self.since.or(*begins).map_or(now, |since| since),
            trust_anchors,
        };
        let verdict = prove(schedule, &claim)?;
        let (proof, found): (_, &[Counterexample]) = match &verdict {
            Ok(proof) => (Some(proof), &[]),
            Err(found) => (None, found),
        };
        if self.report.json {
            output.json(&Report {
                version: 1,
                zone: &schedule.zone,
                safe: proof.is_some(),
                proof,
                counterexamples: found
                    .iter()
                    .map(|counterexample| Described {
                        text: counterexample.tell(schedule),
                        counterexample,
                    })
                    .collect(),
                figures,
                assumptions,
                schedule,
            })?;
        } else {
            let verdict = match proof {
                Some(proof) => in_words(&schedule.zone, proof),
                None => by_step(schedule, found),
            };
            output.result(verdict)?;
            output.result(table(
                ["FIGURE", "IS", "FROM"],
                figures.iter().map(|figure| {
                    [
                        figure.name.to_owned(),
                        figure.value.to_string(),
                        figure.from.clone(),
                    ]
                }),
            ))?;
            assumptions
                .iter()
                .for_each(|assumption| output.say(format!("assumed: {assumption}")));
        }
        match found.len() {
            0 => Ok(()),
            count => {
                let what = match count {
                    1 => "1 mix or moment breaks it".to_owned(),
                    more => format!("{more} mixes or moments break it"),
                };
                let failure = Failure::new(Exit::SaysNo, format!("{} is not safe: {what}", schedule.zone));
                Err(failure.hint(hint(found)))
            }
        }
    }
}

/// The KSKs that are there at the beginning, and the waits of RFC 5011 by the source's figures (T3, T4).
fn trust_anchors(told: &Told, validity: Span) -> TrustAnchors {
    let none = Span::from_seconds(0);
    let longest = |ttls: &[(Time, Span)]| ttls.iter().map(|(_, ttl)| *ttl).max().map_or(none, |ttl| ttl);
    let figure = |span| timing::Figure::given(span, "the source");
    let caching = &told.schedule.caching;
    let figures = timing::Figures {
        dsgn: figure(none),
        dprp: figure(told.schedule.propagation.zone),
        ttl_key: figure(longest(&caching.dnskey)),
        ttl_sig: figure(longest(&caching.zone)),
        dprp_parent: figure(told.schedule.propagation.parent),
        ttl_ds: figure(longest(&caching.ds)),
        dreg: figure(none),
        psafe: figure(none),
        rsafe: figure(none),
    };
    TrustAnchors {
        initial: told.first_ksks(),
        add_wait: timing::t3_add_wait(&figures, &figure(validity))
            .preceded_by("Dprp", &figures.dprp)
            .total(),
        remove_hold_down: timing::t4_remove_hold_down().total(),
    }
}

fn in_words(zone: &ZoneName, proof: &Proof) -> String {
    let [ds, dnskey, signatures] = proof.versions;
    let until = match proof.until > proof.since {
        true => format!("until {} and from then on", proof.until),
        false => "on, and nothing changes any more".to_owned(),
    };
    format!(
        "{zone}: safe for {}, from {} {until}\n  versions: {ds} of the DS RRset, {dnskey} of the DNSKEY RRset, {signatures} of the zone's \
         signatures; {} mixes of them that a cache can hold, each a chain\n",
        proof.validators, proof.since, proof.mixes
    )
}

/// Each step that comes too early, by the first mix that shows how long it must wait, and each fault that no wait mends.
fn by_step(schedule: &Schedule, found: &[Counterexample]) -> String {
    let step = |fault: &Counterexample| -> Option<CauseIndex> { fault.delay.map(|delay| delay.cause) };
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for fault in found {
        let mut same: Vec<&Counterexample> = vec![fault];
        if let Some(cause) = step(fault) {
            if !told.insert(cause) {
                continue;
            }
            same = found.iter().filter(|other| step(other) == Some(cause)).collect();
        }
        let longest = same
            .iter()
            .filter_map(|other| other.delay)
            .map(|delay| delay.until)
            .max();
        let shown = same
            .iter()
            .find(|other| other.delay.map(|delay| delay.until) == longest);
        let lines = shown.map_or(fault, |shown| shown).lines(schedule);
        let more = match same.len() {
            1 => String::new(),
            2 => " (1 more mix of this step)".to_owned(),
            all => format!(" ({} more mixes of this step)", all - 1),
        };
        text += &format!("{}: {}{more}\n", schedule.zone, lines.join("\n  "));
    }
    text
}

fn hint(found: &[Counterexample]) -> Option<String> {
    match found.iter().any(|fault| fault.delay.is_some()) {
        true => {
            Some("where it has not happened yet, make each step that is named wait until its time".to_owned())
        }
        false => None,
    }
}
