//! Every command and every operation of a TPM and of the log's token that a script will bring, in advance.

use std::fmt::Write;

use key_metadata::yaml::YamlError;
use serde::Serialize;

use crate::script::quoted;
use crate::script::{Action, Planned, Run, Script, Step, Which, Who};

/// What a script will bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// Of this form: 1.
    pub version: u8,
    /// Its title.
    pub title: String,
    /// Before the first step, each step, and after the last one.
    pub steps: Vec<Explained>,
    /// The steps of the safe state, which come instead of the rest when the ceremony is broken off.
    pub safe_state: Vec<Explained>,
    /// All together, by the choices that bring least and most.
    pub totals: [Total; 6],
}

/// What a step will bring. What goes wrong brings more: tries, exceptions, and what is told after an interruption.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explained {
    /// Its number; `start` and `end` for what is no step.
    pub number: String,
    /// Its name.
    pub step: String,
    /// Who acts.
    pub by: Vec<String>,
    /// The choices that lead to it.
    pub only_if: Vec<String>,
    /// What is asked.
    pub asks: Vec<String>,
    /// The command, with the names of values that are not known yet.
    pub argv: Vec<String>,
    /// Secrets that the command asks for at the terminal.
    pub secrets: Vec<String>,
    /// Files that are read.
    pub reads: Vec<String>,
    /// Files that are written.
    pub writes: Vec<String>,
    /// Values that are taken, with where they are in what the command prints.
    pub values: Vec<String>,
    /// The entries of the log.
    pub entries: Vec<String>,
    /// Commands of the TPM.
    pub tpm: Vec<String>,
    /// Operations of the log's token.
    pub token: Vec<String>,
    /// Who signs checkpoints.
    pub signatures: Vec<String>,
    /// How often something is counted in the totals.
    #[serde(skip)]
    counts: [u32; 6],
}

/// How often something will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Total {
    /// What.
    pub what: &'static str,
    /// At least.
    pub least: u32,
    /// At most.
    pub most: u32,
}

const COUNTED: [&str; 6] = [
    "commands",
    "entries",
    "seals",
    "signatures of people",
    "commands of the TPM",
    "signatures of the token",
];

/// What the script of that text will bring.
pub fn explain(text: &str) -> Result<Explanation, YamlError> {
    Ok(of(&Script::from_yaml(text)?))
}

fn of(script: &Script) -> Explanation {
    let (start, end) = (start(script), end(script));
    let all = |plan: Vec<Planned<'_>>| -> Vec<Explained> {
        plan.iter().map(|planned| step(script, planned)).collect()
    };
    let mut range = Range::default();
    range.add(&start.counts, &start.counts);
    range.add(&end.counts, &end.counts);
    for act in &script.acts {
        range.steps(script, &act.steps);
    }
    let totals = COUNTED.into_iter().zip(range.least.into_iter().zip(range.most));
    let totals: Vec<Total> = totals
        .map(|(what, (least, most))| Total { what, least, most })
        .collect();
    let mut steps = vec![start];
    steps.extend(all(script.plan()));
    steps.push(end);
    Explanation {
        version: 1,
        title: script.title.clone(),
        steps,
        safe_state: all(script.safe_state_plan()),
        totals: std::array::from_fn(|at| {
            totals.get(at).copied().map_or(
                Total {
                    what: "",
                    least: 0,
                    most: 0,
                },
                |total| total,
            )
        }),
    }
}

#[derive(Default)]
struct Range {
    least: [u32; 6],
    most: [u32; 6],
}

impl Range {
    fn add(&mut self, least: &[u32; 6], most: &[u32; 6]) {
        for (sum, more) in self.least.iter_mut().zip(least) {
            *sum += more;
        }
        for (sum, more) in self.most.iter_mut().zip(most) {
            *sum += more;
        }
    }

    fn steps(&mut self, script: &Script, steps: &[Step]) {
        for step in steps {
            let counts = explained(script, step).counts;
            self.add(&counts, &counts);
            if let Action::Branch(branch) = &step.action {
                let ranges = branch.choices.values().map(|steps| {
                    let mut range = Self::default();
                    range.steps(script, steps);
                    range
                });
                let joined = ranges.reduce(|one, other| Self {
                    least: std::array::from_fn(|at| one.least[at].min(other.least[at])),
                    most: std::array::from_fn(|at| one.most[at].max(other.most[at])),
                });
                if let Some(joined) = joined {
                    self.add(&joined.least, &joined.most);
                }
            }
        }
    }
}

