//! What is killed of `keyrite-keyctl`, and what must come of it.

use std::path::Path;

use key_metadata::KeyState;
use keyrite_tests::Stack;

use crate::bench::{Bench, KEYCTL, ZONE};
use crate::kill::{Outcome, each, expect, killed_at, settled, states};
use crate::points::{self, Point};

/// A series, which is run on each stack.
pub type Series = fn(Stack, &Path) -> Outcome;

/// Every series, by name.
pub const ALL: [(&str, Series); 5] = [
    ("generate", generate),
    ("generate --activate", activate),
    ("destroy", destroy),
    ("reconcile", reconcile),
    ("full disk", full_disk),
];

const GENERATE: [&str; 8] = [
    KEYCTL, "generate", "--zone", ZONE, "--role", "zsk", "--backup", "none",
];
const RECONCILE: [&str; 2] = [KEYCTL, "reconcile"];
/// How a bench is before the command that is killed, and after.
const START: &str = "start";
const INTERRUPTED: &str = "interrupted";

/// `reconcile` leaves one key or none; the same command again makes one, or counts the one that it finds.
fn generate(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::new(stack, tools);
    bench.save(START);
    let reconciled = |recorded: &[KeyState]| {
        mend(&bench)?;
        let keys = states(&bench)?;
        let right = keys == [KeyState::Generated] || (keys.is_empty() && recorded.is_empty());
        expect(right, &format!("the keys are {keys:?}, and were {recorded:?}"))
    };
    let again = |recorded: &[KeyState]| {
        bench.run(&GENERATE)?;
        are(&bench, &[recorded, &[KeyState::Generated]].concat())?;
        settled(&bench)
    };
    each(&bench, START, &GENERATE, &[&reconciled, &again])
}

/// The same command again, with or without `reconcile` in between, leaves one key, which is active.
fn activate(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::new(stack, tools);
    bench.save(START);
    let activate = [&GENERATE[..], &["--activate"]].concat();
    let again = |_: &[KeyState]| {
        bench.run(&activate)?;
        are(&bench, &[KeyState::Active])?;
        settled(&bench)
    };
    let reconciled = |recorded: &[KeyState]| {
        mend(&bench)?;
        again(recorded)
    };
    each(&bench, START, &activate, &[&again, &reconciled])
}

/// `reconcile` leaves the key destroyed, or whole where the destruction was not begun; the same command again leaves it destroyed.
fn destroy(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::new(stack, tools);
    let destroy = with_key(&bench)?;
    let destroy: Vec<&str> = destroy.iter().map(String::as_str).collect();
    bench.save(START);
    let reconciled = |recorded: &[KeyState]| {
        let begun = !bench.keys(ZONE)?.pending().is_empty();
        mend(&bench)?;
        match begun {
            true => are(&bench, &[KeyState::Destroyed]),
            false => are(&bench, recorded),
        }
    };
    let again = |recorded: &[KeyState]| {
        if recorded == [KeyState::Generated] {
            bench.run(&destroy)?;
        }
        are(&bench, &[KeyState::Destroyed])?;
        settled(&bench)
    };
    each(&bench, START, &destroy, &[&reconciled, &again])
}

/// A `reconcile` that is killed is completed by the next: of a key that is adopted, of one that was not whole, and of one that is destroyed.
fn reconcile(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::new(stack, tools);
    bench.save(START);
    let points = points::of(&bench.tool(&GENERATE), bench.folder());
    let (begun, recorded) = writes(&points)?;
    let (half, whole) = (begun.midpoint(recorded), recorded);
    for at in sample(&[half, whole]) {
        killed_at(&bench, START, &GENERATE, &points[at])?;
        bench.save(INTERRUPTED);
        mend(&bench)?;
        let end = states(&bench)?;
        expect(
            at != whole || end == [KeyState::Generated],
            "the whole key was not adopted",
        )?;
        let mended = |_: &[KeyState]| {
            mend(&bench)?;
            are(&bench, &end)
        };
        each(&bench, INTERRUPTED, &RECONCILE, &[&mended])?;
    }
    bench.load(START);
    let destroy = with_key(&bench)?;
    let destroy: Vec<&str> = destroy.iter().map(String::as_str).collect();
    bench.save(START);
    let points = points::of(&bench.tool(&destroy), bench.folder());
    let (begun, recorded) = writes(&points)?;
    let mended = |_: &[KeyState]| {
        mend(&bench)?;
        are(&bench, &[KeyState::Destroyed])
    };
    for at in sample(&[begun + 1, recorded]) {
        killed_at(&bench, START, &destroy, &points[at])?;
        bench.save(INTERRUPTED);
        each(&bench, INTERRUPTED, &RECONCILE, &[&mended])?;
    }
    Ok(())
}

