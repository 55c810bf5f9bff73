//! `provision` and `plan`: from what a TPM is to what it shall be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, now};
use key_metadata::AuthDelivery;
use key_metadata::store::{read_if_there, replace};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tpm::{Info, Tpm};
use tpm_init::page::page;
use tpm_init::plan::Plan;
use tpm_init::planner::{Start, Wishes, steps};
use tpm_init::report::Report;
use tpm_init::state::TpmState;
use tpm_init::step::{Delivery, HierarchyName, Step};

use crate::check::{findings, probe};
use crate::custodians;
use crate::execute::Execution;
use crate::fitness::Fitness;
use crate::look::{Look, look, obstructed};
use crate::target::{Auths, Target, TargetArguments};

/// What of others may go.
#[derive(Args)]
pub struct WishArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Remove something foreign: its handle or NV index; its Name is shown, and has to be typed
    #[arg(long, value_name = "HANDLE")]
    remove: Vec<String>,
    /// Clear the TPM first (TPM2_Clear); what that destroys is shown, and has to be confirmed
    #[arg(long, conflicts_with_all = ["another_tpm", "remove"])]
    clear: bool,
    /// Set up this TPM though the site was set up with another one; that one's files are put aside
    #[arg(long)]
    another_tpm: bool,
}

/// The options of `plan`.
#[derive(Args)]
pub struct PlanArguments {
    #[command(flatten)]
    wishes: WishArguments,
    /// Write the plan to this file too, to be reviewed and then followed: provision --plan FILE
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArguments,
}

/// The options of `provision`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    wishes: WishArguments,
    /// Follow the plan in this file, and refuse if the TPM does not match it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["remove", "clear", "another_tpm"])]
    plan: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Done<'a> {
    version: u32,
    tpm: String,
    done: bool,
    steps: &'a [Step],
}

impl PlanArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let (target, given) = self.wishes.target.open(site)?;
        let tpm = Tpm::connect(&target.tcti)?;
        let found = look(&target, &tpm, given)?;
        let steps = self.wishes.steps(&target, &found, None)?;
        let plan = plan_of(&target, &found, &steps);
        if let Some(path) = &self.out {
            write_json(path, &plan)?;
        }
        if self.report.json {
            return output.json(&plan);
        }
        output.line(who(&target, &found.info))?;
        tell(&steps, output)?;
        if let Some(path) = &self.out {
            output.say(format!("the plan is in {}: provision --plan {0}", path.display()));
        }
        Ok(())
    }
}

impl WishArguments {
    fn start(&self) -> Start {
        if self.clear {
            Start::Cleared
        } else if self.another_tpm {
            Start::AnotherTpm
        } else {
            Start::AsItIs
        }
    }

    /// The steps from what was found, or the failure that its obstacles are.
    fn steps(&self, target: &Target, found: &Look, followed: Option<&Plan>) -> Outcome<Vec<Step>> {
        let custodians = target.custodians();
        custodians::check(&custodians)?;
        let (remove, start) = match followed {
            None => (
                self.remove.iter().map(|place| place.to_lowercase()).collect(),
                self.start(),
            ),
            Some(plan) => wishes_of(plan, &found.state),
        };
        let wishes = Wishes {
            setup: target.setup.clone(),
            custodians,
            remove,
            start,
            sealed_pins: target.folder.site().sealed_pins().collect(),
        };
        steps(&found.state, &found.known, &wishes)
            .map_err(|obstacles| obstructed(&target.name.to_string(), &obstacles))
    }
}

