//! What is asked of the signing of a zone, what is told of it, and what comes of it.

use std::collections::BTreeMap;
use std::path::Path;

use cli::{Exit, Failure, Progress};
use key_metadata::{Release, Time, TokenName, ZoneName};

use crate::down::Down;
use crate::verify::count;

/// Whom a signing tells what deserves a look, and how far it is, from any thread.
pub trait Listener: Sync {
    /// Something deserves a look.
    fn warn(&self, zone: &ZoneName, text: String);
    /// A bar over so many pieces.
    fn progress(&self, what: &str, length: u64) -> Progress;
    /// A file is about to be read, of which the zone is made.
    fn opens(&self, _file: &Path) {}
}

/// What is asked of a signing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Every signature is made anew.
    pub full: bool,
    /// The zone may differ from the last one by more than the policy says.
    pub accept_change: bool,
}

/// A zone that took the place of the last one.
#[derive(Clone, Debug)]
pub struct Released {
    /// What is kept of it.
    pub release: Release,
    /// When it was signed, or found as it is to be.
    pub at: Time,
    /// Whether anything changed; otherwise the signed zone was left as it was.
    pub is_new: bool,
    /// Whether its name server is to hear of it: something changed, or something failed last time.
    pub is_to_be_told: bool,
    /// Signatures that were made.
    pub made: usize,
    /// Signatures of a run before.
    pub kept: usize,
    /// RRsets that are signed.
    pub rrsets: usize,
    /// NSEC or NSEC3 records.
    pub denials: usize,
    /// The keys that sign.
    pub keys: Vec<u16>,
    /// The tokens that hold them and did their part, and how many signatures each made.
    pub tokens: BTreeMap<TokenName, usize>,
    /// Those that did not, while others that hold their keys did.
    pub missed: Vec<MissedToken>,
    /// How long it took.
    pub milliseconds: u128,
}

/// What a signing would be.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The serial.
    pub serial: u32,
    /// The keys that sign.
    pub keys: Vec<u16>,
}

/// Why a zone was not released.
#[derive(Clone, Debug)]
pub struct NotReleased {
    /// What failed and why.
    pub failure: Failure,
    /// The token that did not do its part, where it was one.
    pub token: Option<TokenName>,
}

/// A token whose work others did.
#[derive(Clone, Debug)]
pub struct MissedToken {
    /// Its name.
    pub token: TokenName,
    /// Why it did not do it.
    pub failure: Failure,
}

impl MissedToken {
    /// Puts it with the others, if it is not with them yet.
    pub(super) fn join(self, others: &mut Vec<Self>) {
        if others.iter().all(|other| other.token != self.token) {
            others.push(self);
        }
    }

    /// What is told of it.
    pub fn text(&self) -> String {
        format!(
            "token '{}' did not sign, and others that hold its keys did: {}",
            self.token,
            self.failure.in_a_line()
        )
    }
}

impl Released {
    /// How many signatures there are, those of `made` by whom that says.
    pub fn signatures(&self, by: &str) -> String {
        let made = count(self.made, "signature");
        match self.kept {
            0 => format!("{made}{by}"),
            kept => format!("{made}{by} and {kept} of before"),
        }
    }

    /// That nothing was due.
    pub fn unchanged(&self) -> String {
        format!("nothing is due, serial {} stays", self.release.serial)
    }
}

impl NotReleased {
    /// With the token, where it is one that is not there or refused.
    pub(super) fn of_token(failure: Failure, token: Option<TokenName>) -> Self {
        Self {
            token: token.filter(|_| failure.exit() == Exit::Credential || failure.is_absence()),
            failure,
        }
    }

    /// Tells too why others could not do the work.
    pub(super) fn beside(mut self, missed: &[MissedToken]) -> Self {
        for MissedToken { token, failure } in missed {
            let why = format!("token '{token}' does not sign: {}", failure.in_a_line());
            self.failure = self.failure.because(why);
        }
        self
    }

    pub(super) fn note(&self, down: &Down) {
        if let Some(token) = &self.token {
            down.note(token, &self.failure);
        }
    }
}

impl From<Failure> for NotReleased {
    fn from(failure: Failure) -> Self {
        Self { failure, token: None }
    }
}
