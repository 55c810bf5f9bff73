//! A zone of the site with all that a plan is made of.

use clap::Args;
use cli::{Exit, Failure, Outcome};
use dnssec::first_expiration;
use key_metadata::observed::DsAnswer;
use key_metadata::store::{StoreError, read_bytes_if_there};
use key_metadata::timing::{Figure, Figures};
use key_metadata::{
    Advice, Algorithm, Intentions, KeptGoal, KeySpec, Observations, Policy, Role, SiteFolder, Span, Time,
    ZoneKeys, ZoneName,
};
use rollover::decided::{decided, goal, is_reached};
use rollover::margin::margins;
use rollover::plan::Plan;
use rollover::planner::{Evidence, Goal, PlanError, Request, Stage, claim, plan, recorded};
use rollover::schedule::Schedule;

use crate::clock;

/// What is wanted beside the policy's rollovers, or tried.
#[derive(Args, Debug, Default, Clone)]
pub struct Wishes {
    /// Replace the key of this role, whatever its lifetime
    #[arg(long, value_name = "ROLE")]
    roll: Vec<Role>,
    /// Replace the key of this role: somebody else has it
    #[arg(long, value_name = "ROLE")]
    compromise: Vec<Role>,
    /// Replace the key of this role: nobody has its private part any more
    #[arg(long, value_name = "ROLE")]
    lose: Vec<Role>,
    /// Go over to this algorithm
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<Algorithm>,
    /// The size of the new algorithm's keys, where it has more than one
    #[arg(long, value_name = "BITS", requires = "algorithm")]
    bits: Option<u16>,
    /// Let the zone be signed no more
    #[arg(long, conflicts_with_all = ["roll", "compromise", "lose", "algorithm"])]
    insecure: bool,
}

/// What is tried without being wanted.
#[derive(Args, Debug, Default, Clone)]
pub struct Trials {
    /// Let the parent take that much longer for a DS
    #[arg(long, value_name = "SPAN")]
    delay_ds: Option<Span>,
    /// Let nothing be done and nothing be signed from FROM until UNTIL, as 2026-12-01T00:00:00Z/2026-12-05T00:00:00Z
    #[arg(long, value_name = "FROM/UNTIL", value_parser = outage)]
    outage: Vec<(Time, Time)>,
}

fn outage(text: &str) -> Result<(Time, Time), String> {
    let (from, until) = text
        .split_once('/')
        .ok_or("write FROM/UNTIL, two times with a slash between them")?;
    let time = |text: &str| text.parse::<Time>().map_err(|error| error.to_string());
    let (from, until) = (time(from)?, time(until)?);
    if until <= from {
        return Err("it ends before it begins".to_owned());
    }
    Ok((from, until))
}

impl Wishes {
    /// What is wanted, as it is kept.
    pub fn goals(&self) -> Outcome<Vec<KeptGoal>> {
        let of =
            |roles: &[Role], goal: fn(Role) -> KeptGoal| roles.iter().copied().map(goal).collect::<Vec<_>>();
        let mut goals = of(&self.roll, |role| KeptGoal::Roll { role });
        goals.extend(of(&self.compromise, |role| KeptGoal::Compromised { role }));
        goals.extend(of(&self.lose, |role| KeptGoal::Lost { role }));
        if let Some(algorithm) = self.algorithm {
            KeySpec::new(algorithm, self.bits).map_err(|error| Failure::of(Exit::Usage, &error))?;
            let bits = self.bits;
            goals.push(KeptGoal::Algorithm { algorithm, bits });
        }
        goals.extend(self.insecure.then_some(KeptGoal::Insecure));
        Ok(goals)
    }

    /// The options that say the same.
    pub fn options(&self) -> Vec<String> {
        let of = |option: &str, roles: &[Role]| -> Vec<String> {
            let option = |role: &Role| [option.to_owned(), role.to_string().to_lowercase()];
            roles.iter().flat_map(option).collect()
        };
        let mut options = of("--roll", &self.roll);
        options.extend(of("--compromise", &self.compromise));
        options.extend(of("--lose", &self.lose));
        if let Some(algorithm) = self.algorithm {
            options.extend(["--algorithm".to_owned(), algorithm.to_string()]);
        }
        if let Some(bits) = self.bits {
            options.extend(["--bits".to_owned(), bits.to_string()]);
        }
        options.extend(self.insecure.then(|| "--insecure".to_owned()));
        options
    }
}