/// All, or the first.
fn sample(points: &[usize]) -> Vec<usize> {
    let count = if points::take_all() { points.len() } else { 1 };
    points.iter().take(count).copied().collect()
}

/// With less and less room for each file, down to none: what fails changes nothing or is mended, and nothing is lost.
fn full_disk(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::new(stack, tools);
    bench.save(START);
    // SoftHSM's C_Login that cannot write token.object leaves no token (see above); with one block it can.
    let least = u32::from(stack == Stack::SoftHsm);
    let mut failed = 0;
    for blocks in least.. {
        bench.load(START);
        let generated = bench.run_with_room(blocks, &GENERATE);
        bench.clean();
        if generated.is_ok() {
            are(&bench, &[KeyState::Generated])?;
            break;
        }
        failed += 1;
        let in_context = |problem| format!("{blocks} blocks for each file: {problem}");
        mend(&bench).map_err(in_context)?;
        let keys = states(&bench)?.len();
        expect(keys < 2, &format!("{blocks} blocks for each file: {keys} keys"))?;
    }
    settled(&bench)?;
    expect(failed > 0, "every file had room")?;
    bench.load(START);
    let destroy = with_key(&bench)?;
    let destroy: Vec<&str> = destroy.iter().map(String::as_str).collect();
    bench.save(START);
    for blocks in least.. {
        bench.load(START);
        let destroyed = bench.run_with_room(blocks, &destroy);
        bench.clean();
        if destroyed.is_ok() {
            break;
        }
        mend(&bench).map_err(|problem| format!("{blocks} blocks for each file: {problem}"))?;
        expect(states(&bench)?.len() == 1, "the record is gone")?;
    }
    are(&bench, &[KeyState::Destroyed])?;
    settled(&bench)
}

/// Makes the key, and gives the command that destroys it.
fn with_key(bench: &Bench) -> Outcome<Vec<String>> {
    bench.run(&GENERATE)?;
    let keys = bench.keys(ZONE)?;
    let tag = keys
        .keys()
        .first()
        .ok_or("no key was made")?
        .key_tag()
        .to_string();
    let command = [
        KEYCTL,
        "destroy",
        "--zone",
        ZONE,
        "--key",
        &tag,
        "--confirm",
        &tag,
    ];
    Ok(command.map(str::to_owned).to_vec())
}

/// The places of the writes of the zone's file: of what is begun, and of what came of it.
fn writes(points: &[Point]) -> Outcome<(usize, usize)> {
    let file = format!("{ZONE}.yaml");
    let renamed =
        |(_, point): &(usize, &Point)| point.call.starts_with("rename") && point.text.contains(&file);
    let places: Vec<usize> = points
        .iter()
        .enumerate()
        .filter(renamed)
        .map(|(place, _)| place)
        .collect();
    match places.as_slice() {
        [begun, recorded] => Ok((*begun, *recorded)),
        other => Err(format!(
            "the zone's file is written {} times, not twice",
            other.len()
        )),
    }
}

/// `reconcile` succeeds, the metadata and the token agree, and a second one changes nothing.
fn mend(bench: &Bench) -> Outcome {
    bench.run(&RECONCILE)?;
    settled(bench)?;
    let before = bench.file();
    bench.run(&RECONCILE)?;
    expect(bench.file() == before, "a second reconcile changed something")
}

fn are(bench: &Bench, expected: &[KeyState]) -> Outcome {
    let states = states(bench)?;
    expect(
        states == expected,
        &format!("the keys are {states:?}, not {expected:?}"),
    )
}
