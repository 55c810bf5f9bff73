//! `rehearse`: a ceremony for practice, on a TPM and tokens in software.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ceremony::log::{Body, CeremonyFolder, Did, Entry};
use ceremony::rehearse::{Estimate, Event, Fault, PlacedFault, RehearsalFile, Stage, TOOL, hold};
use ceremony::script::{Kind, Script};
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::SiteFolder;

/// The file of answers that belongs to `SCRIPT.yaml`: `rehearsal/SCRIPT.yaml` beside it.
const BESIDE: &str = "rehearsal";

#[derive(Args)]
pub struct Arguments {
    /// The script
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    /// What is answered and prepared; rehearsal/SCRIPT beside the script when absent, and without one all is made up
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// What goes wrong: power, jam, wrong-pin or absent
    #[arg(long, value_name = "FAULT")]
    fault: Option<Fault>,
    /// Where the rehearsal's own folders are made; rehearsal-ID when absent. A rehearsal that is there is removed
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Arguments {
    /// Holds the ceremony for practice, has its log verified, and tells how long the real day will take.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let script_file = fs::canonicalize(&self.script).map_err(|error| unreadable(&self.script, &error))?;
        let script = read_script(&script_file)?;
        let file = self.file(&script_file, &script)?;
        let fault = self.place(&script)?;
        let of_user = user_site(&site.site)?;
        let folder = match &self.out {
            Some(folder) => folder.clone(),
            None => PathBuf::from(format!("rehearsal-{}", script.id())),
        };
        let tools = cli::siblings()?;
        output.say(format!(
            "{}: '{}', on tokens in software, in {}: nothing outside it is touched.",
            Kind::Rehearsal,
            script.title,
            folder.display()
        ));
        if of_user.is_some() {
            let site = site.site.display();
            output.say(format!(
                "Its zones and policies have the names of those in {site}."
            ));
        }
        let mut stage = Stage::set(&folder, &script, &file, of_user.as_ref(), &tools)?;
        stage.prepare(&script, &file, &mut |command| {
            output.say(format!("before  $ {command}"))
        })?;
        if let Some(placed) = &fault {
            output.say(format!("fault   '{}' in step '{}'", placed.fault, placed.step));
        }
        let scene = Scene::new(&script);
        let held = hold(
            &mut stage,
            (&script, &script_file),
            &file,
            fault.as_ref(),
            &mut |event| {
                if let Some(line) = scene.line(&event) {
                    output.say(line);
                }
            },
        );
        let entries = held.map_err(|error| Failure::from(error).part_way())?;
        let ceremony = CeremonyFolder::of_site(&stage.folder().site(), script.id());
        let report = ceremony.file("report.html");
        let path = |path: &Path| path.display().to_string();
        show(&stage, &["verify", &path(ceremony.path())], output)?;
        show(
            &stage,
            &["report", &path(ceremony.path()), "--out", &path(&report)],
            output,
        )?;
        tell(&Estimate::of(&script, &entries), output)?;
        output.line(format!("report: {}", report.display()))
    }

    fn file(&self, script_file: &Path, script: &Script) -> Outcome<RehearsalFile> {
        let beside = script_file
            .parent()
            .zip(script_file.file_name())
            .map(|(folder, name)| folder.join(BESIDE).join(name));
        let chosen = match &self.answers {
            Some(file) => Some(file.clone()),
            None => beside.filter(|file| file.exists()),
        };
        let Some(chosen) = chosen else {
            return Ok(RehearsalFile::empty());
        };
        let text = fs::read_to_string(&chosen).map_err(|error| unreadable(&chosen, &error))?;
        let within = |failure: Failure| failure.within(format!("the answers of {}", chosen.display()));
        RehearsalFile::from_yaml(&text, script).map_err(|error| within(error.into()))
    }

    fn place(&self, script: &Script) -> Outcome<Option<PlacedFault>> {
        let Some(fault) = self.fault else {
            return Ok(None);
        };
        let placed = fault
            .place(script)
            .map_err(|error| Failure::of(Exit::Failed, &error).within("cannot draw a step"))?;
        placed.map(Some).ok_or_else(|| {
            let what = fault.shows_where();
            let problem =
                format!("the fault '{fault}' would not show: on every way through the script no step {what}");
            Failure::new(Exit::Usage, problem)
        })
    }
}

/// How far the ceremony is, a line for each step that is done and for what was not planned.
struct Scene {
    /// The ids of the steps, in order.
    steps: Vec<(String, &'static str)>,
}

impl Scene {
    fn new(script: &Script) -> Self {
        let plan = script.plan();
        let steps = plan.iter().map(|planned| {
            let step = planned.step;
            (step.id.to_string(), step.action.name())
        });
        Self {
            steps: steps.collect(),
        }
    }

