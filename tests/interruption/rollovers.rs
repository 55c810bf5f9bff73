//! `keyrite-rollover`: steps, decisions and observations, killed at every point, whether the kill meets it or the `keyrite-keyctl` that it runs.
//!
//! After each kill the same command, given until there is nothing more for it to do, comes to the end that it comes to without a kill: the same
//! keys, no key twice, nothing pending, records and token agreeing, no unfinished file. At no time is a decision lost that was kept.

use std::fs;
use std::path::Path;

use key_metadata::store::clear_unfinished_in;
use key_metadata::{Intentions, KeptGoal, KeyState, SiteFolder, ZoneName};
use keyrite_tests::Stack;
use serde_json::json;

use crate::bench::{Bench, KEYCTL, ZONE};
use crate::kill::{Outcome, Sample, each_of, expect, settled, states};
use crate::secrets;
use crate::series::Series;

/// Every series, by its stack and name.
pub const ALL: [(Stack, &str, Series); 7] = [
    (Stack::SoftHsm, "rollover step, publishing", publish),
    (Stack::SoftHsm, "rollover step, making a key", roll),
    (Stack::SoftHsm, "rollover step, recording evidence", evidence),
    (Stack::SoftHsm, "rollover plan --keep", keep),
    (Stack::SoftHsm, "rollover undo --keep", undo),
    (Stack::SoftHsm, "rollover observe", observe),
    (Stack::SoftHsm, "rollover secrets", secrets::of_rollovers),
];

const ROLLOVER: &str = "keyrite-rollover";
pub const STEP: [&str; 4] = [ROLLOVER, "step", "--zone", ZONE];
pub const OBSERVE: [&str; 6] = [ROLLOVER, "observe", "--zone", ZONE, "--from", "seen.json"];
pub const KEEP: [&str; 9] = [
    ROLLOVER,
    "plan",
    "--zone",
    ZONE,
    "--roll",
    "zsk",
    "--keep",
    "--reason",
    "a rehearsal",
];
pub const UNDO: [&str; 7] = [ROLLOVER, "undo", "--zone", ZONE, "--keep", "--reason", "no more"];
const SAMPLE: Sample = Sample::Few(5);
const START: &str = "start";
/// More steps than any of these rollovers has.
const MOST_STEPS: usize = 12;
/// The fields of a policy whose waits are to be over at once.
const WAITS: [&str; 8] = [
    "dnskey-ttl",
    "resign",
    "max-ttl",
    "propagation-delay",
    "ds-ttl",
    "registration-delay",
    "publish",
    "retire",
];

/// A zone whose KSK and ZSK are made, under a policy without waits.
pub fn new(stack: Stack, tools: &Path) -> Outcome<Bench> {
    let bench = Bench::new(stack, tools);
    let policy = include_str!("../../policies/small-tld.yaml");
    let quick = policy.lines().map(|line| match line.split_once(':') {
        Some((field, _)) if WAITS.contains(&field.trim()) => format!("{field}: 0s\n"),
        Some(_) | None => format!("{line}\n"),
    });
    fs::create_dir(bench.site().join("policies")).unwrap();
    fs::write(
        bench.site().join("policies/quick.yaml"),
        quick.collect::<String>(),
    )
    .unwrap();
    let site = bench.site().join("site.yaml");
    let text = fs::read_to_string(&site).unwrap();
    let usual = format!("{ZONE}: {{policy: small-tld");
    expect(text.contains(&usual), "the zone has another policy")?;
    fs::write(&site, text.replace(&usual, &format!("{ZONE}: {{policy: quick"))).unwrap();
    bench.run(&[
        KEYCTL, "generate", "--zone", ZONE, "--role", "ksk", "--role", "zsk", "--backup", "none",
    ])?;
    Ok(bench)
}

/// The same, signed, and with the decision to roll the ZSK.
fn rolling(stack: Stack, tools: &Path) -> Outcome<Bench> {
    let bench = new(stack, tools)?;
    bench.run(&STEP)?;
    bench.run(&KEEP)?;
    Ok(bench)
}

/// Takes steps until a person is asked, or nothing is due.
fn steps(bench: &Bench) -> Outcome {
    for _ in 0..MOST_STEPS {
        match bench.said(&STEP) {
            Ok(text) if text.contains("nothing is to be done") => return whole(bench),
            Ok(_) => {}
            // What comes next is not for a tool.
            said if said_no(&said) => return whole(bench),
            Err(error) => return Err(error),
        }
    }
    Err("it comes to no end".to_owned())
}

/// Whether a command ended with 3.
fn said_no(said: &Outcome<String>) -> bool {
    said.as_ref().is_err_and(|error| error.contains("exit status: 3"))
}

/// Records and tokens agree, nothing is pending, and nothing that was not brought to its end lies about.
fn whole(bench: &Bench) -> Outcome {
    settled(bench)?;
    for folder in ["keys", "rollovers", "observations", "policies", "."] {
        let unfinished =
            clear_unfinished_in(&bench.site().join(folder)).map_err(|error| error.to_string())?;
        expect(!unfinished, &format!("an unfinished file was left in {folder}"))?;
    }
    Ok(())
}

fn are(bench: &Bench, expected: &[KeyState]) -> Outcome {
    let states = states(bench)?;
    expect(
        states == expected,
        &format!("the keys are {states:?}, not {expected:?}"),
    )
}

