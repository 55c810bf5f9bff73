//! The keys of a chart with those of their lanes that have anything in its time.

use key_metadata::Time;

use crate::pictures::chart::{Chart, Shown};
use crate::pictures::shades::{LaneKind, Stretch, stretches};
use crate::rrsets::Versions;
use crate::schedule::{AlgorithmNumber, KeyIndex, KeyLanes, Schedule};

/// A key and its lanes.
#[derive(Clone, Debug)]
pub struct KeyRows {
    /// What people call it.
    pub label: String,
    /// Its algorithm.
    pub algorithm: AlgorithmNumber,
    /// Its place in what is planned; nothing, if it is only in what happened.
    pub planned: Option<KeyIndex>,
    /// Its lanes.
    pub lanes: Vec<LaneRow>,
    /// From when it has the REVOKE bit, at the earliest.
    pub revoked: Option<Time>,
}

/// A lane.
#[derive(Clone, Debug)]
pub struct LaneRow {
    /// Which.
    pub kind: LaneKind,
    /// What is planned.
    pub planned: Vec<Stretch>,
    /// What happened, of which only what is before `now` is drawn; nothing, where it is not told.
    pub happened: Option<Vec<Stretch>>,
}

/// The rows of a chart, and whether they tell what caches hold: they do not where changes come in too many orders to be followed.
pub fn rows(chart: &Chart<'_>) -> (Vec<KeyRows>, bool) {
    let planned = Told::of(chart.schedule);
    let happened = chart.happened.map(Told::of);
    let is_shown = |index: usize| match &chart.shown {
        Shown::All => true,
        Shown::Only(keys) => keys.contains(&KeyIndex(index)),
    };
    let mut rows = Vec::new();
    for (index, key) in chart.schedule.keys.iter().enumerate() {
        if is_shown(index) {
            let twin = chart.happened.and_then(|happened| place(happened, &key.label));
            rows.push(key_rows(
                chart,
                key,
                (&planned, Some(KeyIndex(index))),
                happened.as_ref().map(|told| (told, twin)),
            ));
        }
    }
    if let (Shown::All, Some(told)) = (&chart.shown, &happened) {
        for (index, key) in told.schedule.keys.iter().enumerate() {
            if place(chart.schedule, &key.label).is_none() {
                rows.push(key_rows(
                    chart,
                    key,
                    (&planned, None),
                    Some((told, Some(KeyIndex(index)))),
                ));
            }
        }
    }
    rows.retain(|row| !row.lanes.is_empty());
    let is_told = [Some(&planned), happened.as_ref()]
        .into_iter()
        .flatten()
        .all(|told| told.versions.is_some());
    (rows, is_told)
}

/// The first key of that label.
fn place(schedule: &Schedule, label: &str) -> Option<KeyIndex> {
    let place = schedule.keys.iter().position(|key| key.label == label);
    place.map(KeyIndex)
}

/// A schedule and what follows from it.
struct Told<'a> {
    schedule: &'a Schedule,
    versions: Option<Versions>,
}

impl<'a> Told<'a> {
    fn of(schedule: &'a Schedule) -> Self {
        Self {
            schedule,
            versions: Versions::of(schedule).ok(),
        }
    }

    fn stretches(&self, key: Option<KeyIndex>, kind: LaneKind, from: Time, until: Time) -> Vec<Stretch> {
        let Some(key) = key else { return Vec::new() };
        let mut all = stretches(self.schedule, self.versions.as_ref(), key, kind);
        all.retain(|stretch| stretch.from < until && stretch.until.is_none_or(|ends| ends > from));
        all
    }
}

fn key_rows(
    chart: &Chart<'_>,
    key: &KeyLanes,
    (planned, place): (&Told<'_>, Option<KeyIndex>),
    happened: Option<(&Told<'_>, Option<KeyIndex>)>,
) -> KeyRows {
    let mut lanes = Vec::new();
    for kind in LaneKind::ALL {
        let row = LaneRow {
            kind,
            planned: planned.stretches(place, kind, chart.from, chart.until),
            happened: happened
                .map(|(told, twin)| told.stretches(twin, kind, chart.from, chart.until.min(chart.now))),
        };
        if !row.planned.is_empty() || row.happened.as_ref().is_some_and(|lane| !lane.is_empty()) {
            lanes.push(row);
        }
    }
    KeyRows {
        label: key.label.clone(),
        algorithm: key.algorithm,
        planned: place,
        lanes,
        revoked: key.revoked.map(|event| event.from),
    }
}
