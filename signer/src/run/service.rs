//! The loop of `run`: it waits until a zone is ready, signs those that are, and tells what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::{KeyRecord, SiteFolder, Span, ZoneName};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::json;

use super::Arguments;
use super::files::{Index, ZoneFiles, placed};
use super::log::{About, Log};
use super::metrics::Metrics;
use super::schedule::{LOOK, Scheduled, Touch, interval, quiet};
use super::signals::Signals;
use super::tokens::Troubles;
use super::told::{Told, chance};
use super::watch::Watch;
use crate::one_zone::{Asked, Signing, released};
use crate::pins::Pins;
use crate::side_by_side::release_all;
use crate::verify::count;

/// A pause after the system told of changes, so that a file that grows is not looked at each time. Our choice.
const GATHER: Duration = Duration::from_millis(50);
/// From one signing to the next of a zone whose policy cannot be read. Our choice.
const UNREAD: Span = Span::from_seconds(3600);
/// Between two writings of the figures while many zones are signed. Our choice.
const FIGURES: Duration = Duration::from_secs(1);

/// A signer that stays.
pub struct Service<'a> {
    arguments: &'a Arguments,
    site: &'a SiteArguments,
    folder: SiteFolder,
    pins: Pins,
    log: Log,
    metrics: Metrics,
    watch: Option<Watch>,
    zones: BTreeMap<ZoneName, Scheduled>,
    index: Index,
    /// The folders with files that count.
    folders: BTreeSet<PathBuf>,
    troubles: Troubles,
    /// site.yaml, as it was when it was last read or looked at.
    site_file: ZoneFiles,
    /// When it counts as quiet, while it changes.
    site_settles: Option<Instant>,
    looked: Instant,
    figures_written: Instant,
}

impl<'a> Service<'a> {
    /// One for a site. PINs that a person types are asked for now.
    pub fn new(
        arguments: &'a Arguments,
        site: &'a SiteArguments,
        folder: SiteFolder,
        log: Log,
    ) -> Outcome<Self> {
        let watch = Watch::new().map_err(|error| tell_unwatched(&log, error)).ok();
        let mut service = Self {
            arguments,
            site,
            folder,
            pins: Pins::default(),
            log,
            metrics: Metrics::new(cli::now()),
            watch,
            zones: BTreeMap::new(),
            index: Index::default(),
            folders: BTreeSet::new(),
            troubles: Troubles::default(),
            site_file: ZoneFiles::none(),
            site_settles: None,
            looked: Instant::now(),
            figures_written: Instant::now(),
        };
        service.site_file = ZoneFiles::one(&service.folder.path("site.yaml"));
        service.ask_pins()?;
        service.take_zones();
        Ok(service)
    }

    /// Signs until it is told to end.
    pub fn serve(&mut self, signals: &Signals) -> Outcome {
        let zones = count(self.zones.len(), "zone");
        self.log.event(
            "started",
            About::Signer,
            &format!("started, with {zones}"),
            json!({}),
        );
        self.write_metrics();
        self.watch_all();
        loop {
            self.listen(signals)?;
            if signals.is_end() || self.round(signals) {
                self.log.event("ended", About::Signer, "ended", json!({}));
                return Ok(());
            }
        }
    }

    /// Asks for the PINs that can be had once, of the tokens that sign.
    fn ask_pins(&mut self) -> Outcome {
        let mut tokens = BTreeSet::new();
        for zone in self.folder.site().zones.keys() {
            // What cannot be read is told when the zone is signed.
            let (Ok(keys), Ok((_, policy))) = (self.folder.keys(zone), self.folder.zone(zone)) else {
                continue;
            };
            let signs = |key: &&KeyRecord| key.signs_with_signer(policy.ksk_signs);
            for key in keys.keys().iter().filter(signs) {
                tokens.extend(
                    self.folder
                        .site()
                        .token_of(&key.reference)
                        .map(|(token, _)| token.clone()),
                );
            }
        }
        for token in tokens {
            if Pins::is_had_once(self.site, &self.folder, &token)? {
                let sealed = |_| Err(Failure::new(Exit::Credential, "the PIN is not sealed"));
                self.pins.user_pin(self.site, &self.folder, &token, sealed)?;
            }
        }
        Ok(())
    }