/// Steps that are killed come to the same keys as steps that are not.
fn stepped(bench: &Bench, end: &[KeyState]) -> Outcome {
    bench.save(START);
    steps(bench)?;
    are(bench, end)?;
    let again = |_: &[KeyState]| {
        steps(bench)?;
        are(bench, end)
    };
    each_of(bench, START, &STEP, SAMPLE, &[&again])
}

/// Both keys go into the zone, in one command.
fn publish(stack: Stack, tools: &Path) -> Outcome {
    stepped(&new(stack, tools)?, &[KeyState::Published, KeyState::Active])
}

/// A key is made, and only one, and the whole rollover follows.
fn roll(stack: Stack, tools: &Path) -> Outcome {
    let end = [KeyState::Published, KeyState::Removed, KeyState::Active];
    stepped(&rolling(stack, tools)?, &end)
}

/// What was seen at the parent is entered once, and the KSK takes over.
fn evidence(stack: Stack, tools: &Path) -> Outcome {
    let bench = new(stack, tools)?;
    bench.run(&STEP)?;
    bench.run(&[&STEP[..], &["--confirm"]].concat())?;
    are(&bench, &[KeyState::Ready, KeyState::Active])?;
    see(&bench)?;
    bench.run(&OBSERVE)?;
    stepped(&bench, &[KeyState::Active, KeyState::Active])?;
    let keys = bench.keys(ZONE)?;
    let seen = keys
        .history()
        .iter()
        .filter(|entry| entry.action == key_metadata::Action::Register);
    expect(seen.count() == 1, "the DS was not entered once")
}

/// A decision is kept once, or not yet.
fn keep(stack: Stack, tools: &Path) -> Outcome {
    let bench = new(stack, tools)?;
    bench.run(&STEP)?;
    bench.save(START);
    let before = bench.file();
    let again = |_: &[KeyState]| {
        let goals = decided(&bench)?;
        expect(goals.len() < 2, &format!("there are {goals:?}"))?;
        bench.run(&KEEP)?;
        let goals = decided(&bench)?;
        expect(
            matches!(goals.as_slice(), [KeptGoal::Roll { .. }]),
            &format!("there are {goals:?}"),
        )?;
        expect(bench.file() == before, "a key's record was changed")?;
        whole(&bench)
    };
    each_of(&bench, START, &KEEP, SAMPLE, &[&again])
}

/// The decision to go back takes the place of the one to roll: there is one at any time.
fn undo(stack: Stack, tools: &Path) -> Outcome {
    let bench = rolling(stack, tools)?;
    bench.run(&STEP)?;
    bench.save(START);
    let again = |_: &[KeyState]| {
        let goals = decided(&bench)?;
        expect(goals.len() == 1, &format!("there are {goals:?}"))?;
        bench.run(&UNDO)?;
        let goals = decided(&bench)?;
        expect(goals == [KeptGoal::Abandon], &format!("there are {goals:?}"))?;
        whole(&bench)
    };
    each_of(&bench, START, &UNDO, SAMPLE, &[&again])
}

/// What was seen is recorded once, or not yet.
fn observe(stack: Stack, tools: &Path) -> Outcome {
    let bench = new(stack, tools)?;
    bench.run(&STEP)?;
    see(&bench)?;
    bench.save(START);
    let again = |_: &[KeyState]| {
        // It is not told to have gone well: the keys are where no DS is wanted yet.
        expect(said_no(&bench.said(&OBSERVE)), "it was not observed again")?;
        let (site, zone) = site(&bench)?;
        let seen = site.observations(&zone).map_err(|error| error.to_string())?;
        expect(seen.all().len() == 1, &format!("there are {}", seen.all().len()))?;
        whole(&bench)
    };
    each_of(&bench, START, &OBSERVE, SAMPLE, &[&again])
}

fn site(bench: &Bench) -> Outcome<(SiteFolder, ZoneName)> {
    let site = SiteFolder::open(bench.site()).map_err(|error| error.to_string())?;
    Ok((site, ZONE.parse().unwrap()))
}

fn decided(bench: &Bench) -> Outcome<Vec<KeptGoal>> {
    let (site, zone) = site(bench)?;
    let kept: Intentions = site.intentions(&zone).map_err(|error| error.to_string())?;
    Ok(kept.intentions.iter().map(|intention| intention.goal).collect())
}

/// Writes down that the parent's server has the KSK's DS.
pub fn see(bench: &Bench) -> Outcome {
    let ds = bench.said(&[KEYCTL, "ds", "--zone", ZONE])?;
    let fields: Vec<&str> = ds.lines().next().ok_or("no DS")?.split_whitespace().collect();
    let [_, _, _, _, tag, algorithm, digest_type, digest @ ..] = fields.as_slice() else {
        return Err(format!("'{ds}' is no DS"));
    };
    let number = |text: &str| text.parse::<u16>().map_err(|error| error.to_string());
    let at = key_metadata::Time::from(chrono::Utc::now()).to_string();
    let seen = json!({ "version": 1, "observations": [{
        "zone": ZONE, "complete": true, "findings": [], "recorded": false,
        "observation": {
            "at": at, "began": at, "operator": "a test", "tool": "a test", "source": "dig",
            "parent": { "listed-by": "operator", "answers": [{
                "servers": ["ns1.cr=192.0.2.1:53"],
                "answer": { "ttl": "0s", "ds": [{
                    "key-tag": number(tag)?, "algorithm": number(algorithm)?, "digest-type": number(digest_type)?,
                    "digest": digest.concat().to_lowercase(),
                }]},
            }]},
        },
    }]});
    fs::write(bench.site().join("seen.json"), seen.to_string()).map_err(|error| error.to_string())
}
