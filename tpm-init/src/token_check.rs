//! What is checked of a PKCS#11 token. Nothing is changed, and no PIN is tried that the token may lock.

use cli::{Failure, Outcome, SiteArguments};
use key_metadata::role::Role;
use key_metadata::{KeySpec, PinSource, SiteFolder, TokenName};
use pkcs11::{LastTry, Module, ModuleInfo, OpenError, PinOwner, PinState, Probe, Token, TokenInfo};
use tpm_init::{Finding, Verdict};

use crate::token::Chosen;

const PIN_ACCEPTED: &str = "user-pin-accepted";

/// The findings about a PKCS#11 token of the site, in the order in which they are made: none follows one without which it cannot be.
///
/// Where the PIN would have to be asked for, and `--pin` does not say so, nothing is tried that takes a login.
pub fn findings(site: &SiteArguments, folder: &SiteFolder, name: &TokenName) -> Outcome<Vec<Finding>> {
    let chosen = Chosen::new(site, folder, Some(name))?;
    let mut findings = Vec::new();
    let module = match chosen.module() {
        Ok(module) => module,
        Err(failure) => return Ok(vec![fail("module-loads", &failure)]),
    };
    findings.push(of_module(&module));
    let token = match Token::open(&module, chosen.uri) {
        Ok(token) => token,
        Err(error) => {
            findings.push(of_absence(error));
            return Ok(findings);
        }
    };
    let info = match token.info() {
        Ok(info) => info,
        Err(error) => {
            findings.push(fail("token-present", &error.into()));
            return Ok(findings);
        }
    };
    findings.extend(of_token(&chosen, &info));
    let needed = needed(folder, name)?;
    let claimed = match token.claimed() {
        Ok(claimed) => claimed,
        Err(error) => {
            findings.push(fail("key-mechanisms", &error.into()));
            return Ok(findings);
        }
    };
    findings.push(of_mechanisms(&claimed, &needed));
    findings.extend(of_use(&chosen, &token, &info, &needed)?);
    Ok(findings)
}

/// Whether the token refused the PIN: then nobody must simply try again.
pub fn pin_refused(findings: &[Finding]) -> bool {
    let refused = |finding: &Finding| finding.check == PIN_ACCEPTED && finding.verdict == Verdict::Fail;
    findings.iter().any(refused)
}

fn of_module(module: &Module) -> Finding {
    let path = module.path().display();
    match module.info() {
        Ok(ModuleInfo {
            manufacturer,
            description,
            version,
            interface,
            ..
        }) => Finding::pass(
            "module-loads",
            format!("{path}: {manufacturer}, {description}, version {version}, PKCS#11 {interface}"),
        ),
        Err(call) => Finding::warn(
            "module-loads",
            format!("{path} loads, and does not tell what it is: {call}"),
            "see whether its package is complete",
        ),
    }
}

fn of_absence(error: OpenError) -> Finding {
    let ambiguous = matches!(error, OpenError::Ambiguous { .. });
    let check = if ambiguous { "token-label" } else { "token-present" };
    fail(check, &error.into())
}

fn of_token(chosen: &Chosen<'_>, info: &TokenInfo) -> [Finding; 5] {
    let TokenInfo {
        label,
        manufacturer,
        model,
        serial,
        firmware,
        ..
    } = info;
    let present = format!("'{label}': {manufacturer}, {model}, serial {serial}, firmware {firmware}");
    let named = match chosen.uri.serial {
        Some(_) => "label and serial number name one token",
        None => "no other token of the module has the label",
    };
    [
        Finding::pass("token-present", present),
        Finding::pass("token-label", named),
        match info.user_pin {
            PinState::NotSet => Finding::fail(
                "user-pin-set",
                "the token has no user PIN",
                "complete its initialisation: keyrite-tpm-init token",
            ),
            PinState::Fine
            | PinState::CountLow
            | PinState::ToBeChanged
            | PinState::FinalTry
            | PinState::Locked => Finding::pass("user-pin-set", "the token has a user PIN"),
        },
        of_pin("user-pin-state", PinOwner::User, info.user_pin),
        of_pin("so-pin-state", PinOwner::SecurityOfficer, info.so_pin),
    ]
}

fn of_pin(check: &str, owner: PinOwner, state: PinState) -> Finding {
    let evidence = format!("{owner} PIN: {state}");
    match state {
        PinState::Fine => Finding::pass(check, evidence),
        PinState::CountLow => Finding::warn(
            check,
            evidence,
            "find out who tried it; a login with the right one clears the count",
        ),
        PinState::ToBeChanged => Finding::warn(check, evidence, "keyrite-tpm-init token change-pin"),
        PinState::FinalTry => Finding::fail(
            check,
            evidence,
            "find out who tried it; be sure of the PIN before it is tried with --last-try",
        ),
        PinState::Locked => Finding::fail(
            check,
            evidence,
            match owner {
                PinOwner::User => "keyrite-tpm-init token unlock",
                PinOwner::SecurityOfficer => {
                    "move to another token while the user PIN is known: a lost one cannot be replaced here"
                }
            },
        ),
        PinState::NotSet => Finding::fail(check, evidence, "keyrite-tpm-init token"),
    }
}

/// The keys that the policies of the zones in that token ask for.
fn needed(folder: &SiteFolder, name: &TokenName) -> Outcome<Vec<KeySpec>> {
    let mut needed = Vec::new();
    for zone in folder.site().zones.values().filter(|zone| zone.token == *name) {
        let policy = folder.policy(&zone.policy)?;
        for key in Role::ALL.into_iter().filter_map(|role| policy.key(role)) {
            // A policy with a size that its algorithm does not have is refused on reading.
            if let Ok(spec) = key.spec()
                && !needed.contains(&spec)
            {
                needed.push(spec);
            }
        }
    }
    Ok(needed)
}

