//! What came of a zone, told to all who want to know: the log, the figures, `status`, and the zone's name server.

use std::collections::BTreeSet;
use std::time::Instant;

use cli::{Exit, Failure};
use key_metadata::{SiteFolder, Time, TokenName, ZoneName};
use serde_json::json;

use super::log::{About, Log};
use super::metrics::{Metrics, TokenState};
use super::tokens::Troubles;
use crate::one_zone::{NotReleased, Released, last_release, write_failure};
use crate::reload::reload;

/// What came of a zone, on its way to those who want to know.
pub struct Teller<'s> {
    pub log: &'s Log,
    pub metrics: &'s mut Metrics,
    pub troubles: &'s mut Troubles,
    /// Tokens that failed since they were opened, and whether by absence.
    pub failed: &'s mut BTreeSet<(TokenName, bool)>,
}

impl Teller<'_> {
    pub fn released(
        &mut self,
        folder: &SiteFolder,
        name: &ZoneName,
        it: &Released,
        waited: Option<TokenName>,
    ) {
        let release = &it.release;
        self.metrics.released(name, it);
        for token in it.tokens.keys() {
            self.metrics.token(token, TokenState::Up);
            if self.troubles.is_back(token) || waited.as_ref() == Some(token) {
                self.log
                    .event("token-back", About::Token(token), "it is back", json!({}));
            }
        }
        for missed in &it.missed {
            self.token(&missed.token, &missed.failure);
            self.log
                .warning("token-missed", About::Zone(name), &missed.text());
        }
        if it.is_new {
            let text = format!(
                "serial {}, {} over {} RRsets, checked; the first expires at {}",
                release.serial,
                it.signatures(""),
                it.rrsets,
                release.first_expiration
            );
            let data = json!({
                "serial": release.serial,
                "signatures": it.made,
                "kept": it.kept,
                "rrsets": it.rrsets,
                "denials": it.denials,
                "milliseconds": u64::try_from(it.milliseconds).map_or(u64::MAX, |milliseconds| milliseconds),
                "first-expiration": release.first_expiration,
            });
            self.log.event("signed", About::Zone(name), &text, data);
        } else {
            let data = json!({"serial": release.serial, "kept": it.kept});
            self.log
                .event("unchanged", About::Zone(name), &it.unchanged(), data);
        }
        if let Some(hook) = folder.site().reload(name).filter(|_| it.is_to_be_told) {
            match reload(hook, name, &folder.signed_path(name)) {
                Ok(said) => {
                    for line in said {
                        self.log.event("reload-said", About::Zone(name), &line, json!({}));
                    }
                }
                Err(failure) => {
                    self.metrics.not_told(name);
                    self.log
                        .failure("not-reloaded", About::Zone(name), &failure, "", json!({}));
                    self.keep(folder, name, &failure);
                }
            }
        }
    }

    pub fn not_released(&mut self, folder: &SiteFolder, name: &ZoneName, not: &NotReleased) {
        self.metrics.failed(name);
        let failure = not.failure.clone().within(format!("zone {name} was not signed"));
        let (lasts, data) = lasts(folder, name, cli::now());
        self.log
            .failure("failed", About::Zone(name), &failure, &lasts, data);
        self.keep(folder, name, &failure);
        if let Some(token) = &not.token {
            self.token(token, &not.failure);
        }
    }

    /// A token did not do its part: that is told once.
    fn token(&mut self, token: &TokenName, failure: &Failure) {
        let now = Instant::now();
        let is_absence = failure.is_absence();
        if !is_absence && failure.exit() != Exit::Credential {
            return;
        }
        if !self.failed.insert((token.clone(), is_absence)) || !self.troubles.is_free(token, now) {
            return;
        }
        if is_absence {
            let pause = self.troubles.absent(token, failure.clone(), now, chance());
            self.metrics.token(token, TokenState::Absent);
            let more = format!("; it is looked for again in {:.1} s", pause.as_secs_f64());
            self.log
                .failure("token-absent", About::Token(token), failure, &more, json!({}));
        } else {
            self.troubles.refused(token, failure.clone());
            self.metrics.token(token, TokenState::Refused);
            let more = "; it is not asked again, since tokens lock, until SIGHUP or a change of site.yaml";
            self.log
                .failure("token-refused", About::Token(token), failure, more, json!({}));
        }
    }

    /// Keeps a failure for `status`.
    fn keep(&self, folder: &SiteFolder, name: &ZoneName, failure: &Failure) {
        if let Err(failure) = write_failure(folder, name, failure) {
            self.log
                .failure("state-failed", About::Zone(name), &failure, "", json!({}));
        }
    }
}

/// How long the signatures of a zone still last, in words and in figures.
fn lasts(folder: &SiteFolder, name: &ZoneName, now: Time) -> (String, serde_json::Value) {
    match last_release(folder, name, now) {
        Ok(Some(release)) => {
            let first = release.first_expiration;
            let text = match first > now {
                true => format!("; its signatures last for {}, until {first}", first.since(now)),
                false => format!("; its signatures have expired since {first}"),
            };
            (text, json!({ "first-expiration": first }))
        }
        Ok(None) => ("; it has no signed zone".to_owned(), json!({})),
        Err(failure) => (format!("; {}", failure.in_a_line()), json!({})),
    }
}

/// Chance for a pause; where the system gives none, there is none.
pub fn chance() -> u32 {
    getrandom::u32().map_or(0, |chance| chance)
}