impl Explained {
    fn entry(&mut self, script: &Script, what: impl Into<String>) {
        self.entries.push(what.into());
        self.counts[1] += 1;
        if script.tpm.is_some() {
            self.counts[4] += 1;
        }
    }

    /// A seal, and the entry about its signatures unless it is the last one.
    fn seal(&mut self, script: &Script, which: Which, reason: &str) {
        self.counts[2] += 1;
        if script.tpm.is_some() {
            self.tpm.push("TPM2_NV_Increment of the counter".to_owned());
            self.tpm.push("TPM2_ReadClock".to_owned());
            self.counts[4] += 2;
        }
        self.entry(script, format!("seal '{reason}'"));
        if script.tpm.is_some() {
            for what in [
                "NV_Certify of the log's index",
                "NV_Certify of the counter",
                "Quote of the PCRs",
            ] {
                self.tpm.push(format!("TPM2_{what}, over the checkpoint"));
            }
            self.counts[4] += 3;
        }
        if let Some(token) = &script.log_key {
            self.token.push(format!(
                "C_Sign by the log's key in '{token}', over the checkpoint"
            ));
            self.counts[5] += 1;
        }
        for (role, count) in script.signers(which) {
            self.signatures.push(format!("{count} {role}"));
            self.counts[3] += u32::from(*count);
        }
        if which == Which::Earlier {
            self.entry(script, "anchor");
        }
    }

    /// TPM2_NV_Extend for each entry, told once.
    fn extended(mut self, script: &Script) -> Self {
        if script.tpm.is_some() && !self.entries.is_empty() {
            let count = self.entries.len();
            self.tpm.insert(
                0,
                format!("TPM2_NV_Extend of the log's index, once for each entry: {count}"),
            );
        }
        self
    }
}

fn start(script: &Script) -> Explained {
    let mut start = Explained {
        number: "start".to_owned(),
        writes: ["script.yaml", "allowed_signers", "verify.sh", "cast-1"]
            .map(ToOwned::to_owned)
            .into(),
        ..Explained::default()
    };
    if script.tpm.is_some() {
        start.writes.push("ak.pem".to_owned());
    }
    if script.log_key.is_some() {
        start.writes.push("token.pem".to_owned());
        start
            .secrets
            .push("the user PIN of the log's token, where site.yaml says prompt".to_owned());
        start
            .token
            .push("C_Login; C_GenerateKeyPair of the log's key, where there is none".to_owned());
    }
    start.entry(script, "genesis");
    start.entry(script, "cast");
    start.seal(script, Which::Earlier, "start");
    start.extended(script)
}

fn end(script: &Script) -> Explained {
    let mut end = Explained {
        number: "end".to_owned(),
        ..Explained::default()
    };
    end.entry(script, "end");
    end.seal(script, Which::Last, "end");
    end.extended(script)
}

fn step(script: &Script, planned: &Planned<'_>) -> Explained {
    let mark = if planned.act.is_none() { "S" } else { "" };
    let guards = planned.guards.iter();
    Explained {
        number: format!("{mark}{}", planned.number),
        only_if: guards
            .map(|guard| format!("{} is {}", guard.branch, guard.choice))
            .collect(),
        ..explained(script, planned.step)
    }
}