/// A zone of the site.
pub struct ZoneOfSite {
    /// Its name.
    pub name: ZoneName,
    /// Its policy's name.
    pub policy_name: String,
    /// Its policy.
    pub policy: Policy,
    /// Its keys.
    pub keys: ZoneKeys,
    /// What was seen of it.
    pub observations: Observations,
    /// What was decided for it.
    pub intentions: Intentions,
    /// When the first RRSIG of the signed zone expires, and of which file.
    expires: Option<(Time, String)>,
}

/// TTLs that were larger this long ago may still count: longer than any cache keeps an answer (RFC 8767 4 asks for a week at most).
const LOOK_BACK: Span = Span::from_seconds(14 * 86_400);

impl ZoneOfSite {
    /// Reads it, at a time that is not before what its files tell.
    pub fn read(folder: &SiteFolder, name: &ZoneName, now: Time) -> Outcome<Self> {
        let (entry, policy) = folder.zone(name).map_err(no_zone)?;
        let zone = Self {
            name: name.clone(),
            policy_name: entry.policy.to_string(),
            policy,
            keys: folder.keys(name)?,
            observations: folder.observations(name)?,
            intentions: folder.intentions(name)?,
            expires: expires(folder, name, now)?,
        };
        zone.is_past(folder, now)?;
        Ok(zone)
    }

    /// Whether all that is recorded is of the past.
    fn is_past(&self, folder: &SiteFolder, now: Time) -> Outcome {
        let name = &self.name;
        let last = [
            (
                folder.keys_path(name),
                self.keys.history().last().map(|entry| entry.at),
            ),
            (
                folder.observations_path(name),
                self.observations.newest().map(|seen| seen.at),
            ),
            (
                folder.intentions_path(name),
                self.intentions.intentions.iter().map(|decided| decided.at).max(),
            ),
        ];
        clock::is_after(last, now)
    }

    /// The zone as if nothing had been decided for it.
    pub fn alone(&self) -> Self {
        Self {
            intentions: Intentions::new(self.name.clone()),
            name: self.name.clone(),
            policy_name: self.policy_name.clone(),
            policy: self.policy.clone(),
            keys: self.keys.clone(),
            observations: self.observations.clone(),
            expires: self.expires.clone(),
        }
    }

    /// The policy's figures, and what was measured where that is longer.
    fn figures(&self, trials: &Trials, now: Time) -> Figures {
        let policy = Figures::of(&self.policy);
        let mut measured = policy.clone();
        let seen = &self.observations;
        let since = now.before(LOOK_BACK);
        let parent = "the parent's servers";
        let ds = [seen.ds_ttl(), seen.ds_denial_ttl()].into_iter().flatten().max();
        if let Some((span, at)) = ds {
            let span = seen
                .largest_ds_ttl_since(since)
                .map_or(span, |largest| largest.max(span));
            measured.ttl_ds = Figure::measured(span, at, parent);
        }
        if let Some((span, at)) = seen.dnskey_ttl() {
            let span = seen
                .largest_dnskey_ttl_since(since)
                .map_or(span, |largest| largest.max(span));
            measured.ttl_key = Figure::measured(span, at, "the zone's servers");
        }
        if let Some((span, at)) = seen.negative_ttl() {
            measured.ttl_sig = Figure::measured(span, at, "the zone's servers");
        }
        let mut figures = policy.or_longer(&measured);
        // What was measured and is no longer than the policy has it was measured nevertheless.
        if measured.ttl_ds.span == figures.ttl_ds.span {
            figures.ttl_ds = measured.ttl_ds;
        }
        if let Some(more) = trials.delay_ds {
            let span = Span::from_seconds(figures.dreg.span.seconds().saturating_add(more.seconds()));
            figures.dreg = Figure::given(span, format!("{more} longer than the policy has it"));
        }
        figures
    }