    /// The zones of the site, all due now.
    fn take_zones(&mut self) {
        let now = cli::now();
        let names: Vec<_> = self.folder.site().zones.keys().cloned().collect();
        self.zones.retain(|zone, scheduled| {
            let is_left = self.folder.site().zones.contains_key(zone);
            if !is_left {
                self.index.remove(zone, &scheduled.files);
            }
            is_left
        });
        self.metrics
            .keep_zones(|zone| self.folder.site().zones.contains_key(zone));
        for zone in names {
            if !self.zones.contains_key(&zone) {
                // It is due at once, and its policy read then.
                let interval = self.arguments.every.map_or(UNREAD, |every| every);
                let mut scheduled = Scheduled::new(interval, now);
                self.index.renew(&zone, &mut scheduled.files, &self.folder);
                self.metrics.zone(&zone, released(&self.folder, &zone));
                self.zones.insert(zone, scheduled);
            }
        }
        self.all_at_once();
    }

    fn all_at_once(&mut self) {
        self.troubles.forgive();
        let now = cli::now();
        self.zones.values_mut().for_each(|zone| zone.at_once(now));
    }

    /// Waits until something is told, or a zone may be ready, and takes in what is told.
    fn listen(&mut self, signals: &Signals) -> Outcome {
        let now = Instant::now();
        let wait = self.wake(now).saturating_duration_since(now);
        let [end, again] = signals.descriptors();
        let mut ready = vec![
            PollFd::from_borrowed_fd(end, PollFlags::IN),
            PollFd::from_borrowed_fd(again, PollFlags::IN),
        ];
        if let Some(watch) = &self.watch {
            ready.push(PollFd::new(watch, PollFlags::IN));
        }
        let failed = |error: Errno| Failure::of(Exit::Failed, &error).within("cannot wait for events");
        let timeout = Timespec::try_from(wait).map_err(|_| failed(Errno::INVAL))?;
        match poll(&mut ready, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
        let is_told = ready.get(2).is_some_and(|told| !told.revents().is_empty());
        if is_told {
            sleep(GATHER);
            self.take_events();
        }
        if signals.is_again() {
            self.log.event(
                "signalled",
                About::Signer,
                "SIGHUP: all zones are signed",
                json!({}),
            );
            self.read_site();
            self.all_at_once();
        }
        if self.looked.elapsed() >= LOOK {
            self.look(Touch::Seen);
        }
        if self.site_settles.is_some_and(|at| at <= Instant::now()) {
            self.read_site();
        }
        Ok(())
    }

    /// When something may be to be done next.
    fn wake(&self, now: Instant) -> Instant {
        let clock = cli::now();
        let zones = self.zones.values();
        let next = zones.filter_map(|zone| zone.wake(clock, now, |token| self.troubles.free(token, now)));
        let others = self.site_settles.into_iter().chain([self.looked + LOOK]);
        next.chain(others).min().map_or(now + LOOK, |next| next)
    }

    /// Takes in what the system tells of files.
    fn take_events(&mut self) {
        let told = self.watch.as_mut().map(Watch::told);
        match told {
            None => {}
            Some(Ok(told)) => {
                for (path, touch) in &told.files {
                    self.touched(path, *touch);
                }
                // A folder that came, as policies/ may.
                let is_folder = |(path, _): &(PathBuf, Touch)| self.folders.contains(path);
                if told.is_lost || told.files.iter().any(is_folder) {
                    // What is written there from now on is told.
                    self.look(Touch::Closed);
                }
            }
            Some(Err(error)) => {
                tell_unwatched(&self.log, error);
                self.watch = None;
            }
        }
    }

    fn touched(&mut self, path: &Path, touch: Touch) {
        let now = Instant::now();
        if placed(&self.folder.path("site.yaml")).is_some_and(|site| site == path) {
            self.site_settles = Some(quiet(touch, now));
        }
        for zone in self.index.zones(path) {
            if let Some(zone) = self.zones.get_mut(zone) {
                zone.touched(path, touch, now);
            }
        }
    }

    /// Watches folders that came, and looks for files that are others than they were.
    fn look(&mut self, touch: Touch) {
        self.looked = Instant::now();
        self.watch_all();
        if self.site_file.changed().is_some() {
            self.site_settles = Some(quiet(touch, self.looked));
            self.site_file = ZoneFiles::one(&self.folder.path("site.yaml"));
        }
        for (name, zone) in &mut self.zones {
            if let Some(path) = zone.files.changed().map(Path::to_owned) {
                zone.touched(&path, touch, self.looked);
                // The next look tells whether it still changes.
                self.index.renew(name, &mut zone.files, &self.folder);
            }
        }
    }

    /// The folders with files that count.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let site = placed(&self.folder.path("site.yaml"));
        let files = self.index.paths().chain(site.as_ref());
        let parents = files.filter_map(|path| path.parent());
        let parents = parents.map(Path::to_owned);
        parents
            .chain(placed(&self.folder.path("policies")))
            .chain(placed(&self.folder.path("keys")))
            .chain(placed(&self.folder.path("zones")))
            .collect()
    }

