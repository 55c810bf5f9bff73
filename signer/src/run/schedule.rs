//! When a zone is signed: by the clock, when its files changed and are quiet, and again after a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use key_metadata::{Policy, Span, Time, TokenName};

use super::backoff::pause;
use crate::files::ZoneFiles;

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
    /// It is being signed.
    is_under_way: bool,
    /// Somebody asked for it meanwhile.
    is_asked_again: bool,
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
            is_under_way: false,
            is_asked_again: false,
        }
    }

    /// A file of it was touched.
    pub fn touched(&mut self, path: &Path, touch: Touch, now: Instant) {
        self.unsettled.insert(path.to_owned(), quiet(touch, now));
    }

    /// It is due now, whatever failed before; one that is being signed, once more after that.
    pub fn at_once(&mut self, now: Time) {
        self.is_asked_again = self.is_under_way;
        self.due = now;
        self.failures = 0;
        self.retry = None;
        self.blocked = None;
    }

    /// Whether it is to be signed; `is_free` says whether a token may be asked.
    pub fn is_ready(&self, clock: Time, now: Instant, is_free: impl Fn(&TokenName) -> bool) -> bool {
        if self.is_under_way {
            return false;
        }
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
        if self.is_under_way {
            return None;
        }
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
        self.is_under_way = true;
    }

    /// Whether it is being signed.
    pub const fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// It was signed.
    pub fn succeeded(&mut self, signed: Time) {
        self.ended(signed.after(self.interval));
    }

    /// It was refused as it is: only a change helps, or somebody, and until then it is tried by the clock.
    pub fn refused(&mut self, clock: Time) {
        self.ended(clock.after(self.interval));
    }

    /// It was not, and is overdue; a token may be why.
    pub fn failed(&mut self, clock: Time, now: Instant, token: Option<TokenName>, chance: u32) {
        let failures = self.failures.saturating_add(1);
        if self.ended(self.due.min(clock)) {
            return;
        }
        self.blocked = token;
        if self.blocked.is_none() {
            self.failures = failures;
            let longest = Duration::from_secs(self.interval.seconds().into());
            self.retry = Some(now + pause(self.failures, longest, chance));
        }
    }

    /// It is not being signed any more, and due then, or at once where somebody asked for that: whether so.
    fn ended(&mut self, due: Time) -> bool {
        let is_asked_again = self.is_asked_again;
        let due = match is_asked_again {
            true => self.due.min(due),
            false => due,
        };
        self.is_under_way = false;
        self.at_once(due);
        is_asked_again
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
    fn what_comes_while_it_is_signed_has_it_signed_again() {
        let (mut zone, clock, now) = zone();
        let ready = |zone: &Scheduled| zone.is_ready(clock, now + QUIET, |_| true);
        zone.begin();
        zone.touched(Path::new("cr.zone"), Touch::Closed, now);
        assert!(!ready(&zone) && zone.wake(clock, now, |_| None).is_none());
        zone.succeeded(clock);
        assert!(ready(&zone), "a file changed");
        zone.begin();
        zone.at_once(clock);
        assert!(!ready(&zone));
        zone.succeeded(clock);
        assert!(ready(&zone), "somebody asked for it");
        zone.begin();
        zone.succeeded(clock);
        assert!(!ready(&zone));
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