    fn line(&self, event: &Event) -> Option<String> {
        let entry = match event {
            Event::Logged(entry) => entry,
            Event::PowerFailed(step) => {
                return Some(format!(
                    "        the power failed in step '{step}', and is there again"
                ));
            }
        };
        match &entry.body {
            Body::Step(step) => match &step.did {
                Did::Begin { argv, .. } => Some(format!("        $ {}", argv.join(" "))),
                Did::Fail { why, .. } => Some(format!("        failed: {why}")),
                Did::Say {}
                | Did::Confirm { .. }
                | Did::Record { .. }
                | Did::Attend { .. }
                | Did::Leave { .. }
                | Did::Clock { .. }
                | Did::Run { .. }
                | Did::Copy { .. }
                | Did::Seal { .. }
                | Did::Sign { .. }
                | Did::Pause { .. }
                | Did::Resume {}
                | Did::Branch { .. } => Some(self.step(step.step.as_str(), entry)),
            },
            Body::Readback(readback) => Some(self.step(readback.step.as_str(), entry)),
            Body::Skip(skip) => Some(format!(
                "        step '{}' is left out: {}",
                skip.step, skip.reason
            )),
            Body::Exception(sheet) => Some(format!(
                "        exception: expected '{}', happened '{}', decided '{}'",
                sheet.expected, sheet.happened, sheet.decided
            )),
            Body::Abort(abort) => Some(format!(
                "        broken off at step '{}': {}",
                abort.step, abort.reason
            )),
            Body::Recovered(_) => Some("        gone on from where it was interrupted".to_owned()),
            Body::Seal(seal) => Some(format!("        checkpoint {}: {}", seal.checkpoint, seal.reason)),
            Body::Genesis(_)
            | Body::Artefact(_)
            | Body::SecretEvent(_)
            | Body::Cast(_)
            | Body::Anchor(_)
            | Body::End(_) => None,
        }
    }

    fn step(&self, id: &str, entry: &Entry) -> String {
        let of = self.steps.len();
        let at = self.steps.iter().position(|(known, _)| known == id);
        let kind = at.and_then(|at| self.steps.get(at)).map_or("", |(_, kind)| kind);
        // The steps of the safe state have no number here.
        let number = at.map_or_else(String::new, |at| format!("{}/{of}", at + 1));
        let by: Vec<String> = entry.by.iter().map(ToString::to_string).collect();
        format!("{number:>7} {kind:<8} {id}  ({})", by.join(", "))
    }
}

fn read_script(file: &Path) -> Outcome<Script> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    Script::from_yaml(&text)
        .map_err(|error| Failure::of(Exit::Failed, &error).within(format!("{} is no script", file.display())))
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::of(Exit::Failed, error).within(format!("cannot read {}", file.display()))
}

/// The site whose names are taken, if there is one.
fn user_site(folder: &Path) -> Outcome<Option<SiteFolder>> {
    if folder.join("site.yaml").exists() {
        Ok(Some(SiteFolder::open(folder)?))
    } else {
        Ok(None)
    }
}

/// Runs a verb of this program on the stage's ceremony, and shows what it prints.
fn show(stage: &Stage, arguments: &[&str], output: &mut Output) -> Outcome {
    let line = arguments.join(" ");
    output.say(format!("$ {TOOL} {line}"));
    let failed = |error: std::io::Error| Failure::of(Exit::Failed, &error).within(format!("{TOOL} {line}"));
    let done = stage
        .tool(TOOL)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(failed)?;
    output.result(String::from_utf8_lossy(&done.stdout))?;
    match done.status.code() {
        Some(0) => Ok(()),
        Some(3) => Err(Failure::new(Exit::SaysNo, format!("{TOOL} {line} says no"))),
        Some(_) | None => Err(Failure::new(
            Exit::PartWay,
            format!("{TOOL} {line}: {}", done.status),
        )),
    }
}

fn tell(estimate: &Estimate, output: &mut Output) -> Outcome {
    let minutes = |seconds: u64| format!("{} min", seconds.div_ceil(60));
    let mut rows: Vec<[String; 4]> = Vec::new();
    for act in &estimate.acts {
        let all = minutes(act.people + act.programs);
        rows.push([
            act.title.clone(),
            act.steps.to_string(),
            format!("{} s", act.programs),
            all,
        ]);
    }
    let steps: u32 = estimate.acts.iter().map(|act| act.steps).sum();
    let programs: u64 = estimate.acts.iter().map(|act| act.programs).sum();
    rows.push([
        "together".to_owned(),
        steps.to_string(),
        format!("{programs} s"),
        minutes(estimate.total()),
    ]);
    output.line("How long the real day will take:")?;
    output.result(cli::table(["act", "steps", "programs", "with people"], rows))?;
    output.line(format!(
        "The script says how long {} of the steps take; for {} the figures by kind are our choice, from no source. Programs were timed on \
         tokens in software, and others can be slower.",
        estimate.by_script, estimate.by_kind
    ))
}
