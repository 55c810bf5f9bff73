//! `check`: what a TPM is and how it is set up, line by line; changes nothing.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::{Advice, TokenName};
use serde::Serialize;
use tpm::{AttestationKeyState, HierarchyError, PcrAccess, PcrValues, SrkError, Tpm};
use tpm_init::Finding;
use tpm_init::checks::{self, LockoutProbe};
use tpm_init::state::{AuthState, Place, TpmState};
use tpm_init::step::HierarchyName;

use crate::draw::system;
use crate::fitness::{Fitness, capabilities};
use crate::look::{Look, look};
use crate::target::{Auths, Target, TargetArguments};
use crate::token_check;

/// The options of `check`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Inspect this PKCS#11 token of site.yaml instead of a TPM
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tpm", "owner_auth", "endorsement_auth", "lockout_auth"])]
    token: Option<TokenName>,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    version: u32,
    of: &'a str,
    conditions: &'a [&'static str],
    ok: bool,
    findings: &'a [Finding],
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let (of, checked) = match &self.token {
            Some(token) => {
                let folder = site.open()?;
                let mut checked = Checked::of(token_check::findings(site, &folder, token)?);
                if token_check::pin_refused(&checked.findings) {
                    checked.exit = Exit::Credential;
                }
                (format!("token '{token}'"), checked)
            }
            None => {
                let (target, given) = self.target.open(site)?;
                (format!("TPM '{}'", target.name), everything(&target, given)?)
            }
        };
        checked.tell(&of, &self.report, output)
    }
}

/// What was looked at, and what all checks say of it.
pub struct Checked {
    /// What it is, in words; the first is the most pressing.
    pub conditions: Vec<&'static str>,
    /// In the order of the procedure.
    pub findings: Vec<Finding>,
    /// What a TPM was seen to be; `None` in failure mode, and for a token.
    pub state: Option<TpmState>,
    /// How to end when a check says no.
    exit: Exit,
}

impl Checked {
    fn of(findings: Vec<Finding>) -> Self {
        Self {
            conditions: Vec::new(),
            findings,
            state: None,
            exit: Exit::SaysNo,
        }
    }

    /// Shows it; a check that says no is a failure.
    pub fn tell(&self, of: &str, report: &ReportArguments, output: &mut Output) -> Outcome {
        let no: Vec<&str> = self
            .findings
            .iter()
            .filter(|finding| finding.verdict.says_no())
            .map(|finding| finding.check.as_str())
            .collect();
        if report.json {
            output.json(&Document {
                version: 1,
                of,
                conditions: &self.conditions,
                ok: no.is_empty(),
                findings: &self.findings,
            })?;
        } else {
            let conditions = self.conditions.join("; ");
            output.line(if conditions.is_empty() {
                of.to_owned()
            } else {
                format!("{of}: {conditions}")
            })?;
            let rows = self.findings.iter().map(|finding| {
                [
                    finding.check.clone(),
                    finding.verdict.to_string(),
                    finding.evidence.clone(),
                ]
            });
            output.result(table(["CHECK", "VERDICT", "EVIDENCE"], rows))?;
            for finding in &self.findings {
                if let Some(remedy) = &finding.remedy {
                    output.line(format!("{}: {remedy}", finding.check))?;
                }
            }
        }
        if no.is_empty() {
            return Ok(());
        }
        let mut names = no;
        names.dedup();
        Err(Failure::new(
            self.exit,
            format!("{of}: not in order: {}", names.join(", ")),
        ))
    }
}

/// Looks at a TPM of whatever state.
pub fn everything(target: &Target, given: Auths) -> Outcome<Checked> {
    let test = Tpm::self_test(&target.tcti)?;
    if let Some(failure) = test.failure.as_ref().filter(|failure| failure.is_failure_mode()) {
        return Ok(Checked {
            conditions: vec!["in failure mode"],
            ..Checked::of(checks::failed(&failure.to_string()))
        });
    }
    let tpm = Tpm::connect(&target.tcti)?;
    let found = look(target, &tpm, given)?;
    let fitness = Fitness::of(target, &tpm, &found, &test)?;
    let probe = probe(&tpm, &found)?;
    let findings = findings(target, &tpm, &found, &fitness, probe)?;
    Ok(Checked {
        conditions: checks::conditions(&found.state, &found.known, probe),
        findings,
        state: Some(found.state),
        exit: Exit::SaysNo,
    })
}

/// All checks of a TPM that answers: what it is, which was looked at before, and how it is set up.
pub fn findings(
    target: &Target,
    tpm: &Tpm,
    found: &Look,
    fitness: &Fitness,
    probe: LockoutProbe,
) -> Outcome<Vec<Finding>> {
    let Look {
        state,
        known,
        lockout,
        ..
    } = found;
    let identity = known.identity.as_ref();
    // Sessions are salted to what is there; only if that is what is pinned, another TPM would be noticed.
    let pinned = identity.filter(|identity| {
        state.storage_root_key.name() == Some(identity.storage_root_key.to_string().as_str())
    });
    let mut all = fitness.findings.clone();
    all.extend([
        checks::ownership(state, known, &target.places()),
        capabilities(tpm, state)?,
        checks::storage_root_key(&state.storage_root_key, identity),
        checks::bus_protection(salted(tpm), pinned),
        checks::auth_values(state, known),
        checks::dictionary_attack(state, lockout, probe),
        checks::clear(state),
        log_identity(target, tpm, found)?,
        pcr_policy(target, tpm)?,
        checks::evidence(known),
        checks::resume(known),
    ]);
    all.sort_by_key(|finding| checks::NAMES.iter().position(|name| *name == finding.check));
    checks::accept(&mut all, &target.setup.accepted);
    Ok(all)
}

