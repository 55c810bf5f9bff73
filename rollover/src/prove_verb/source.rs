//! Where a schedule comes from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use interchange::dnst::KeySet;
use interchange::{Lost, Reason, knot, opendnssec};
use key_metadata::store::read_text;
use key_metadata::{Span, Time, ZoneName};
use rollover::histories::recorded::History;
use rollover::histories::{self, Circumstances, Reading, Software};
use rollover::schedule::{KeyIndex, Schedule};

use super::figures::{Figure, FigureArguments, InFile, one};

/// Whose keys they are, or who wrote them down.
#[derive(Args)]
pub struct Source {
    /// The zone, where the source has several
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

/// A schedule and the figures that it is under.
type Read = Outcome<(Reading, Vec<Figure>)>;

/// What gives the circumstances of keys of some software, whose files told that TTL.
type Around<'a> = dyn Fn(Software, Option<&InFile>) -> Outcome<(Circumstances, Vec<Figure>)> + 'a;

impl Source {
    /// Reads it. Keys of the site itself, which no option names, are not read yet.
    pub fn read(
        &self,
        figures: &FigureArguments,
        site: &SiteArguments,
        now: Time,
        output: &Output,
    ) -> Outcome<Told> {
        let around = |software, told: Option<&InFile>| figures.circumstances(site, software, told);
        let (reading, figures) = match &self.from {
            From {
                history: Some(file), ..
            } => return self.history(file, figures),
            From {
                bind: Some(folder), ..
            } => self.bind(folder, &around, now, output)?,
            From { dnst: Some(file), .. } => self.dnst(file, &around, now, output)?,
            From { knot, .. } if !knot.is_empty() => self.knot(knot, &around, now, output)?,
            From { opendnssec, .. } if !opendnssec.is_empty() => self.opendnssec(opendnssec, &around, now)?,
            From { .. } => {
                let failure = Failure::new(Exit::Usage, "nothing was named to be proved");
                return Err(failure.hint("name --bind, --knot, --opendnssec, --dnst or --history".to_owned()));
            }
        };
        Ok(Told {
            schedule: reading.schedule,
            figures,
            assumptions: reading.assumptions,
            begins: None,
        })
    }

    fn bind(&self, folder: &Path, around: &Around<'_>, now: Time, output: &Output) -> Read {
        let zone = self.one_of(folder, self.zone.clone().into_iter().collect())?;
        let import = interchange::bind::read_folder(folder, &zone)?;
        tell(&import.lost, output);
        let told = import.keys.iter().filter_map(|key| {
            let file = key.source.file_name()?.to_string_lossy().into_owned();
            let ttl = Span::from_seconds(key.ttl?);
            Some(InFile { ttl, file })
        });
        let (around, figures) = around(Software::Bind, told.max_by_key(|told| told.ttl).as_ref())?;
        let reading = histories::bind::schedule(&zone, &import.keys, &around, now)?;
        Ok((reading, figures))
    }

    fn knot(&self, files: &[PathBuf], around: &Around<'_>, now: Time, output: &Output) -> Read {
        let mut lists = Vec::new();
        for file in files {
            let listing = knot::Listing::parse(file, &read_text(file)?)?;
            tell(&listing.lost, output);
            lists.push(listing.keys);
        }
        let zones = lists.iter().flatten().map(|key| key.zone.clone()).collect();
        let zone = self.one_of(first(files), zones)?;
        let (around, figures) = around(Software::Knot, None)?;
        Ok((histories::knot::schedule(&zone, &lists, &around, now)?, figures))
    }

    fn opendnssec(&self, files: &[PathBuf], around: &Around<'_>, now: Time) -> Read {
        let mut text = String::new();
        for file in files {
            text += &read_text(file)?;
            text.push('\n');
        }
        let listing = opendnssec::Listing::parse(first(files), &text)?;
        let zones = listing.keys.iter().map(|key| key.zone.clone()).collect();
        let zone = self.one_of(first(files), zones)?;
        let (around, figures) = around(Software::OpenDnssec, None)?;
        let reading = histories::opendnssec::schedule(&zone, &listing, &around, now)?;
        Ok((reading, figures))
    }

    fn dnst(&self, file: &Path, around: &Around<'_>, now: Time, output: &Output) -> Read {
        let (set, lost) = KeySet::parse(file, &read_text(file)?)?;
        tell(&lost, output);
        self.one_of(file, BTreeSet::from([set.zone.clone()]))?;
        let (around, figures) = around(Software::Dnst, ttl_of(file, &set).as_ref())?;
        Ok((histories::dnst::schedule(&set, &around, now)?, figures))
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

fn first(files: &[PathBuf]) -> &Path {
    files.first().map_or(Path::new(""), |file| file)
}

/// The TTL of the DNSKEY RRset that a state has with it. Its signatures, which are among its records, have the same.
fn ttl_of(file: &Path, set: &KeySet) -> Option<InFile> {
    let records = set.dnskey_rrset.iter();
    let keys = records.filter_map(|record| interchange::records::read(file, record).ok());
    let ttl = keys.flat_map(|(keys, _)| keys).filter_map(|key| key.ttl).max()?;
    Some(InFile {
        ttl: Span::from_seconds(ttl),
        file: file.display().to_string(),
    })
}

fn tell(lost: &[Lost], output: &Output) {
    // A private key and its PIN are no part of a schedule; a field that nobody knows may be.
    lost.iter()
        .filter(|lost| lost.why == Reason::Unknown)
        .for_each(|lost| output.say(lost.to_string()));
}