fn of_mechanisms(claimed: &[KeySpec], needed: &[KeySpec]) -> Finding {
    let lacking: Vec<KeySpec> = needed
        .iter()
        .filter(|spec| !claimed.contains(spec))
        .copied()
        .collect();
    let has = format!("it lists the mechanisms of {}", list(claimed));
    if claimed.is_empty() {
        return Finding::fail(
            "key-mechanisms",
            "it lists no mechanism that makes a key for DNSSEC",
            "take another token",
        );
    }
    match lacking.as_slice() {
        [] => Finding::pass("key-mechanisms", has),
        lacking => Finding::fail(
            "key-mechanisms",
            format!(
                "{has}, and not of {}, which policies of its zones ask for",
                list(lacking)
            ),
            "take another token for these zones, or another policy",
        ),
    }
}

/// What takes a login: whether the PIN is the right one, and what the token does.
fn of_use(chosen: &Chosen<'_>, token: &Token, info: &TokenInfo, needed: &[KeySpec]) -> Outcome<Vec<Finding>> {
    let (check, owner) = (PIN_ACCEPTED, PinOwner::User);
    let not_tried = |evidence: &str, remedy: &str| Ok(vec![Finding::unknown(check, evidence, remedy)]);
    match info.user_pin {
        PinState::NotSet | PinState::Locked => return Ok(Vec::new()),
        PinState::FinalTry => {
            return not_tried(
                "not tried: one try is left",
                "keyrite-tpm-init token probe --last-try",
            );
        }
        PinState::Fine | PinState::CountLow | PinState::ToBeChanged => {}
    }
    let source = chosen.pin_source(owner, None)?;
    if source.0 == PinSource::Prompt && chosen.site.pin.is_none() {
        return Ok(vec![Finding::warn(
            check,
            "not tried, nor anything that takes a login: the PIN is asked for",
            "run it with '--pin prompt'",
        )]);
    }
    let pin = match chosen.read_pin(owner, &source) {
        Ok(pin) => pin,
        Err(failure) => return Ok(vec![fail(check, &failure)]),
    };
    if let Err(error) = token.login_with(&pin, LastTry::Keep) {
        return Ok(vec![fail(check, &error.into())]);
    }
    let mut findings = vec![Finding::pass(check, format!("the PIN from {} logs in", source.0))];
    match token.probe() {
        Ok(probe) => findings.extend([of_keys(&probe, needed), of_wrapping(&probe)]),
        Err(error) => findings.push(fail("keys-sign", &error.into())),
    }
    Ok(findings)
}

fn of_keys(probe: &Probe, needed: &[KeySpec]) -> Finding {
    let check = "keys-sign";
    let (good, bad): (Vec<_>, Vec<_>) = probe.keys.iter().partition(|key| key.verdict.works());
    let made = list(&good.iter().map(|key| key.spec).collect::<Vec<_>>());
    let told: Vec<String> = bad
        .iter()
        .map(|key| format!("{}: {}", key.spec, key.verdict))
        .collect();
    let evidence = format!("throwaway keys verify: {made}; {}", told.join("; "));
    let remedy = "make no such keys in it";
    if bad.is_empty() {
        Finding::pass(check, format!("throwaway keys verify: {made}"))
    } else if bad
        .iter()
        .any(|key| key.verdict.lies() || needed.contains(&key.spec))
    {
        Finding::fail(check, evidence, remedy)
    } else {
        Finding::warn(check, evidence, remedy)
    }
}

fn of_wrapping(probe: &Probe) -> Finding {
    let check = "keys-wrap";
    let told = |wanted: &dyn Fn(&pkcs11::WrapProbe) -> bool| {
        let wraps = probe.wraps.iter().filter(|wrap| wanted(wrap));
        let told = wraps.map(|wrap| match wrap.spec {
            Some(spec) => format!("{}, {spec}: {}", wrap.mechanism, wrap.verdict),
            None => format!("{}: {}", wrap.mechanism, wrap.verdict),
        });
        told.collect::<Vec<_>>().join("; ")
    };
    let is_a_lie = |wrap: &pkcs11::WrapProbe| wrap.verdict.lies();
    let is_sound = |wrap: &pkcs11::WrapProbe| wrap.verdict.works() && wrap.mechanism.keeps_integrity();
    if probe.wraps.iter().any(is_a_lie) {
        return Finding::fail(check, told(&is_a_lie), "take nothing that it wraps for a backup");
    }
    if probe.wraps.iter().any(is_sound) {
        return Finding::pass(check, told(&is_sound));
    }
    let remedy = match probe.wraps.iter().any(|wrap| wrap.verdict.works()) {
        true => {
            "what works does not show whether it was changed, and is no backup: plan for the loss of its keys"
        }
        false => "its keys cannot be backed up by wrapping: plan for their loss",
    };
    Finding::warn(check, told(&|_| true), remedy)
}

fn fail(check: &str, failure: &Failure) -> Finding {
    let remedy = failure.next_step().map_or("see the evidence", |step| step);
    Finding::fail(check, failure.in_a_line(), remedy)
}

fn list(specs: &[KeySpec]) -> String {
    let names: Vec<String> = specs.iter().map(ToString::to_string).collect();
    names.join(", ")
}
