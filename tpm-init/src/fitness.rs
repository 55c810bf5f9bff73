//! What a TPM is, whatever is set up in it: whether it is fit to be provisioned.

use cli::{Exit, Failure, Outcome};
use tpm::{SelfTest, Tpm};
use tpm_init::checks::{self, LockoutProbe, Make};
use tpm_init::random_test::FirstBlocks;
use tpm_init::state::{Place, TpmState};
use tpm_init::{Finding, RandomTest};

use crate::check::probe;
use crate::genuine;
use crate::look::Look;
use crate::provision::read_report;
use crate::target::Target;

/// How many bytes of the generator are tested.
const SAMPLE: usize = 64 << 10;

/// What was found of a TPM that provisioning does not change.
pub struct Fitness {
    /// Self-test, what it is, hierarchies, endorsement key, firmware, generator.
    pub findings: Vec<Finding>,
    /// The start of the generator's output, to be compared after a restart.
    pub random: FirstBlocks,
}

impl Fitness {
    /// Looks at it.
    pub fn of(target: &Target, tpm: &Tpm, found: &Look, test: &SelfTest) -> Outcome<Self> {
        let make = if found.info.is_software() {
            Make::Software
        } else {
            Make::Hardware
        };
        let mut findings = vec![
            checks::self_test(test),
            checks::identity(&found.state, make),
            checks::hierarchies(tpm.enabled()?, tpm.platform()?, make),
            genuine::endorsement_key(target, tpm, found)?,
        ];
        findings.extend(genuine::firmware(found)?);
        let mut random = RandomTest::new();
        random.feed(&tpm.throwaway_random(SAMPLE)?);
        let random = random.finish()?;
        findings.push(match read_report(target)? {
            Some(report) => random.finding_after(&report.random),
            None => random.finding(),
        });
        Ok(Self {
            findings,
            random: random.first_blocks,
        })
    }

    /// Refuses one that is not fit, before anything is changed.
    pub fn refuse(&self, target: &Target, tpm: &Tpm, found: &Look) -> Outcome {
        let mut findings = self.findings.clone();
        findings.push(capabilities(tpm, &found.state)?);
        checks::accept(&mut findings, &target.setup.accepted);
        let probe = probe(tpm, found)?;
        if matches!(probe, LockoutProbe::Blocked(_)) {
            findings.push(checks::dictionary_attack(&found.state, &found.lockout, probe));
        }
        findings.retain(|finding| finding.verdict.says_no());
        if findings.is_empty() {
            return Ok(());
        }
        let text = format!("the TPM '{}' is not fit to be provisioned", target.name);
        let failure = findings
            .iter()
            .fold(Failure::new(Exit::SaysNo, text), |failure, finding| {
                failure.because(format!("{}: {}", finding.check, finding.evidence))
            });
        Err(failure.hint(findings.first().and_then(|finding| finding.remedy.clone())))
    }
}

/// What it can do, and room for what is to come.
pub fn capabilities(tpm: &Tpm, state: &TpmState) -> Outcome<Finding> {
    let keys: Vec<String> = tpm.offered_keys()?.iter().map(ToString::to_string).collect();
    let places = [
        &state.storage_root_key,
        &state.attestation_key,
        &state.log_index,
        &state.log_counter,
    ];
    let to_come = places
        .into_iter()
        .filter(|place| **place == Place::Absent)
        .count();
    let to_come = u32::try_from(to_come).map_or(0, |count| count);
    Ok(checks::capabilities(&tpm.lacks()?, &keys, tpm.room()?, to_come))
}
