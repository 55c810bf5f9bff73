//! Tokens that did not do their part, and when each may be asked again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::Failure;
use key_metadata::TokenName;

use super::backoff::pause;

/// The longest pause before an absent token is looked for again. Our choice: whoever plugs it in waits that long.
const LONGEST: Duration = Duration::from_secs(60);

/// The tokens that are not as they should be.
#[derive(Default)]
pub struct Troubles(BTreeMap<TokenName, Trouble>);

struct Trouble {
    failure: Failure,
    /// Times in a row that it was not there.
    failures: u32,
    /// When it may be asked again; never by itself, where it refused: tokens lock.
    again: Option<Instant>,
}

impl Troubles {
    /// Whether a token may be asked.
    pub fn is_free(&self, token: &TokenName, now: Instant) -> bool {
        self.free(token, now).is_some_and(|again| again <= now)
    }

    /// From when on a token may be asked, if ever.
    pub fn free(&self, token: &TokenName, now: Instant) -> Option<Instant> {
        match self.0.get(token) {
            Some(trouble) => trouble.again,
            None => Some(now),
        }
    }

    /// Those that may not be asked now, and why.
    pub fn down(&self, now: Instant) -> BTreeMap<TokenName, Failure> {
        let down = self.0.iter().filter(|(token, _)| !self.is_free(token, now));
        down.map(|(token, trouble)| (token.clone(), trouble.failure.clone()))
            .collect()
    }

    /// A token is not there: when it is asked again.
    pub fn absent(&mut self, token: &TokenName, failure: Failure, now: Instant, chance: u32) -> Duration {
        let failures = self.0.get(token).map_or(0, |trouble| trouble.failures) + 1;
        let pause = pause(failures, LONGEST, chance);
        let again = Some(now + pause);
        self.0.insert(
            token.clone(),
            Trouble {
                failure,
                failures,
                again,
            },
        );
        pause
    }

    /// A token refused: it is not asked again.
    pub fn refused(&mut self, token: &TokenName, failure: Failure) {
        self.0.insert(
            token.clone(),
            Trouble {
                failure,
                failures: 0,
                again: None,
            },
        );
    }

    /// A token did its part; whether it had not before.
    pub fn is_back(&mut self, token: &TokenName) -> bool {
        self.0.remove(token).is_some()
    }

    /// All may be asked, since somebody says so.
    pub fn forgive(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use cli::Exit;

    use super::*;

    #[test]
    fn who_refused_is_not_asked_again_and_who_was_absent_is() {
        let mut troubles = Troubles::default();
        let (one, other): (TokenName, TokenName) = ("one".parse().unwrap(), "other".parse().unwrap());
        let (now, failure) = (Instant::now(), Failure::new(Exit::Credential, "no"));
        assert!(troubles.is_free(&one, now));
        assert_eq!(troubles.absent(&one, failure.clone(), now, 0).as_secs(), 1);
        assert_eq!(troubles.absent(&one, failure.clone(), now, 0).as_secs(), 2);
        troubles.refused(&other, failure);
        assert!(!troubles.is_free(&one, now) && troubles.is_free(&one, now + Duration::from_secs(2)));
        assert_eq!(troubles.free(&other, now), None);
        assert_eq!(troubles.down(now + LONGEST).keys().collect::<Vec<_>>(), [&other]);
        assert!(troubles.is_back(&one) && !troubles.is_back(&one));
        troubles.forgive();
        assert!(troubles.is_free(&other, now));
    }
}
