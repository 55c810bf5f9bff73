//! Where a schedule comes from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use interchange::dnst::KeySet;
use interchange::{Lost, ReadError, knot, opendnssec};
use key_metadata::store::read_text;
use key_metadata::{Span, Time, ZoneName};
use rollover::histories::recorded::History;
use rollover::histories::{self, Reading, Software};
use rollover::schedule::{KeyIndex, Schedule};

use super::figures::{Figure, FigureArguments, InFile, one};
use crate::zone_of_site::ZoneOfSite;

/// Whose keys they are, or who wrote them down.
#[derive(Args)]
pub struct Source {
    /// The zone, where the source has several; with no source, a zone of the site by its records
    #[arg(long, value_name = "ZONE")]
    zone: Option<ZoneName>,
    #[command(flatten)]
    from: From,
}

/// One of these.
#[derive(Args)]
#[group(required = false, multiple = false)]
struct From {
    /// BIND: the folder with the zone's key files
    #[arg(long, value_name = "FOLDER", requires = "zone")]
    bind: Option<PathBuf>,
    /// Knot DNS: what 'keymgr -j ZONE list' printed; several of them, the oldest first
    #[arg(long, value_name = "FILE", num_args = 1..)]
    knot: Vec<PathBuf>,
    /// OpenDNSSEC: what 'ods-enforcer key list --verbose --parsable --all' printed, and the same with --debug
    #[arg(long, value_name = "FILE", num_args = 1..)]
    opendnssec: Vec<PathBuf>,
    /// dnst: the state file of 'dnst keyset'
    #[arg(long, value_name = "FILE")]
    dnst: Option<PathBuf>,
    /// A history of RRsets, in YAML
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// What a source told.
pub struct Told {
    pub schedule: Schedule,
    pub figures: Vec<Figure>,
    pub assumptions: Vec<String>,
    /// When it begins, where all of it is to be proved.
    pub begins: Option<Time>,
}

impl Told {
    /// The KSKs that are in the zone when the schedule begins, or that come first.
    pub fn first_ksks(&self) -> BTreeSet<KeyIndex> {
        let begins =
            |key: &rollover::schedule::KeyLanes| key.dnskey.0.first().map(|presence| presence.begins.by);
        let ksks = || {
            let keys = self.schedule.keys.iter().enumerate();
            keys.filter(|(_, key)| key.role.signs_dnskey())
                .filter_map(|(place, key)| Some((KeyIndex(place), begins(key)?)))
        };
        let first = ksks().map(|(_, begins)| begins).min();
        let there = first.map(|first| first.max(self.schedule.since));
        ksks()
            .filter(|(_, begins)| there.is_some_and(|there| *begins <= there))
            .map(|(key, _)| key)
            .collect()
    }
}

impl Source {
    /// Reads it.
    pub fn read(
        &self,
        figures: &FigureArguments,
        site: &SiteArguments,
        now: Time,
        output: &Output,
    ) -> Outcome<Told> {
        let From {
            bind,
            knot,
            opendnssec,
            dnst,
            history,
        } = &self.from;
        if let Some(file) = history {
            return self.history(file, figures);
        }
        let around = |software, told: Option<&InFile>| figures.circumstances(site, software, told);
        let (reading, figures) = if let Some(folder) = bind {
            let zone = self.one_of(folder, self.zone.clone().into_iter().collect())?;
            let import = interchange::bind::read_folder(folder, &zone)?;
            tell(&import.lost, output);
            let told = import.keys.iter().filter_map(|key| {
                let file = key
                    .source
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())?;
                Some(InFile {
                    ttl: Span::from_seconds(key.ttl?),
                    file,
                })
            });
            let told = told.max_by_key(|told| told.ttl);
            let (around, figures) = around(Software::Bind, told.as_ref())?;
            (
                histories::bind::schedule(&zone, &import.keys, &around, now)?,
                figures,
            )
        } else if let Some(first) = knot.first() {
            let mut lists = Vec::new();
            for file in knot {
                let listing = knot::Listing::parse(file, &read_text(file)?)?;
                tell(&listing.lost, output);
                lists.push(listing.keys);
            }
            let zones = lists.iter().flatten().map(|key| key.zone.clone());
            let zone = self.one_of(first, zones.collect())?;
            let (around, figures) = around(Software::Knot, None)?;
            (histories::knot::schedule(&zone, &lists, &around, now)?, figures)
        } else if let Some(first) = opendnssec.first() {
            let mut texts = String::new();
            for file in opendnssec {
                texts += &read_text(file)?;
                texts.push('\n');
            }
            let listing = opendnssec::Listing::parse(first, &texts)?;
            let zone = self.one_of(first, listing.keys.iter().map(|key| key.zone.clone()).collect())?;
            let (around, figures) = around(Software::OpenDnssec, None)?;
            (
                histories::opendnssec::schedule(&zone, &listing, &around, now)?,
                figures,
            )
        } else if let Some(file) = dnst {
            let (set, lost) = KeySet::parse(file, &read_text(file)?)?;
            tell(&lost, output);
            self.one_of(file, BTreeSet::from([set.zone.clone()]))?;
            let told = ttl_of(file, &set)?;
            let (around, figures) = around(Software::Dnst, told.as_ref())?;
            (histories::dnst::schedule(&set, &around, now)?, figures)
        } else if let Some(zone) = &self.zone {
            return Ok(of_site(&ZoneOfSite::read(&site.open()?, zone, now)?, now));
        } else {
            let failure = Failure::new(Exit::Usage, "nothing was named to be proved");
            return Err(failure.hint(
                "name --bind, --knot, --opendnssec, --dnst or --history; or a zone of the site".to_owned(),
            ));
        };
        let Reading {
            schedule,
            assumptions,
        } = reading;
        Ok(Told {
            schedule,
            figures,
            assumptions,
            begins: None,
        })
    }