/// Whether a session salted to the storage root key works.
fn salted(tpm: &Tpm) -> Result<(), String> {
    match tpm.srk_name().and_then(|_| tpm.random(16)) {
        Ok(_) => Ok(()),
        Err(SrkError::Absent { .. }) => Err("there is no storage root key to salt a session to".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks the lockout hierarchy for an authorisation that changes nothing, where its auth value is known.
pub fn probe(tpm: &Tpm, found: &Look) -> Outcome<LockoutProbe> {
    let auth = match (found.state.lockout_auth, found.auths.get(&HierarchyName::Lockout)) {
        (AuthState::Empty, _) => None,
        (AuthState::Set, Some(auth)) => Some(auth),
        (AuthState::Set, None) => return Ok(LockoutProbe::NotTried),
    };
    match tpm.check_auth(HierarchyName::Lockout.hierarchy(), auth) {
        Ok(()) => Ok(LockoutProbe::Open),
        Err(HierarchyError::Blocked { recovery, .. }) => Ok(LockoutProbe::Blocked(recovery)),
        Err(error) => Err(error.into()),
    }
}

/// The attestation key signs something new, and the log's anchors are those that were set up.
fn log_identity(target: &Target, tpm: &Tpm, found: &Look) -> Outcome<Finding> {
    let (check, provision) = ("log-identity", "keyrite-tpm-init provision");
    let state = &found.state;
    let missing: Vec<&str> = [
        (&state.attestation_key, "attestation key"),
        (&state.log_index, "log index"),
        (&state.log_counter, "log counter"),
    ]
    .into_iter()
    .filter(|(place, _)| !matches!(place, Place::Ours { .. }))
    .map(|(_, what)| what)
    .collect();
    if !missing.is_empty() {
        let foreign = [&state.attestation_key, &state.log_index, &state.log_counter]
            .into_iter()
            .any(|place| matches!(place, Place::Foreign { .. }));
        let remedy = if foreign {
            "something foreign is in its place: name another in site.yaml, or provision --remove HANDLE"
        } else {
            provision
        };
        return Ok(Finding::fail(
            check,
            format!("there is no {}", missing.join(", no ")),
            remedy,
        ));
    }
    let Some(identity) = &found.known.identity else {
        return Ok(Finding::unknown(
            check,
            "all three are there, and not proved to be this site's",
            provision,
        ));
    };
    let key = &identity.attestation_key;
    if state.attestation_key.name() != Some(&key.name.to_string()) {
        let evidence = format!(
            "the attestation key at {} is not the one that was proved, {}",
            key.handle, key.name
        );
        return Ok(Finding::fail(
            check,
            evidence,
            "find out who changed it; then provision --another-tpm",
        ));
    }
    let AttestationKeyState::Ours(public) = tpm.attestation_key(key.handle)? else {
        return Ok(Finding::fail(check, "the attestation key is gone", provision));
    };
    let nonce = system()?;
    let statement = tpm.attest(key.handle, &*nonce)?;
    if let Err(error) = statement.verify_quote(public.spki(), &*nonce, &PcrValues::new()) {
        return Ok(Finding::fail(
            check,
            error.to_string(),
            "do not trust this TPM's log",
        ));
    }
    let counter = tpm.counter(target.setup.log_counter)?;
    let risen_to = identity.log_counter.risen_to;
    if counter < risen_to {
        let evidence = format!("the counter is at {counter}, and was at {risen_to} before");
        return Ok(Finding::fail(
            check,
            evidence,
            "a counter never goes back: this is another one, or another TPM",
        ));
    }
    let evidence = format!(
        "the attestation key signed a new nonce; proved under {} on {}; the counter is at {counter}",
        identity.endorsement_key.template, key.proved
    );
    Ok(Finding::pass(check, evidence))
}

/// Whether PINs that are sealed depend on how the machine was started; then its present state must be approved.
fn pcr_policy(target: &Target, tpm: &Tpm) -> Outcome<Finding> {
    let check = "pcr-policy";
    let Some(access) = PcrAccess::of_site(&target.folder, &target.name)? else {
        let evidence = "none: sealed PINs are bound to the TPM, not to how the machine was started";
        return Ok(Finding::pass(check, evidence));
    };
    Ok(match tpm.check_approval(&access) {
        Ok(()) => Finding::pass(
            check,
            "the machine's present state is approved: sealed PINs come back",
        ),
        Err(error) => {
            let remedy = error
                .hint()
                .map_or_else(|| "keyrite-tpm-init pcr show".to_owned(), |hint| hint);
            Finding::fail(check, error.to_string(), remedy)
        }
    })
}
