//! `simulate`: a zone lives by a policy for years, in a world of chance.

mod really;
mod told;

use clap::Args;
use cli::{Exit, Failure, JsonList, Outcome, Output, Progress, ReportArguments, SiteArguments, shell_word};
use key_metadata::policy::{AlgorithmRollover, TrustAnchor};
use key_metadata::timing::Figures;
use key_metadata::{KeptGoal, Policy, Role, Span, Time, ZoneKeys, ZoneName};
use rollover::chain::Validators;
use rollover::decided::goal;
use rollover::planner::{Goal, PlanError};
use rollover::simulate::{Followed, Life, LifeError, Report, Setting, simulate_life, taken_over};
use serde::Serialize;

use crate::named_policy::{named, site_for};
use crate::zone_of_site::{Wishes, unplanned};
use really::Really;
use told::Told;

/// The options of `simulate`.
#[derive(Args)]
pub struct Arguments {
    /// The policy: the site's or a shipped one by its name, or a file, with a / or .yaml in its name; - is standard input
    #[arg(long, value_name = "NAME|FILE")]
    policy: String,
    /// How long the zone lives, in years of 365 days; 50 at most
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    years: u32,
    /// What chance begins with: all comes again with the same number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many lives, one after the other, each with the next seed; 1000000 at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lives: u32,
    /// How many resolvers ask; 500 at most
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    resolvers: u32,
    /// How late each step is taken, at most; 365d at most
    #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = really::up_to_a_year)]
    delays: Span,
    /// How often the signer stands still in that time, on average, each time no longer than its signatures can bear; 200 at most
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=200))]
    outages: u32,
    /// What is really so, whatever the policy has that plans go by: TTLds, TTLkey, TTLsig, Dprp, DprpP, Dreg or Dsgn, each 365d at most
    #[arg(long, value_name = "FIGURE=SPAN")]
    really: Vec<Really>,
    /// Let every third resolver have the first KSKs as trust anchors and follow them by RFC 5011, also where the policy is not for that
    #[arg(long)]
    rfc5011: bool,
    #[command(flatten)]
    report: ReportArguments,
    #[command(flatten, next_help_heading = "Wanted in the middle of the time")]
    wishes: Wishes,
}

/// A life with what it is called again by, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Lived<'a> {
    policy: &'a str,
    /// Whether no resolver was ever without a chain.
    safe: bool,
    command: String,
    #[serde(flatten)]
    report: &'a Report,
}

/// When a simulated time begins: the same arguments give the same life, whenever they are given.
const SINCE: &str = "2026-01-01T00:00:00Z";
const SERVERS: usize = 4;
const DAYS_A_YEAR: u32 = 365;
const DAY: u32 = 86_400;