/// What the maker of a plan wished for; what is done of it already is not wished for again.
fn wishes_of(plan: &Plan, now: &TpmState) -> (BTreeSet<String>, Start) {
    let removed = plan.steps.iter().filter_map(|step| {
        if let Step::Remove(kept) = step {
            Some(kept.handle.clone())
        } else {
            None
        }
    });
    let has = |wanted: fn(&Step) -> bool| plan.steps.iter().any(wanted);
    let start = if has(|step| matches!(step, Step::Clear { .. })) && *now == plan.before {
        Start::Cleared
    } else if has(|step| matches!(step, Step::SetAside { .. })) {
        Start::AnotherTpm
    } else {
        Start::AsItIs
    };
    (removed.collect(), start)
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let (target, given) = self.wishes.target.open(site)?;
        let followed = self.plan.as_deref().map(read_plan).transpose()?;
        if let Some(plan) = &followed
            && plan.tpm != target.name.to_string()
        {
            let text = format!(
                "the plan is for the TPM '{}', not for '{}'",
                plan.tpm, target.name
            );
            return Err(Failure::new(Exit::Usage, text));
        }
        let lock = target.folder.lock_tpm(&target.name)?;
        let test = Tpm::self_test(&target.tcti)?;
        let tpm = Tpm::connect(&target.tcti)?;
        let found = look(&target, &tpm, given)?;
        let left = self.wishes.steps(&target, &found, followed.as_ref())?;
        if let Some(plan) = &followed {
            plan.check(&found.state, &left)?;
        }
        if !self.report.json {
            output.line(who(&target, &found.info))?;
        }
        if left.is_empty() && !self.dry_run {
            // A run that was killed between its report and its end.
            remove_if_there(&target.path("plan.json"))?;
        }
        if self.dry_run || left.is_empty() {
            return if self.report.json {
                self.json(&target, &left, output)
            } else {
                tell(&left, output)
            };
        }
        let fitness = Fitness::of(&target, &tpm, &found, &test)?;
        fitness.refuse(&target, &tpm, &found)?;
        for (question, word) in left.iter().filter_map(Step::consent) {
            cli::confirm(&question, &word)?;
        }
        let interrupted = found.known.interrupted;
        let journal = self.journal(&target, &found, followed, &left)?;
        let mut execution = Execution {
            tpm: &tpm,
            target: &target,
            lock: &lock,
            auths: found.auths,
        };
        let progress = Progress::new("provisioning", left.len() as u64);
        for (number, step) in left.iter().enumerate() {
            let done = match step {
                Step::Report => report(&target, &tpm, site, &journal, &fitness),
                other => execution.run(other),
            };
            if let Err(failure) = done {
                let failure = failure.within(format!("step {} failed: {step}", number + 1));
                if number > 0 {
                    return Err(failure.part_way());
                }
                // Nothing has changed, so nothing is left to be completed.
                if failure.exit() == Exit::Failed && !interrupted {
                    remove_if_there(&target.path("plan.json"))?;
                }
                return Err(failure);
            }
            progress.step();
            if !self.report.json {
                progress.without(|| output.line(format!("done: {step}")))?;
            }
        }
        drop(progress);
        remove_if_there(&target.path("plan.json"))?;
        if self.report.json {
            return self.json(&target, &left, output);
        }
        output.line(format!("the report: {}", target.path("report.html").display()))
    }

    fn json(&self, target: &Target, steps: &[Step], output: &mut Output) -> Outcome {
        output.json(&Done {
            version: 1,
            tpm: target.name.to_string(),
            done: !self.dry_run,
            steps,
        })
    }

    /// The plan that this run or an interrupted one before it follows, on the disk before anything changes: it says what the TPM was.
    fn journal(&self, target: &Target, found: &Look, followed: Option<Plan>, left: &[Step]) -> Outcome<Plan> {
        let path = target.path("plan.json");
        let mut plan = match (read_if_there(&path)?, followed) {
            (Some(_), None) => read_plan(&path)?,
            (_, Some(plan)) => plan,
            (None, None) => plan_of(target, found, left),
        };
        // A run that completes another one may have more to do: somebody changed the TPM or the site between them.
        plan.steps.extend(
            left.iter()
                .filter(|step| !plan.steps.contains(step))
                .cloned()
                .collect::<Vec<_>>(),
        );
        write_json(&path, &plan)?;
        Ok(plan)
    }
}

fn plan_of(target: &Target, found: &Look, steps: &[Step]) -> Plan {
    Plan {
        version: 1,
        tpm: target.name.to_string(),
        made: now(),
        before: found.state.clone(),
        steps: steps.to_vec(),
    }
}