    /// What was seen at the parent of each key's DS, after it was wanted there, or not wanted any more.
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        for key in self.keys.keys().iter().filter(|key| key.role.signs_dnskey()) {
            let times = &key.times;
            let has = |answer: &DsAnswer| answer.ds.iter().any(|ds| ds.is_of(&self.name, key));
            let out = [times.retired, times.retire_active, times.revoked, times.removed];
            let out = out.into_iter().flatten().max().filter(|_| key.had_ds());
            for (stage, run, after) in [
                (
                    Stage::Registered,
                    self.observations.parent_run(has),
                    times.submitted.filter(|_| out.is_none()),
                ),
                (
                    Stage::DsGone,
                    self.observations.parent_run(|answer| !has(answer)),
                    out,
                ),
            ] {
                let seen = run.zip(after).and_then(|(run, after)| {
                    let both = [run.since, run.until];
                    both.into_iter().find(|at| *at >= after)
                });
                evidence.extend(seen.map(|at| Evidence {
                    key: key.id,
                    stage,
                    at,
                }));
            }
        }
        evidence
    }

    /// The plan, with its margins.
    pub fn plan(
        &self,
        wishes: &[KeptGoal],
        trials: &Trials,
        now: Time,
        until: Time,
    ) -> Result<Plan, PlanError> {
        let mut goals = decided(&self.intentions, &self.keys, now);
        for wanted in wishes.iter().filter_map(|wish| goal(*wish, now)) {
            if !goals.contains(&wanted) {
                goals.push(wanted);
            }
        }
        goals.retain(|goal| !is_reached(goal, &self.keys));
        let request = self.request(goals, trials, now, until);
        let mut made = plan(&request)?;
        made.margins = margins(&made.schedule, &claim(&request, &made.schedule))?;
        Ok(made)
    }

    /// What is published by the records alone, and the figures that it is under.
    pub fn recorded(&self, now: Time) -> (Schedule, Figures) {
        let request = self.request(Vec::new(), &Trials::default(), now, now);
        (recorded(&request), request.figures)
    }

    fn request(&self, goals: Vec<Goal>, trials: &Trials, now: Time, until: Time) -> Request<'_> {
        Request {
            zone: &self.name,
            policy_name: &self.policy_name,
            policy: &self.policy,
            keys: &self.keys,
            figures: self.figures(trials, now),
            evidence: self.evidence(),
            expires: self.expires.clone(),
            now,
            until,
            goals,
            outages: trials.outage.clone(),
        }
    }
}

/// What the signed zone has left.
fn expires(folder: &SiteFolder, name: &ZoneName, now: Time) -> Outcome<Option<(Time, String)>> {
    let path = folder.signed_path(name);
    let Some(text) = read_bytes_if_there(&path)? else {
        return Ok(None);
    };
    let first = first_expiration(&text, &path, name, now)?;
    Ok(first.map(|first| (first, path.display().to_string())))
}

/// A zone that cannot be read, as a failure: that there is none is a matter of the command line.
pub fn no_zone(error: StoreError) -> Failure {
    match &error {
        StoreError::NoZone { .. } => Failure::of(Exit::Usage, &error).hint(error.hint()),
        _ => error.into(),
    }
}

/// A plan that there is not of a zone of the site, as a failure: where it lies with the policy, that is named.
pub fn no_plan(zone: &ZoneOfSite, error: PlanError) -> Failure {
    let of_policy = matches!(error, PlanError::Infeasible { .. } | PlanError::NoKeys);
    let failure = unplanned(error);
    match of_policy {
        true => failure.within(format!(
            "{}: policy '{}' has no plan",
            zone.name, zone.policy_name
        )),
        false => failure,
    }
}

/// A plan that there is not, as a failure: what is wrong is told whole, and the exit code says that the check said no.
pub fn unplanned(error: PlanError) -> Failure {
    match &error {
        PlanError::Unsafe { found, schedule, .. } => {
            let failure = Failure::of(Exit::SaysNo, &error);
            found
                .iter()
                .skip(1)
                .take(4)
                .fold(failure, |failure, more| failure.because(more.tell(schedule)))
        }
        PlanError::NobodySigns { .. } => Failure::of(Exit::SaysNo, &error).hint(error.hint()),
        PlanError::Infeasible { .. }
        | PlanError::NoKeys
        | PlanError::NotActive { .. }
        | PlanError::SameAlgorithm { .. }
        | PlanError::Versions(_) => Failure::from(error),
        _ => Failure::from(error),
    }
}