    /// The zone that was asked for, or the only one that there is.
    fn one_of(&self, file: &Path, zones: BTreeSet<ZoneName>) -> Outcome<ZoneName> {
        let failed = |exit, what: String| Failure::new(exit, format!("{} {what}", file.display()));
        match (&self.zone, zones.first()) {
            (Some(asked), _) if zones.contains(asked) => Ok(asked.clone()),
            (Some(asked), _) => Err(failed(Exit::Failed, format!("has no key of {asked}"))),
            (None, Some(only)) if zones.len() == 1 => Ok(only.clone()),
            (None, Some(_)) => {
                let failure = failed(Exit::Usage, "has keys of several zones".to_owned());
                Err(failure.hint("name one with --zone".to_owned()))
            }
            (None, None) => Err(failed(Exit::Failed, "has no keys".to_owned())),
        }
    }

    fn history(&self, file: &Path, asked: &FigureArguments) -> Outcome<Told> {
        let text = read_text(file)?;
        let refused = |error| {
            Failure::of(Exit::Failed, &error).within(format!("{} is not a history of RRsets", file.display()))
        };
        let history = History::from_yaml(&text).map_err(refused)?;
        let mut schedule = history.schedule().map_err(refused)?;
        self.one_of(file, BTreeSet::from([schedule.zone.clone()]))?;
        let name = file.display().to_string();
        let since = schedule.since;
        let mut figures = Vec::new();
        let caching = &mut schedule.caching;
        for (figure, option, value, ttls) in [
            ("TTLkey", "--ttl-dnskey", asked.ttl_dnskey, &mut caching.dnskey),
            ("TTLds", "--ttl-ds", asked.ttl_ds, &mut caching.ds),
            ("TTLsig", "--ttl-zone", asked.ttl_zone, &mut caching.zone),
        ] {
            if let Some(value) = value {
                *ttls = vec![(since, value)];
            }
            figures.extend(
                ttls.iter()
                    .map(|(_, ttl)| one(figure, option, value, (*ttl, &name))),
            );
        }
        for (figure, option, value, span) in [
            ("Dprp", "--dprp", asked.dprp, &mut schedule.propagation.zone),
            (
                "DprpP",
                "--dprp-parent",
                asked.dprp_parent,
                &mut schedule.propagation.parent,
            ),
            (
                "RRSIG left",
                "--rrsig-left",
                asked.rrsig_left,
                &mut schedule.signatures.zone,
            ),
            (
                "RRSIG(DNSKEY) left",
                "--dnskey-rrsig-left",
                asked.dnskey_rrsig_left,
                &mut schedule.signatures.dnskey,
            ),
        ] {
            let figure = one(figure, option, value, (*span, &name));
            *span = figure.value;
            figures.push(figure);
        }
        Ok(Told {
            schedule,
            figures,
            assumptions: Vec::new(),
            begins: Some(since),
        })
    }
}

/// A zone of the site: what its records say, and goes on if nothing more is done. What is to be done, `plan` proves.
fn of_site(zone: &ZoneOfSite, now: Time) -> Told {
    let (schedule, figures) = zone.recorded(now);
    let all = [
        ("Dsgn", figures.dsgn),
        ("Dprp", figures.dprp),
        ("TTLkey", figures.ttl_key),
        ("TTLsig", figures.ttl_sig),
        ("DprpP", figures.dprp_parent),
        ("TTLds", figures.ttl_ds),
        ("Dreg", figures.dreg),
    ];
    let figures = all.map(|(name, figure)| Figure {
        name,
        value: figure.span,
        from: figure.origin.to_string(),
    });
    Told {
        schedule,
        figures: figures.into(),
        assumptions: Vec::new(),
        begins: None,
    }
}

/// The TTL of the DNSKEY RRset that a state has with it.
fn ttl_of(file: &Path, set: &KeySet) -> Result<Option<InFile>, ReadError> {
    let mut longest = None;
    for record in &set.dnskey_rrset {
        // Its signatures are among its records; they have the same TTL.
        if let Ok((keys, _)) = interchange::records::read(file, record) {
            longest = longest.max(keys.iter().filter_map(|key| key.ttl).max());
        }
    }
    Ok(longest.map(|ttl| InFile {
        ttl: Span::from_seconds(ttl),
        file: file.display().to_string(),
    }))
}

fn tell(lost: &[Lost], output: &Output) {
    use interchange::Reason;
    // A private key and its PIN are no part of a schedule; a field that nobody knows may be.
    lost.iter()
        .filter(|lost| lost.why == Reason::Unknown)
        .for_each(|lost| output.say(lost.to_string()));
}
