//! What was done in a simulated life.

use std::collections::BTreeMap;

use key_metadata::Span;
use serde::Serialize;

/// What was done in a life, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Done {
    /// How many steps were taken.
    pub steps: u32,
    /// How long after it could be taken the latest of them was.
    pub latest: Span,
    /// How many of them waited for something at the parent that was seen then.
    pub observations: u32,
    /// How often the parent took longer than the registration delay.
    pub late_registrations: u32,
    /// The rollovers that were begun, by what plans call them, and how many of each.
    pub rollovers: BTreeMap<String, u32>,
    /// How often the signer stood still.
    pub outages: u32,
    /// How long, the longest time.
    pub longest_outage: Span,
}

const NONE: Span = Span::from_seconds(0);

impl Done {
    /// Nothing yet.
    pub const fn nothing() -> Self {
        Self {
            steps: 0,
            latest: NONE,
            observations: 0,
            late_registrations: 0,
            rollovers: BTreeMap::new(),
            outages: 0,
            longest_outage: NONE,
        }
    }

    /// A step was taken, so long after it could be.
    pub fn step(&mut self, late: Span) {
        self.steps = self.steps.saturating_add(1);
        self.latest = self.latest.max(late);
    }

    /// Something was seen at the parent.
    pub const fn observation(&mut self) {
        self.observations = self.observations.saturating_add(1);
    }

    /// The parent takes longer than it says.
    pub const fn late_registration(&mut self) {
        self.late_registrations = self.late_registrations.saturating_add(1);
    }

    /// A rollover was begun.
    pub fn rollover(&mut self, title: &str) {
        *self.rollovers.entry(title.to_owned()).or_insert(0) += 1;
    }

    /// The signer stood still so long.
    pub fn outage(&mut self, length: Span) {
        self.outages = self.outages.saturating_add(1);
        self.longest_outage = self.longest_outage.max(length);
    }

    /// What was done in one life more.
    pub fn add(&mut self, other: &Self) {
        self.steps = self.steps.saturating_add(other.steps);
        self.latest = self.latest.max(other.latest);
        self.observations = self.observations.saturating_add(other.observations);
        self.late_registrations = self.late_registrations.saturating_add(other.late_registrations);
        for (title, count) in &other.rollovers {
            *self.rollovers.entry(title.clone()).or_insert(0) += count;
        }
        self.outages = self.outages.saturating_add(other.outages);
        self.longest_outage = self.longest_outage.max(other.longest_outage);
    }
}
