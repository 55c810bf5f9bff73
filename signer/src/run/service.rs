//! The loop of `run`: it waits until a zone is ready, has those that are signed while it waits for more, and tells what came of each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::{KeyRecord, SiteFolder, Span, TokenName, ZoneName};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::json;

use super::Arguments;
use super::log::{About, Log};
use super::metrics::Metrics;
use super::schedule::{LOOK, Scheduled, Touch, interval, quiet};
use super::signals::Signals;
use super::tokens::Troubles;
use super::told::{Teller, chance};
use super::watch::Watch;
use crate::files::{Index, ZoneFiles, placed};
use crate::one_zone::{Asked, Signing, released};
use crate::pins::Pins;
use crate::side_by_side::{Crew, HIDDEN, Heard, Told};
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
    folder: Arc<SiteFolder>,
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
            folder: Arc::new(folder),
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
            self.listen(signals, None, true)?;
            if self.ready().is_some() {
                self.sign(signals)?;
            }
            if signals.is_end() {
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
                let site = self.folder.site();
                if let Some((token, _)) = site.token_of(&key.reference) {
                    tokens.insert(token.clone());
                    tokens.extend(site.replicas(token).iter().cloned());
                }
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
                let files = ZoneFiles::of(&self.folder, &zone);
                self.index.renew(&zone, &mut scheduled.files, files);
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

    /// Waits until something is told, or a bell rings, or, where it takes zones, one may be ready; and takes in what is told.
    fn listen(&mut self, signals: &Signals, bell: Option<&UnixStream>, takes: bool) -> Outcome {
        let now = Instant::now();
        let wait = self.wake(now, takes).saturating_duration_since(now);
        let [end, again] = signals.descriptors();
        // An end that came is known, and stays.
        let end = (!signals.is_end()).then_some(end);
        let others = end.into_iter().chain([again]).chain(bell.map(AsFd::as_fd));
        let all = self.watch.as_ref().map(AsFd::as_fd).into_iter().chain(others);
        let mut ready: Vec<_> = all
            .map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN))
            .collect();
        let failed = |error: Errno| Failure::of(Exit::Failed, &error).within("cannot wait for events");
        let timeout = Timespec::try_from(wait).map_err(|_| failed(Errno::INVAL))?;
        match poll(&mut ready, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
        let is_told = ready.first().is_some_and(|first| !first.revents().is_empty());
        if is_told && self.watch.is_some() {
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
    fn wake(&self, now: Instant, takes: bool) -> Instant {
        let clock = cli::now();
        let zones = self.zones.values().filter(|_| takes);
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
        let names: Vec<_> = self.zones.keys().cloned().collect();
        names.iter().for_each(|name| self.look_at(name, touch));
    }

    /// Looks whether a file of a zone is another than it was.
    fn look_at(&mut self, name: &ZoneName, touch: Touch) {
        let Some(zone) = self.zones.get_mut(name) else {
            return;
        };
        if let Some(path) = zone.files.changed().map(Path::to_owned) {
            zone.touched(&path, touch, Instant::now());
            // The next look tells whether it still changes.
            let now = zone.files.now();
            self.index.renew(name, &mut zone.files, now);
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
                self.folder = Arc::new(folder);
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

    /// A zone that is ready.
    fn ready(&self) -> Option<ZoneName> {
        let (clock, now) = (cli::now(), Instant::now());
        let is_free = |token: &_| self.troubles.is_free(token, now);
        let mut zones = self.zones.iter();
        let (name, _) = zones.find(|(_, zone)| zone.is_ready(clock, now, is_free))?;
        Some(name.clone())
    }

    /// Signs the zones that are ready, side by side, and those that get so meanwhile, until none is. Tokens are open as long. Once one of them failed,
    /// or the site is another, no more are taken.
    fn sign(&mut self, signals: &Signals) -> Outcome {
        let (folder, mut pins) = (Arc::clone(&self.folder), std::mem::take(&mut self.pins));
        let down = self.troubles.down(Instant::now());
        let mut signing = Signing::new(self.site, &folder, &mut pins, down);
        let mut failed = BTreeSet::new();
        let cannot = |error| Failure::of(Exit::Failed, &error).within("cannot wait for signed zones");
        let (mut bell, rope) = UnixStream::pair().map_err(cannot)?;
        bell.set_nonblocking(true).map_err(cannot)?;
        rope.set_nonblocking(true).map_err(cannot)?;
        let (sender, receiver) = mpsc::channel();
        let rope = Arc::new(rope);
        let ended = thread::scope(|scope| {
            let crew = Crew::new(scope, Asked::default(), HIDDEN, move |name: ZoneName, told| {
                // Who waits for it is there; a bell that is full rings.
                let _ = sender.send((name, told));
                let _ = (&*rope).write(&[0]);
            });
            let mut under_way = 0_usize;
            loop {
                let is_same = Arc::ptr_eq(&folder, &self.folder);
                let mut is_open = is_same && !signals.is_end() && !signing.has_failed();
                while is_open
                    && under_way < crew.size
                    && let Some(name) = self.ready()
                {
                    self.begin(&name);
                    match signing.prepare(&name) {
                        Ok(zone) => {
                            crew.sign(name, zone);
                            under_way += 1;
                        }
                        Err(not) => {
                            let (released, heard) = (Err(not), Heard::default());
                            self.take_in(&folder, &name, Told { released, heard }, &mut failed);
                            is_open = !signing.has_failed();
                        }
                    }
                }
                if under_way == 0 {
                    return Ok(());
                }
                self.listen(signals, Some(&bell), is_open && under_way < crew.size)?;
                while bell.read(&mut [0; 64]).is_ok_and(|octets| octets > 0) {}
                for (name, told) in receiver.try_iter() {
                    under_way -= 1;
                    self.take_in(&folder, &name, told, &mut failed);
                }
            }
        });
        drop(signing);
        for (token, is_absence) in failed {
            if !is_absence {
                pins.forget(&token);
            }
        }
        self.pins = pins;
        self.write_metrics();
        ended
    }

    /// A zone is about to be read.
    fn begin(&mut self, name: &ZoneName) {
        let Some(zone) = self.zones.get_mut(name) else {
            return;
        };
        zone.begin();
        // What it included so far counts until it is known what it includes now.
        let files = zone.files.now().and(ZoneFiles::of(&self.folder, name));
        self.index.renew(name, &mut zone.files, files);
        // What cannot be read is told when it is signed.
        if let Ok((_, policy)) = self.folder.zone(name) {
            zone.interval = interval(&policy, self.arguments.every);
        }
    }

    /// What became of a zone.
    fn take_in(
        &mut self,
        folder: &SiteFolder,
        name: &ZoneName,
        told: Told,
        failed: &mut BTreeSet<(TokenName, bool)>,
    ) {
        // It may have been taken out of the site meanwhile.
        let Some(zone) = self.zones.get_mut(name).filter(|zone| zone.is_under_way()) else {
            return;
        };
        let mut teller = Teller {
            log: &self.log,
            metrics: &mut self.metrics,
            troubles: &mut self.troubles,
            failed,
        };
        for text in &told.heard.warnings {
            teller.log.warning("zone-warning", About::Zone(name), text);
        }
        match told.released {
            Ok(released) => {
                teller.released(folder, name, &released, zone.blocked.take());
                zone.succeeded(released.at);
            }
            Err(not) => {
                teller.not_released(folder, name, &not);
                match not.failure.exit() {
                    Exit::SaysNo => zone.refused(cli::now()),
                    Exit::Done | Exit::Failed | Exit::Usage | Exit::Credential | Exit::PartWay => {
                        zone.failed(cli::now(), Instant::now(), not.token, chance());
                    }
                }
            }
        }
        let files = ZoneFiles::of(folder, name).since(&zone.files, told.heard.files);
        self.index.renew(name, &mut zone.files, files);
        if zone.files.folders().any(|folder| !self.folders.contains(folder)) {
            self.watch_all();
        }
        self.look_at(name, Touch::Written);
        if self.figures_written.elapsed() >= FIGURES {
            self.write_metrics();
            self.figures_written = Instant::now();
        }
    }

    fn write_metrics(&self) {
        let (arguments, metrics) = (self.arguments, &self.metrics);
        if let Some(path) = &arguments.metrics
            && let Err(error) = metrics.write(path)
        {
            let failure = Failure::from(error);
            self.log
                .failure("metrics-failed", About::Signer, &failure, "", json!({}));
        }
    }
}

fn tell_unwatched(log: &Log, error: Errno) {
    let text = format!("changes are seen once a minute only: inotify: {error}");
    log.warning("no-watch", About::Signer, &text);
}