/// Which TPM it is, in a line.
fn who(target: &Target, info: &Info) -> String {
    let kind = if info.is_software() {
        ", in software: it keeps no key from this host"
    } else {
        ""
    };
    format!(
        "TPM '{}': {} {}, firmware {}{kind}",
        target.name, info.manufacturer, info.vendor, info.firmware
    )
}

/// Tells people what would be done.
fn tell(steps: &[Step], output: &mut Output) -> Outcome {
    if steps.is_empty() {
        return output.line("it is provisioned; nothing to do");
    }
    steps
        .iter()
        .try_for_each(|step| output.line(format!("would {step}")))
}

/// Looks at everything again, and writes the report and its page.
fn report(target: &Target, tpm: &Tpm, site: &SiteArguments, journal: &Plan, fitness: &Fitness) -> Outcome {
    let mut found = look(target, tpm, Auths::new())?;
    // With this step it is reported, and nothing is left to be done.
    (found.known.reported, found.known.interrupted) = (true, false);
    let setup = &target.setup;
    let auths = [
        (HierarchyName::Owner, setup.owner_auth),
        (HierarchyName::Endorsement, setup.endorsement_auth),
        (HierarchyName::Lockout, setup.lockout_auth),
    ]
    .into_iter()
    .map(|(hierarchy, delivery)| match delivery {
        AuthDelivery::Custodians => (hierarchy, Delivery::Custodians(target.custodians())),
        AuthDelivery::Sealed(handle) => (hierarchy, Delivery::Sealed(handle)),
    });
    let findings = findings(target, tpm, &found, fitness, probe(tpm, &found)?)?;
    let report = Report {
        version: 1,
        tpm: target.name.to_string(),
        written: now(),
        operator: cli::operator(site.operator.as_deref()),
        tool: format!("keyrite-tpm-init {}", env!("CARGO_PKG_VERSION")),
        before: journal.before.clone(),
        steps: journal.steps.clone(),
        after: found.state,
        auths: auths.collect(),
        findings,
        files: digests(target)?,
        random: fitness.random.clone(),
    };
    let html = page(&report);
    replace(&target.path("report.html"), |out| out.write_all(html.as_bytes()))?;
    write_json(&target.path("report.json"), &report)
}

/// SHA-256 of the files about a TPM that it cannot be managed without.
pub fn digests(target: &Target) -> Outcome<BTreeMap<String, String>> {
    let auths = HierarchyName::ALL.map(|hierarchy| format!("{hierarchy}-auth.age"));
    let mut digests = BTreeMap::new();
    for file in ["identity.yaml".to_owned()].into_iter().chain(auths) {
        if let Some(text) = read_if_there(&target.path(&file))? {
            digests.insert(file, hex::encode(Sha256::digest(text)));
        }
    }
    Ok(digests)
}

/// The report of an earlier provisioning.
pub fn read_report(target: &Target) -> Outcome<Option<Report>> {
    let path = target.path("report.json");
    let Some(text) = read_if_there(&path)? else {
        return Ok(None);
    };
    read_json(&path, &text, "a report").map(Some)
}

/// Reads a plan.
fn read_plan(path: &Path) -> Outcome<Plan> {
    let Some(text) = read_if_there(path)? else {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no plan {}", path.display()),
        ));
    };
    let plan: Plan = read_json(path, &text, "a plan")?;
    if plan.version != 1 {
        let text = format!(
            "{} has version {}; this program knows version 1",
            path.display(),
            plan.version
        );
        return Err(Failure::new(Exit::Failed, text));
    }
    Ok(plan)
}

/// Reads JSON of ours; the error says where it is wrong.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path, text: &str, what: &str) -> Outcome<T> {
    serde_json::from_str(text).map_err(|error| {
        Failure::of(Exit::Failed, &error).within(format!("{} is not {what}", path.display()))
    })
}

fn write_json(path: &Path, value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Failure::of(Exit::Failed, &error).within(format!("cannot write {}", path.display()))
    })?;
    Ok(replace(path, |out| {
        out.write_all(format!("{text}\n").as_bytes())
    })?)
}

fn remove_if_there(path: &Path) -> Outcome {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::of(Exit::PartWay, &error).within(format!("cannot remove {}", path.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
