//! When a zone is signed: by the clock, when its files changed and are quiet, and again after a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use key_metadata::{Policy, Span, Time, TokenName};

use super::backoff::pause;
use super::files::ZoneFiles;

/// A file that its writer has closed, or that took the place of another, is read after this: more of them may follow. Our choice.
const QUIET: Duration = Duration::from_secs(1);
/// One that is written and was not closed: its writer may be slow. Our choice.
const QUIET_OPEN: Duration = Duration::from_secs(10);
/// That often files are looked at, for file systems that tell nothing. Our choice.
pub const LOOK: Duration = Duration::from_secs(60);
/// One of which nothing is told is read when it was the same at two looks.
const QUIET_SEEN: Duration = Duration::from_secs(61);
/// The shortest time between two signings by the clock. Our choice.
const LEAST: Span = Span::from_seconds(60);

/// A zone, and when it is signed next.
pub struct Scheduled {
    /// From one signing to the next.
    pub interval: Span,
    /// By the clock.
    pub due: Time,
    /// The token that it waits for.
    pub blocked: Option<TokenName>,
    /// Its files, as they were when it was last read.
    pub files: ZoneFiles,
    /// Failures in a row.
    failures: u32,
    /// Not before this, after one.
    retry: Option<Instant>,
    /// Files that changed, and when each counts as quiet.
    unsettled: BTreeMap<PathBuf, Instant>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Somebody writes it.
    Written,
    /// It was closed by who wrote it, or took the place of another.
    Closed,
    /// It is another than it was, and nobody told so.
    Seen,
}

/// From one signing to the next: half of the policy's resign, which is from one to the end of the next.
pub fn interval(policy: &Policy, every: Option<Span>) -> Span {
    let half = Span::from_seconds(policy.signatures.resign.seconds() / 2);
    every.map_or(half.max(LEAST), |every| every)
}

/// When a file counts as quiet that was touched now.
pub fn quiet(touch: Touch, now: Instant) -> Instant {
    now + match touch {
        Touch::Written => QUIET_OPEN,
        Touch::Closed => QUIET,
        Touch::Seen => QUIET_SEEN,
    }
}

impl Scheduled {
    /// One that is due at once.
    pub const fn new(interval: Span, due: Time) -> Self {
        Self {
            interval,
            due,
            blocked: None,
            files: ZoneFiles::none(),
            failures: 0,
            retry: None,
            unsettled: BTreeMap::new(),
        }
    }

    /// A file of it was touched.
    pub fn touched(&mut self, path: &Path, touch: Touch, now: Instant) {
        self.unsettled.insert(path.to_owned(), quiet(touch, now));
    }

    /// It is due now, whatever failed before.
    pub fn at_once(&mut self, now: Time) {
        self.due = now;
        self.failures = 0;
        self.retry = None;
        self.blocked = None;
    }

    /// Whether it is to be signed; `is_free` says whether a token may be asked.
    pub fn is_ready(&self, clock: Time, now: Instant, is_free: impl Fn(&TokenName) -> bool) -> bool {
        match self.settled_at() {
            Some(at) if at > now => false,
            Some(_) => true,
            None => {
                let is_waiting = self.retry.is_some_and(|retry| retry > now);
                let is_blocked = self.blocked.as_ref().is_some_and(|token| !is_free(token));
                self.due <= clock && !is_waiting && !is_blocked
            }
        }
    }

    /// When it may be ready next; `free` says from when on a token may be asked, if ever.
    pub fn wake(
        &self,
        clock: Time,
        now: Instant,
        free: impl Fn(&TokenName) -> Option<Instant>,
    ) -> Option<Instant> {
        if let Some(at) = self.settled_at() {
            return Some(at);
        }
        let due = now + Duration::from_secs(self.due.since(clock).seconds().into());
        let free = match &self.blocked {
            Some(token) => free(token)?,
            None => now,
        };
        Some(due.max(free).max(self.retry.map_or(now, |retry| retry)))
    }

