//! One step on the screen, by its kind.

use std::collections::BTreeMap;

use ceremony::log::{Body, Did, Initials, Skip, StepEntry};
use ceremony::run::Ask;
use ceremony::script::{Action, Branch, Compare, Confirm, Planned, Record, Role, Seat, Who, Word};
use cli::{Exit, Failure, Outcome, now};
use regex::Regex;

use super::Ceremony;
use super::screen::{Header, wrapped};
use super::stop::{Go, Stop};

/// What is asked after words that are read.
const READ: &str = "\n[Enter] when it was read   [e] exception   [Ctrl-C] more: ";

impl Ceremony<'_> {
    /// Shows a step and does it.
    pub fn step(&mut self, planned: &Planned<'_>) -> Go {
        let step = planned.step;
        self.console.forget()?;
        self.screen.begin(&self.header(planned))?;
        self.quorum(planned)?;
        if let Some(title) = &step.title {
            let title = self.fill(title)?;
            self.screen.paragraph(&title)?;
            self.screen.put("\n")?;
        }
        let expect = step.expect.as_ref().map(|expect| self.fill(expect)).transpose()?;
        let id = &step.id;
        if let Some(reason) = &step.skip {
            let reason = self.fill(reason)?;
            self.screen
                .paragraph(&format!("This step may be left out: {reason}"))?;
            if self.choose(id, &["do", "skip"], "do it, or leave it out")? == "skip" {
                let skip = Skip {
                    step: id.clone(),
                    reason,
                    exception: None,
                };
                self.append(self.acting(&self.seats(&step.by)), Body::Skip(skip))?;
                return Ok(());
            }
        }
        let by = self.acting(&self.seats(&step.by));
        if let Some(expect) = &expect {
            self.screen.paragraph(&format!("expected: {expect}"))?;
            self.screen.put("\n")?;
        }
        match &step.action {
            Action::Say(words) => {
                self.read(id, words, READ)?;
                self.did(id, by, Did::Say {})
            }
            Action::Confirm(confirm) => self.confirm(id, confirm),
            Action::Record(record) => self.record(id, by, record),
            Action::Attend(who) => self.attend(id, who),
            Action::Leave(who) => {
                let seats = self.acting(&self.seats(who));
                let names: Vec<String> = seats.iter().map(ToString::to_string).collect();
                self.read(id, &format!("These leave: {}", names.join(", ")), READ)?;
                self.did(id, by, Did::Leave { seats })
            }
            Action::Clock(which) => self.clock(id, by, which),
            Action::Run(run) => self.program(planned, run),
            Action::Compare(compare) => self.compare(id, compare),
            Action::Copy(copy) => self.copy(id, by, copy),
            Action::Seal(why) => self.seal_step(id, by, why),
            Action::Sign(sign) => self.sign_step(id, by, sign),
            Action::Pause(what) => self.pause(id, by, what),
            Action::Branch(branch) => self.branch(id, by, branch),
        }
    }

    fn header(&self, planned: &Planned<'_>) -> Header {
        let script = self.setting.script;
        let (count, act) = match planned.act {
            Some(act) => (script.plan().len(), format!("act: {}", act.title)),
            None => (script.safe_state_plan().len(), "the safe state".to_owned()),
        };
        let step = format!("step {} of {count}: {}", planned.number, planned.step.id);
        let acting = self.acting(&self.seats(&planned.step.by));
        let mut header = self.header_of(step, act, &acting);
        if acting.is_empty() {
            let who: Vec<String> = planned.step.by.iter().map(ToString::to_string).collect();
            header.by = who.join(", ");
        }
        header
    }

    /// What stands above a screen on which these act.
    pub fn header_of(&self, step: String, act: String, by: &[Seat]) -> Header {
        let now = now();
        let began = self.progress.began.map_or(now, |began| began);
        let people = by.iter().map(|seat| {
            let person = self.progress.present.get(seat);
            person.map_or_else(|| seat.to_string(), |person| format!("{seat} {}", person.name))
        });
        Header {
            title: self.setting.script.title.clone(),
            kind: self.setting.kind.to_string(),
            step,
            act,
            now: now.to_string(),
            elapsed: (now.unix_seconds() - began.unix_seconds()).max(0),
            by: people.collect::<Vec<_>>().join(", "),
        }
    }

    /// The seats that some words of the script stand for.
    pub fn seats(&self, who: &[Who]) -> Vec<Seat> {
        who.iter()
            .flat_map(|who| self.setting.script.seats(who))
            .collect()
    }

    /// No step goes on with fewer people than the script asks for; those before the first sign-in have nobody yet.
    fn quorum(&mut self, planned: &Planned<'_>) -> Go {
        if self.progress.present.is_empty() || planned.act.is_none() {
            return Ok(());
        }
        let mut wanted: BTreeMap<Role, u8> = self.setting.script.quorum.clone();
        for (role, count) in planned.act.into_iter().flat_map(|act| &act.quorum) {
            let most = wanted.entry(role.clone()).or_default();
            *most = (*most).max(*count);
        }
        if matches!(planned.step.action, Action::Attend(_)) {
            return Ok(());
        }
        let missing: Vec<String> = self
            .progress
            .missing(&wanted)
            .into_iter()
            .map(|(role, there, wanted)| format!("{wanted} of role {role}, and {there} signed in"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.screen
            .paragraph(&format!("The quorum is not there: {}.", missing.join("; ")))?;
        self.retry(&planned.step.id, "to look again")?;
        Err(Stop::Again)
    }

    /// Writes that a step was done.
    pub fn did(&mut self, step: &Word, by: Vec<Seat>, did: Did) -> Go {
        let step = step.clone();
        self.append(by, Body::Step(StepEntry { step, did }))?;
        Ok(())
    }

    /// A text with its variables.
    pub fn fill(&self, text: &str) -> Outcome<String> {
        let mut variables = self.progress.variables.clone();
        if let Ok(site) = "site".parse() {
            variables.set(site, self.setting.root.display().to_string());
        }
        variables
            .fill(text)
            .map_err(|error| Failure::of(Exit::Failed, &error))
    }

    /// Words on the screen, turned over where they are more than it has rows, and Enter.
    pub fn read(&mut self, step: &Word, words: &str, prompt: &str) -> Go {
        let words = self.fill(words)?;
        // The header, the expected result, and the question.
        let room = self.screen.rows().saturating_sub(11).max(3);
        let lines = wrapped(&words, super::screen::COLUMNS - 1);
        let mut pages = lines.chunks(room).peekable();
        while let Some(page) = pages.next() {
            self.screen.put(&format!("{}\n", page.join("\n")))?;
            if pages.peek().is_some() {
                self.go_on(step, "\n[Enter] for the rest: ")?;
            }
        }
        self.go_on(step, prompt)
    }

    fn confirm(&mut self, step: &Word, confirm: &Confirm) -> Go {
        let what = self.fill(&confirm.what)?;
        self.screen.paragraph(&what)?;
        self.screen.put("\n")?;
        let seats = self.acting(&self.seats(&confirm.initials));
        let mut given = Vec::new();
        for seat in seats.clone() {
            let initials = self.initials(step, &seat)?;
            given.push(Initials { seat, initials });
        }
        self.did(step, seats, Did::Confirm { initials: given })
    }

    /// The initials of somebody who is there.
    pub fn initials(&mut self, step: &Word, seat: &Seat) -> Go<String> {
        let Some(person) = self.progress.present.get(seat).cloned() else {
            return Err(Failure::new(Exit::PartWay, format!("{seat} did not sign in")).into());
        };
        let ask = Ask::Initials {
            seat: seat.clone(),
            initials: person.initials.clone(),
        };
        let prompt = format!("initials of {seat}, {}: ", person.name);
        loop {
            let line = self.ask(step, ask.clone(), &prompt)?;
            if line.eq_ignore_ascii_case(&person.initials) {
                return Ok(person.initials);
            }
            self.screen
                .paragraph("These are not the initials given at sign-in.")?;
        }
    }

    fn record(&mut self, step: &Word, by: Vec<Seat>, record: &Record) -> Go {
        let what = self.fill(&record.what)?;
        let pattern = Regex::new(&format!("^(?:{})$", record.pattern));
        let pattern =
            pattern.map_err(|error| Failure::of(Exit::Failed, &error).within(format!("step {step}")))?;
        let last_time = match &record.last_time {
            Some(name) => self.recorded_last_time(name)?,
            None => None,
        };
        // Once people wrote down that it is another one, another one is taken.
        let answered_for = self.progress.exceptions.contains(step);
        let ask = Ask::Value {
            name: record.name.clone(),
            pattern: record.pattern.clone(),
            last_time: last_time.clone(),
        };
        loop {
            let value = self.ask(step, ask.clone(), &format!("{what}: "))?;
            if !pattern.is_match(&value) {
                self.screen
                    .paragraph(&format!("It must be like {}.", record.pattern))?;
            } else if let Some(last) = last_time.as_ref().filter(|last| **last != value && !answered_for) {
                self.screen.paragraph(&format!(
                    "The ceremony before recorded '{last}', not '{value}'. If it was mistyped, type it again; if it is another one, stop \
                     and open an exception: e."
                ))?;
            } else {
                let name = record.name.clone();
                return self.did(
                    step,
                    by,
                    Did::Record {
                        name,
                        value,
                        last_time,
                    },
                );
            }
        }
    }

    fn clock(&mut self, step: &Word, by: Vec<Seat>, which: &str) -> Go {
        let which = self.fill(which)?;
        self.screen.paragraph(&format!(
            "What {which} shows, in UTC, such as 10:07:31 or 2026-11-23 10:07:31."
        ))?;
        loop {
            let line = self.ask(step, Ask::Wall, "[the time, then Enter as it comes]: ")?;
            let machine = now();
            let Some(wall) = super::values::wall_time(&line, machine) else {
                self.screen.paragraph("That is no time.")?;
                continue;
            };
            let offset = machine.unix_seconds() - wall.unix_seconds();
            self.screen
                .paragraph(&format!("The machine's clock is {offset} s from it."))?;
            let answer = self.choose(step, &["yes", "no"], "keep that")?;
            if answer == "yes" {
                return self.did(step, by, Did::Clock { wall, offset });
            }
        }
    }

    fn compare(&mut self, step: &Word, compare: &Compare) -> Go {
        let what = self.fill(&compare.what)?;
        let sha256 = self.fill(&compare.sha256)?;
        let sha256: key_metadata::Digest = sha256.parse().map_err(|error: key_metadata::DigestError| {
            Failure::of(Exit::Failed, &error).within(format!("step {step}"))
        })?;
        let [reader, checker] = [&compare.reader, &compare.checker]
            .map(|who| self.acting(&self.setting.script.seats(who)).into_iter().next());
        let (Some(reader), Some(checker)) = (reader, checker) else {
            return Err(Failure::new(
                Exit::PartWay,
                format!("step {step}: who reads or checks did not sign in"),
            )
            .into());
        };
        self.screen.paragraph(&format!(
            "{reader} reads the digest of {what} aloud, from paper or from another screen: 32 PGP words, or hex digits. {checker} types \
             what is heard. It is not shown here."
        ))?;
        let ask = Ask::Heard {
            what: what.clone(),
            sha256,
        };
        let mut mistyped = 0;
        loop {
            let line = self.ask(step, ask.clone(), "\nheard: ")?;
            match cli::words::digest_of(&line) {
                Ok(heard) if heard == sha256 => break,
                Ok(_) => self
                    .screen
                    .paragraph("That is another digest. Read it again; if it stays so: e.")?,
                Err(error) => self.screen.paragraph(&Failure::from(error).to_string())?,
            }
            mistyped += 1;
        }
        let readback = ceremony::log::Readback {
            step: step.clone(),
            what,
            sha256,
            checker: checker.clone(),
            mistyped,
        };
        self.append(vec![checker, reader], Body::Readback(readback))?;
        self.screen.paragraph("It is the same.")?;
        self.go_on(step, "[Enter] go on: ")
    }

    fn pause(&mut self, step: &Word, by: Vec<Seat>, what: &str) -> Go {
        let what = self.fill(what)?;
        if self.progress.pausing.as_ref() != Some(step) {
            self.screen.paragraph(&what)?;
            self.go_on(step, "\n[Enter] to seal the log and begin the break: ")?;
            let checkpoint = self.sealed(&format!("break {step}"))?;
            return self.did(step, by, Did::Pause { checkpoint });
        }
        self.screen.paragraph(&format!("BREAK: {what}"))?;
        self.go_on(step, "\n[Enter] when all are back: ")?;
        self.did(step, by, Did::Resume {})
    }

    fn branch(&mut self, step: &Word, by: Vec<Seat>, branch: &Branch) -> Go {
        let question = self.fill(&branch.question)?;
        let choices: Vec<&str> = branch.choices.keys().map(Word::as_str).collect();
        let chosen = self.choose(step, &choices, &question)?;
        let choice = chosen
            .parse()
            .map_err(|error: ceremony::script::NameError| Failure::of(Exit::Failed, &error))?;
        self.did(step, by, Did::Branch { choice })
    }
}