fn explained(script: &Script, step: &Step) -> Explained {
    let mut told = Explained {
        step: step.id.to_string(),
        by: names(&step.by),
        ..Explained::default()
    };
    let id = &step.id;
    let mut ask = |text: String| told.asks.push(text);
    match &step.action {
        Action::Say(_) => {
            ask("Enter, when the words were read".to_owned());
            told.entry(script, "step say");
        }
        Action::Confirm(confirm) => {
            ask(format!("initials of {}", list(&confirm.initials)));
            told.entry(script, "step confirm");
        }
        Action::Record(record) => {
            ask(format!("a value like {}", record.pattern));
            if let Some(name) = &record.last_time {
                ask(format!("it must be what the ceremony before recorded as {name}"));
            }
            told.values.push(record.name.to_string());
            told.entry(script, "step record");
        }
        Action::Attend(who) => {
            ask(format!("name, initials and principal of {}", list(who)));
            told.entry(script, "step attend");
        }
        Action::Leave(who) => {
            ask(format!("Enter, when {} left", list(who)));
            told.entry(script, "step leave");
        }
        Action::Clock(clock) => {
            ask(format!("what {clock} shows"));
            told.entry(script, "step clock");
        }
        Action::Run(run) => program(&mut told, script, step, run),
        Action::Compare(compare) => {
            ask(format!(
                "the digest {}, read by {}, typed by {}",
                compare.sha256, compare.reader, compare.checker
            ));
            told.entry(script, "readback");
        }
        Action::Copy(copy) => {
            ask("Enter, to copy".to_owned());
            for file in &copy.files {
                told.reads.push(file.display().to_string());
                let to = copy.to.iter().map(|to| format!("{} on {to}", file.display()));
                told.writes.extend(to);
            }
            told.entry(script, "step copy");
        }
        Action::Seal(_) => {
            ask("Enter, to seal the log".to_owned());
            told.seal(script, Which::Earlier, &format!("step {id}"));
            told.entry(script, "step seal");
        }
        Action::Sign(sign) => {
            ask(format!("the word SIGN, of {}", list(&sign.who)));
            let seats = sign.who.iter().flat_map(|who| script.seats(who)).count();
            told.counts[3] += u32::try_from(seats).map_or(u32::MAX, |seats| seats);
            told.signatures.extend(names(&sign.who));
            told.entry(script, "step sign");
        }
        Action::Pause(_) => {
            ask("Enter, to begin the break".to_owned());
            ask("Enter, when all are back".to_owned());
            told.seal(script, Which::Earlier, &format!("break {id}"));
            told.entry(script, "step pause");
            told.entry(script, "step resume");
        }
        Action::Branch(branch) => {
            let choices: Vec<_> = branch.choices.keys().map(ToString::to_string).collect();
            ask(format!("one of {}", choices.join(", ")));
            told.entry(script, "step branch");
        }
    }
    if let Some(reason) = &step.skip {
        told.asks
            .push(format!("or it is left out, with one entry: {reason}"));
    }
    told.extended(script)
}

fn program(told: &mut Explained, script: &Script, step: &Step, run: &Run) {
    told.argv.clone_from(&run.argv);
    told.counts[0] += 1;
    match &run.destroys {
        Some(tag) => {
            told.asks.push(format!("the key tag {tag}"));
            told.asks.push("initials of a second officer".to_owned());
        }
        None => told.asks.push("Enter, to run it".to_owned()),
    }
    told.asks.push("Enter, when it is as expected".to_owned());
    told.secrets.extend(run.secret.clone());
    told.entry(script, "step begin");
    for file in &run.inputs {
        let path = file.path.display();
        told.reads.push(path.to_string());
        told.entry(script, format!("artefact input {path}"));
    }
    if run.secret.is_some() {
        told.entry(script, "secret-event");
    }
    told.entry(script, "artefact printed");
    for file in &run.outputs {
        let path = file.path.display();
        told.writes.push(path.to_string());
        told.entry(script, format!("artefact output {path}"));
    }
    for (name, pointer) in &run.values {
        told.values.push(format!("{name} at {pointer}"));
    }
    told.entry(script, "step run");
    if run.affects_keys {
        told.seal(script, Which::Earlier, &format!("after {}", step.id));
    }
}

fn names(who: &[Who]) -> Vec<String> {
    who.iter().map(ToString::to_string).collect()
}

fn list(who: &[Who]) -> String {
    names(who).join(", ")
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        for step in &self.steps {
            step.fmt(f)?;
        }
        if !self.safe_state.is_empty() {
            writeln!(f, "Safe state, only when the ceremony is broken off\n")?;
        }
        for step in &self.safe_state {
            step.fmt(f)?;
        }
        writeln!(
            f,
            "All together, without what goes wrong, is left out, or is said on stderr (one entry for each such command)"
        )?;
        for total in self.totals {
            let count = if total.least == total.most {
                total.most.to_string()
            } else {
                format!("{} to {}", total.least, total.most)
            };
            writeln!(f, "  {:<24} {count}", total.what)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut head = format!("{} {}", self.number, self.step);
        if !self.by.is_empty() {
            write!(head, " by {}", self.by.join(", "))?;
        }
        writeln!(f, "{}", head.trim_end())?;
        let argv: Vec<_> = self.argv.iter().map(|argument| quoted(argument)).collect();
        let command = if argv.is_empty() {
            Vec::new()
        } else {
            vec![argv.join(" ")]
        };
        for (name, texts) in [
            ("only if", &self.only_if),
            ("asks", &self.asks),
            ("runs", &command),
            ("secret", &self.secrets),
            ("reads", &self.reads),
            ("writes", &self.writes),
            ("takes", &self.values),
            ("entry", &self.entries),
            ("TPM", &self.tpm),
            ("token", &self.token),
            ("signs", &self.signatures),
        ] {
            for text in texts {
                writeln!(f, "  {name:<8} {text}")?;
            }
        }
        writeln!(f)
    }
}
