//! What a simulation tells, on one screen.

use cli::{Exit, Failure};
use key_metadata::timing::{Figure, Figures};
use rollover::simulate::{Done, Followed, Happened, Incident, Life, MOST_INCIDENTS, Report};

/// What happened last before an incident.
const BEFORE: usize = 3;

/// Lives whose incidents are told, where there are many.
const LIVES: u64 = 5;

/// What was told of all lives until now.
pub struct Told {
    lives: u32,
    done: Done,
    seeds: (u64, u64),
    resolvers: usize,
    followers: usize,
    queries: u64,
    validations: u64,
    insecure: u64,
    refused: u64,
    refusal: Option<Happened>,
    /// How many lives are over.
    told: u64,
    /// How many lives had an incident.
    bad: u64,
    head: String,
}

impl Told {
    /// Nothing yet, of so many lives.
    pub fn new(life: &Life<'_>, lives: u32) -> Self {
        Self {
            lives,
            done: Done::nothing(),
            seeds: (u64::MAX, 0),
            resolvers: 0,
            followers: 0,
            queries: 0,
            validations: 0,
            insecure: 0,
            refused: 0,
            refusal: None,
            told: 0,
            bad: 0,
            head: head(life),
        }
    }

    /// One life more.
    pub fn add(&mut self, report: &Report) {
        self.done.add(&report.done);
        self.seeds = (self.seeds.0.min(report.seed), self.seeds.1.max(report.seed));
        self.resolvers = report.resolvers;
        self.followers = report.followers;
        self.queries = self.queries.saturating_add(report.queries);
        self.validations = self.validations.saturating_add(report.validations);
        self.insecure = self.insecure.saturating_add(report.insecure);
        self.refused = self.refused.saturating_add(report.refusals.len() as u64);
        self.refusal = self.refusal.take().or(report.refusals.first().cloned());
        self.told += 1;
        self.bad += u64::from(!report.incidents.is_empty());
    }

    /// What is told of a life as soon as it is over: its incidents, and the command that shows them again.
    pub fn life(&self, report: &Report, command: &str) -> String {
        let (Some(first), Some(last)) = (report.incidents.first(), report.incidents.last()) else {
            return String::new();
        };
        let count = report.incidents.len();
        let least = if count < MOST_INCIDENTS { "" } else { "at least " };
        let mut text = format!(
            "seed {}: a resolver was without a chain {least}{}, from {} until {}\n",
            report.seed,
            times(count as u64),
            first.at,
            last.at
        );
        if self.bad <= LIVES {
            text += &tell(first, &report.happened);
            // Of the same resolver at the same time it would say the same of another RRset.
            let other = report.incidents.iter().find(|other| other.why != first.why);
            text += &other.map_or_else(String::new, |other| tell(other, &report.happened));
        }
        text + &format!("  again: {command}\n")
    }

    /// What is told of all lives.
    pub fn all(&self, life: &Life<'_>) -> String {
        let done = &self.done;
        let seeds = match self.lives {
            1 => format!("seed {}", self.seeds.0),
            _ => format!(
                "{}, seeds {} to {}",
                counted(self.told, "life", "lives"),
                self.seeds.0,
                self.seeds.1
            ),
        };
        let mut rows = vec![("policy", format!("{}, {seeds}", self.head))];
        rows.extend(really(life).into_iter().map(|line| ("really", line)));
        rows.push((
            "steps",
            format!(
                "{}, the latest {} after it could be taken; seen of the parent: {}",
                done.steps, done.latest, done.observations
            ),
        ));
        let rollovers = done.rollovers.iter();
        rows.extend(rollovers.map(|(title, count)| ("begun", format!("{count} x {title}"))));
        let longest = match done.outages {
            0 => String::new(),
            _ => format!(", the longest {}", done.longest_outage),
        };
        rows.push((
            "trouble",
            format!(
                "outages of the signer: {}{longest}; DS later than Dreg: {}",
                done.outages, done.late_registrations
            ),
        ));
        let followers = match self.followers {
            0 => String::new(),
            some => format!(" ({some} of them follow the keys by RFC 5011)"),
        };
        rows.push((
            "world",
            format!(
                "{}{followers} got {} of name servers; {} validated, {} of them insecure",
                counted(self.resolvers as u64, "resolver", "resolvers"),
                counted(self.queries, "answer", "answers"),
                self.validations,
                self.insecure
            ),
        ));
        if let Some(refusal) = &self.refusal {
            let line = format!(
                "{}; first at {}: {}",
                times(self.refused),
                refusal.at,
                refusal.what
            );
            rows.push(("no plan", line));
        }
        let mut text: String = rows
            .iter()
            .map(|(name, line)| format!("{name:<9}{line}\n"))
            .collect();
        if self.bad == 0 {
            text += "no resolver was ever without a chain\n";
        }
        text
    }

    /// What the check says.
    pub fn failure(&self, policy: &str, remedies: &[String]) -> Option<Failure> {
        let what = match (self.bad, self.lives) {
            (0, _) => return None,
            (_, 1) => format!("{policy}: a resolver was without a chain"),
            (bad, _) => format!(
                "{policy}: in {bad} of {} lives a resolver was without a chain",
                self.told
            ),
        };
        Some(Failure::new(Exit::SaysNo, what).hint(match remedies {
            [] => "all that led to it: the command after 'again', with --json".to_owned(),
            remedies => format!("let the policy have what is so: {}", remedies.join(", ")),
        }))
    }
}

fn head(life: &Life<'_>) -> String {
    let years = life.until.since(life.since).seconds() / (365 * 86_400);
    let begins = match life.followed {
        Followed::ByNobody => "unsigned at first",
        Followed::BySome => "signed since before",
    };
    format!(
        "{}, {} from {} on, {begins}",
        life.policy_name,
        counted(u64::from(years), "year", "years"),
        life.since
    )
}

/// What is not as the policy has it.
fn really(life: &Life<'_>) -> Vec<String> {
    let policy = Figures::of(life.policy);
    let all = |figures: &Figures| -> Vec<(&'static str, Figure)> {
        let figures = figures.clone();
        vec![
            ("TTLds", figures.ttl_ds),
            ("TTLkey", figures.ttl_key),
            ("TTLsig", figures.ttl_sig),
            ("Dprp", figures.dprp),
            ("DprpP", figures.dprp_parent),
            ("Dreg", figures.dreg),
            ("Dsgn", figures.dsgn),
        ]
    };
    let both = all(&policy).into_iter().zip(all(&life.truth));
    let differ = both.filter(|((_, policy), (_, truth))| policy.span != truth.span);
    differ
        .map(|((name, policy), (_, truth))| format!("{name} {}, not {}", truth.span, policy.span))
        .collect()
}

fn tell(incident: &Incident, happened: &[Happened]) -> String {
    let mut text = format!("  at {}, {}: {}\n", incident.at, incident.resolver, incident.why);
    if let Some(held) = &incident.held {
        text += &format!("    held: {held}\n");
    }
    let before: Vec<_> = happened
        .iter()
        .filter(|happened| happened.at <= incident.at)
        .collect();
    let last = before.iter().skip(before.len().saturating_sub(BEFORE));
    text.extend(last.map(|happened| format!("    before: {} {}\n", happened.at, happened.what)));
    text
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}