    /// When the last of its changed files is quiet.
    fn settled_at(&self) -> Option<Instant> {
        self.unsettled.values().max().copied()
    }

    /// It is read now: what changed before this counts.
    pub fn begin(&mut self) {
        self.unsettled.clear();
    }

    /// It was signed.
    pub fn succeeded(&mut self, signed: Time) {
        self.at_once(signed.after(self.interval));
    }

    /// It was refused as it is: only a change helps, or somebody, and until then it is tried by the clock.
    pub fn refused(&mut self, clock: Time) {
        self.at_once(clock.after(self.interval));
    }

    /// It was not, and is overdue; a token may be why.
    pub fn failed(&mut self, clock: Time, now: Instant, token: Option<TokenName>, chance: u32) {
        self.due = self.due.min(clock);
        self.blocked = token;
        self.retry = match self.blocked {
            Some(_) => None,
            None => {
                self.failures = self.failures.saturating_add(1);
                let longest = Duration::from_secs(self.interval.seconds().into());
                Some(now + pause(self.failures, longest, chance))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> (Scheduled, Time, Instant) {
        let clock = "2026-11-30T12:00:00Z".parse().unwrap();
        (
            Scheduled::new(Span::from_seconds(3600), clock),
            clock,
            Instant::now(),
        )
    }

    #[test]
    fn a_file_that_is_written_is_read_when_it_is_quiet() {
        let (mut zone, clock, now) = zone();
        let file = Path::new("cr.zone");
        zone.touched(file, Touch::Written, now);
        assert!(
            !zone.is_ready(clock, now + QUIET, |_| true),
            "also where it is due"
        );
        assert!(zone.is_ready(clock, now + QUIET_OPEN, |_| true));
        zone.touched(file, Touch::Closed, now);
        zone.touched(Path::new("included"), Touch::Written, now);
        assert_eq!(zone.wake(clock, now, |_| None), Some(now + QUIET_OPEN));
        zone.touched(Path::new("included"), Touch::Closed, now);
        assert!(zone.is_ready(clock, now + QUIET, |_| true));
        zone.begin();
        zone.succeeded(clock);
        assert!(!zone.is_ready(clock, now + QUIET_OPEN, |_| true));
        assert!(zone.is_ready(clock.after(zone.interval), now, |_| true));
    }

    #[test]
    fn a_failure_is_tried_again_and_a_token_waited_for() {
        let (mut zone, clock, now) = zone();
        zone.failed(clock, now, None, 0);
        assert!(!zone.is_ready(clock, now, |_| true));
        assert_eq!(
            zone.wake(clock, now, |_| None),
            Some(now + Duration::from_secs(1))
        );
        zone.failed(clock, now, None, 0);
        assert_eq!(
            zone.wake(clock, now, |_| None),
            Some(now + Duration::from_secs(2))
        );
        let token: TokenName = "cr".parse().unwrap();
        zone.failed(clock, now, Some(token.clone()), 0);
        assert!(!zone.is_ready(clock, now, |_| false) && zone.is_ready(clock, now, |_| true));
        assert_eq!(zone.wake(clock, now, |_| None), None, "it waits for people");
        zone.at_once(clock);
        assert!(zone.is_ready(clock, now, |_| false));
        zone.refused(clock);
        assert!(!zone.is_ready(clock, now + QUIET_OPEN, |_| true));
    }

    #[test]
    fn half_of_resign_goes_by_from_one_to_the_next() {
        let policy = |resign| {
            let text = include_str!("../../../policies/small-tld.yaml");
            Policy::from_yaml(&text.replace("resign: 2h", resign)).unwrap()
        };
        let every = |policy: &Policy, every| interval(policy, every).to_string();
        assert_eq!(every(&policy("resign: 2h"), None), "1h");
        assert_eq!(every(&policy("resign: 0s"), None), "1m");
        assert_eq!(every(&policy("resign: 2h"), Some(Span::from_seconds(5))), "5s");
    }
}