    fn watch_all(&mut self) {
        self.folders = self.folders();
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.add(self.folders.iter().map(PathBuf::as_path))
        {
            self.log.warning(
                "no-watch",
                About::Signer,
                &format!("some changes are seen once a minute only: inotify: {error}"),
            );
        }
    }

    /// Reads site.yaml again; one that is none changes nothing.
    fn read_site(&mut self) {
        self.site_settles = None;
        self.site_file = ZoneFiles::one(&self.folder.path("site.yaml"));
        match self.site.open() {
            Ok(folder) => {
                self.folder = folder;
                self.take_zones();
                self.watch_all();
                let zones = count(self.zones.len(), "zone");
                let text = format!("site.yaml was read, with {zones}");
                self.log.event("site", About::Signer, &text, json!({}));
            }
            Err(failure) => {
                let more = "; what it said before stays";
                self.log
                    .failure("site-refused", About::Signer, &failure, more, json!({}));
            }
        }
        self.write_metrics();
    }

    /// Signs the zones that are ready, side by side; whether it was told to end.
    fn round(&mut self, signals: &Signals) -> bool {
        let (clock, now) = (cli::now(), Instant::now());
        let ready: Vec<ZoneName> = self
            .zones
            .iter()
            .filter(|(_, zone)| zone.is_ready(clock, now, |token| self.troubles.is_free(token, now)))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            return false;
        }
        let folder = &self.folder;
        let mut signing = Signing::new(self.site, folder, &mut self.pins, self.troubles.down(now));
        let mut told = Told {
            log: &self.log,
            metrics: &mut self.metrics,
            troubles: &mut self.troubles,
            failed: BTreeSet::new(),
        };
        for name in &ready {
            let Some(zone) = self.zones.get_mut(name) else {
                continue;
            };
            zone.begin();
            self.index.renew(name, &mut zone.files, folder);
            // What cannot be read is told when it is signed.
            if let Ok((_, policy)) = folder.zone(name) {
                zone.interval = interval(&policy, self.arguments.every);
            }
        }
        let (zones, written) = (&mut self.zones, &mut self.figures_written);
        let goes_on = || !signals.is_end();
        release_all(
            &mut signing,
            &ready,
            Asked::default(),
            &goes_on,
            |name, (released, heard)| {
                for text in &heard {
                    told.log.warning("zone-warning", About::Zone(name), text);
                }
                let Some(zone) = zones.get_mut(name) else {
                    return;
                };
                match released {
                    Ok(released) => {
                        told.released(folder, name, &released, zone.blocked.take());
                        zone.succeeded(released.at);
                    }
                    Err(not) => {
                        told.not_released(folder, name, &not);
                        match not.failure.exit() {
                            Exit::SaysNo => zone.refused(cli::now()),
                            Exit::Done | Exit::Failed | Exit::Usage | Exit::Credential | Exit::PartWay => {
                                zone.failed(cli::now(), Instant::now(), not.token, chance());
                            }
                        }
                    }
                }
                if written.elapsed() >= FIGURES {
                    write_metrics(self.arguments, told.metrics, told.log);
                    *written = Instant::now();
                }
            },
        );
        let refused = told.refused();
        drop(signing);
        refused.iter().for_each(|token| self.pins.forget(token));
        self.write_metrics();
        self.watch_all();
        signals.is_end()
    }

    fn write_metrics(&self) {
        write_metrics(self.arguments, &self.metrics, &self.log);
    }
}

fn tell_unwatched(log: &Log, error: Errno) {
    let text = format!("changes are seen once a minute only: inotify: {error}");
    log.warning("no-watch", About::Signer, &text);
}

fn write_metrics(arguments: &Arguments, metrics: &Metrics, log: &Log) {
    if let Some(path) = &arguments.metrics
        && let Err(error) = metrics.write(path)
    {
        let failure = Failure::from(error);
        log.failure("metrics-failed", About::Signer, &failure, "", json!({}));
    }
}