impl Arguments {
    /// Lets lives be; 3 when a resolver was without a chain in one of them.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let last = self.seed.checked_add(u64::from(self.lives) - 1).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("there are no {} seeds from {} on", self.lives, self.seed),
            )
        })?;
        let policy = named(&self.policy, site_for(site)?.as_ref())?.map_err(|error| {
            Failure::of(Exit::Failed, &error).within(format!("{} is no policy", self.policy))
        })?;
        let zone: ZoneName = "example"
            .parse()
            .map_err(|error| Failure::of(Exit::Failed, &error))?;
        let since: Time = SINCE.parse().map_err(|error| Failure::of(Exit::Failed, &error))?;
        let goals = self.wishes.goals()?;
        goals.iter().try_for_each(|goal| self.is_for(*goal, &policy))?;
        let mut life = self.life(&policy, (&zone, since), &goals);
        let mut told = Told::new(&life, self.lives);
        let mut list = JsonList::new("lives");
        let days = u64::from(self.lives) * u64::from(self.years * DAYS_A_YEAR);
        let progress = Progress::new("days", days);
        for seed in self.seed..=last {
            if life.followed == Followed::BySome {
                life.keys =
                    taken_over(&zone, &policy, since, seed).ok_or_else(|| unplanned(PlanError::NoKeys))?;
            }
            let report =
                simulate_life(&life, &self.setting(seed), &mut || progress.step()).map_err(no_life)?;
            let command = self.command(seed, site);
            told.add(&report);
            progress.without(|| match self.report.json {
                true => list.item(
                    &Lived {
                        policy: &self.policy,
                        safe: report.incidents.is_empty(),
                        command,
                        report: &report,
                    },
                    output,
                ),
                false => output.result(told.life(&report, &command)),
            })?;
            if output.is_over() {
                break;
            }
        }
        drop(progress);
        match self.report.json {
            true => list.end(output)?,
            false => output.result(told.all(&life))?,
        }
        match told.failure(&self.policy, &self.remedies(&policy)) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Refuses what would never be begun.
    fn is_for(&self, goal: KeptGoal, policy: &Policy) -> Outcome {
        let name = &self.policy;
        let nothing = |what: String| Err(Failure::new(Exit::Usage, what));
        match goal {
            KeptGoal::Roll { role } | KeptGoal::Compromised { role } | KeptGoal::Lost { role }
                if policy.key(role).is_none() =>
            {
                nothing(format!("{name} has no {role}"))
            }
            KeptGoal::Algorithm { algorithm, .. }
                if Role::ALL
                    .into_iter()
                    .filter_map(|role| policy.key(role))
                    .all(|key| key.algorithm == algorithm) =>
            {
                nothing(format!("the keys of {name} are {algorithm} already"))
            }
            KeptGoal::Roll { .. }
            | KeptGoal::Compromised { .. }
            | KeptGoal::Lost { .. }
            | KeptGoal::Algorithm { .. }
            | KeptGoal::Insecure
            | KeptGoal::Abandon => Ok(()),
        }
    }

    fn life<'a>(
        &'a self,
        policy: &'a Policy,
        (zone, since): (&'a ZoneName, Time),
        goals: &[KeptGoal],
    ) -> Life<'a> {
        let length = self.years * DAYS_A_YEAR * DAY;
        let mut truth = Figures::of(policy);
        self.really.iter().for_each(|really| really.is_so(&mut truth));
        let share = length
            / (u32::try_from(goals.len())
                .map_or(u32::MAX, |count| count)
                .saturating_add(1));
        // In the middle; of several, the time between them is the same.
        let wishes = goals.iter().zip(1u32..).filter_map(|(wish, place)| {
            let at = since.after(Span::from_seconds(share.saturating_mul(place)));
            Some((at, goal(*wish, at)?))
        });
        let wishes: Vec<_> = wishes.collect();
        let is_liberal = policy.algorithm_rollover == AlgorithmRollover::Liberal;
        let validators = match wishes.iter().any(|(_, goal)| matches!(goal, Goal::Algorithm(_))) {
            true if is_liberal => Validators::Standard,
            true | false => Validators::Strict,
        };
        let followed = match policy.trust_anchor {
            TrustAnchor::Rfc5011 => Followed::BySome,
            TrustAnchor::None if self.rfc5011 => Followed::BySome,
            TrustAnchor::None => Followed::ByNobody,
        };
        Life {
            zone,
            policy_name: &self.policy,
            policy,
            keys: ZoneKeys::new(zone.clone()),
            since,
            until: since.after(Span::from_seconds(length)),
            truth,
            wishes,
            delays: self.delays,
            outages: self.outages,
            followed,
            validators,
        }
    }

    /// What would be in the policy if it were for this world.
    fn remedies(&self, policy: &Policy) -> Vec<String> {
        let figures = Figures::of(policy);
        let differ = self.really.iter().filter(|really| really.differs(&figures));
        let mut remedies: Vec<_> = differ.map(Really::remedy).collect();
        if self.rfc5011 && policy.trust_anchor == TrustAnchor::None {
            remedies.push("trust-anchor: rfc5011".to_owned());
        }
        remedies
    }

    fn setting(&self, seed: u64) -> Setting {
        Setting {
            seed,
            resolvers: self.resolvers as usize,
            servers: SERVERS,
            // Every day, beside when something changes.
            questions: self.years * DAYS_A_YEAR,
        }
    }

    /// The command that shows exactly this life again.
    fn command(&self, seed: u64, site: &SiteArguments) -> String {
        let mut words = vec!["keyrite-rollover".to_owned(), "simulate".to_owned()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if site.site.as_os_str() != "." {
            option("--site", site.site.display().to_string());
        }
        option("--policy", self.policy.clone());
        option("--years", self.years.to_string());
        option("--seed", seed.to_string());
        option("--resolvers", self.resolvers.to_string());
        option("--delays", self.delays.to_string());
        option("--outages", self.outages.to_string());
        self.really
            .iter()
            .for_each(|really| option("--really", really.to_string()));
        words.extend(self.rfc5011.then(|| "--rfc5011".to_owned()));
        words.extend(self.wishes.options());
        let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
        words.join(" ")
    }
}

fn no_life(error: LifeError) -> Failure {
    match error {
        LifeError::Plan(error) => unplanned(error),
        error => Failure::from(error),
    }
}
