//! A plan: what is done with a zone's keys, when at the earliest, by whom, and why then. It is data, which is printed, kept and hashed before
//! anything obeys it.

use std::fmt;

use key_metadata::timing::Wait;
use key_metadata::{Digest, Role, Span, Time, ZoneName};
use serde::Serialize;

use crate::margin::Margin;
use crate::planner::Stage;
use crate::prove::Proof;
use crate::schedule::{CauseIndex, KeyIndex, Schedule};

/// What is done with a zone's keys until some time, proved.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Always 1.
    pub version: u32,
    /// The zone.
    pub zone: ZoneName,
    /// The policy's name.
    pub policy: String,
    /// The last entry of the zone's history that it follows on.
    pub head: Option<Digest>,
    /// When it was made.
    pub now: Time,
    /// Until when it plans.
    pub until: Time,
    /// The rollovers in it, by their beginning.
    pub rollovers: Vec<Rollover>,
    /// The steps, by their time.
    pub steps: Vec<PlannedStep>,
    /// What comes of it, from the keys' past on.
    pub schedule: Schedule,
    /// That it is safe.
    pub proof: Proof,
    /// How much each step waits beyond what it must; empty until [`mod@crate::margin`] was asked.
    pub margins: Vec<Margin>,
    /// Until when the zone lives if nothing more is done.
    pub runway: Runway,
}

/// A rollover of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollover {
    /// Its place in the plan, from 1.
    pub number: usize,
    /// How it is done, as in `KSK rollover, double-KSK (RFC 7583 3.3.1)`.
    pub title: String,
    /// Whose.
    pub role: Role,
    /// The keys that go.
    pub from: Vec<KeyIndex>,
    /// The keys that come.
    pub to: Vec<KeyIndex>,
}

/// A step of a plan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedStep {
    /// Its place in the plan, from 1.
    pub number: usize,
    /// Its place among the schedule's causes.
    pub cause: CauseIndex,
    /// The number of the rollover that it belongs to.
    pub rollover: usize,
    /// What is done.
    pub act: Act,
    /// With which keys.
    pub keys: Vec<KeyIndex>,
    /// What happens to each of them.
    pub changes: Vec<(KeyIndex, Stage)>,
    /// Who does it.
    pub actor: Actor,
    /// When it is planned: not before this.
    pub at: Time,
    /// What it waits for.
    pub waits: Vec<WaitedFor>,
    /// Until when it must be done, where harm comes of being late.
    pub latest: Option<Deadline>,
    /// Why there is no way back from it, where there is none.
    pub no_return: Option<String>,
    /// The exact command, where there is one.
    pub command: Option<String>,
}

/// A wait of a step: from when, how long and why.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitedFor {
    /// What it counts from, as in `ZSK new 1 was published`.
    pub since: String,
    /// When that is.
    pub from: Time,
    /// How long.
    pub wait: Wait,
    /// Both together.
    pub until: Time,
}

/// Until when a step must be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deadline {
    /// The latest time.
    pub at: Time,
    /// What happens after it.
    pub why: String,
}

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// `keyrite-rollover step` does it, with `keyrite-keyctl`.
    Tool,
    /// A person does it, or has it done: the parent must be told, a key made in a ceremony.
    Person,
    /// Nobody does it: it is seen, and recorded as evidence.
    Observation,
}

/// What is done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The pair is made in its token.
    Generate,
    /// It signs the zone, its DNSKEY not being published (RFC 6781 4.1.4).
    PreActivate,
    /// Its DNSKEY comes into the zone.
    Publish,
    /// Its DS is given to the parent, and with it the ones that go are taken out, where the method says so.
    Submit,
    /// Its DS is seen at every server of the parent.
    SeeDs,
    /// It takes over.
    Activate,
    /// Another has taken over.
    Retire,
    /// The parent is asked to take its DS out.
    AskForNoDs,
    /// The parent is asked for no DS at all, of a zone that is to be insecure (RFC 8078 4).
    GoInsecure,
    /// Its DS is seen at no server of the parent.
    SeeNoDs,
    /// Its DNSKEY leaves the zone, its RRSIGs stay (RFC 6781 4.1.4).
    Withdraw,
    /// It is published with the REVOKE bit (RFC 5011).
    Revoke,
    /// Its DNSKEY leaves the zone, and its RRSIGs with it.
    Remove,
    /// Its private part is destroyed.
    Destroy,
}

/// How long a zone lives on what is signed and delegated now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Runway {
    /// Until when it validates for everybody if nobody does anything more.
    pub until: Time,
    /// How long that is from now.
    pub left: Span,
    /// What ends it.
    pub why: String,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generate => "generate",
            Self::PreActivate => "pre-activate",
            Self::Publish => "publish",
            Self::Submit => "submit",
            Self::SeeDs => "see the DS of",
            Self::Activate => "activate",
            Self::Retire => "retire",
            Self::AskForNoDs => "ask out the DS of",
            Self::GoInsecure => "ask out every DS of",
            Self::SeeNoDs => "see no DS of",
            Self::Withdraw => "withdraw",
            Self::Revoke => "revoke",
            Self::Remove => "remove",
            Self::Destroy => "destroy",
        })
    }
}
