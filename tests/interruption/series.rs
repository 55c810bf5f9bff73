//! What is killed, and what must come of it.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use key_metadata::KeyState;
use keyrite_tests::Stack;

use crate::bench::{Bench, KEYCTL, ZONE};
use crate::points::{self, Point};

type Outcome<T = ()> = Result<T, String>;

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

const GENERATE: [&str; 7] = ["generate", "--zone", ZONE, "--role", "zsk", "--backup", "none"];
/// How a bench is before the command that is killed, and after.
const START: &str = "start";
const KILLED: &str = "killed";
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
    let points = points::of(&bench.tool(KEYCTL, &GENERATE), bench.folder());
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
        each(&bench, INTERRUPTED, &["reconcile"], &[&mended])?;
    }
    bench.load(START);
    let destroy = with_key(&bench)?;
    let destroy: Vec<&str> = destroy.iter().map(String::as_str).collect();
    bench.save(START);
    let points = points::of(&bench.tool(KEYCTL, &destroy), bench.folder());
    let (begun, recorded) = writes(&points)?;
    let mended = |_: &[KeyState]| {
        mend(&bench)?;
        are(&bench, &[KeyState::Destroyed])
    };
    for at in sample(&[begun + 1, recorded]) {
        killed_at(&bench, START, &destroy, &points[at])?;
        bench.save(INTERRUPTED);
        each(&bench, INTERRUPTED, &["reconcile"], &[&mended])?;
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
    let command = ["destroy", "--zone", ZONE, "--key", &tag, "--confirm", &tag];
    Ok(command.map(str::to_owned).to_vec())
}

/// A look at what a kill left; it is told what the zone's keys were recorded as.
type Look<'a> = &'a dyn Fn(&[KeyState]) -> Outcome;

/// Runs the command from a saved state until each of its points, and looks at what the kill left: in every way where all points are taken,
/// in turns where a sample is.
fn each(bench: &Bench, start: &str, command: &[&str], looks: &[Look<'_>]) -> Outcome {
    let clock = Instant::now();
    bench.load(start);
    let all = points::of(&bench.tool(KEYCTL, command), bench.folder());
    let points = points::chosen(&all);
    let (mut killed, mut failures) = (0, Vec::new());
    for (number, point) in points.iter().enumerate() {
        // Threads of D-Bus do not make as many calls in each run, so that one may come to its end before.
        if !killed_at(bench, start, command, point)? {
            continue;
        }
        killed += 1;
        bench.save(KILLED);
        let looks: Vec<_> = match points::take_all() {
            true => looks.iter().collect(),
            false => looks.iter().skip(number % looks.len()).take(1).collect(),
        };
        for (number, look) in looks.into_iter().enumerate() {
            if number > 0 {
                bench.load(KILLED);
            }
            if let Err(problem) = states(bench).and_then(|recorded| look(&recorded)) {
                failures.push(format!("killed before {point}\n{problem}"));
            }
        }
    }
    let (stack, name, seconds) = (bench.stack, command.join(" "), clock.elapsed().as_secs());
    let (points, all) = (points.len(), all.len());
    let report =
        format!("{stack}: {name}: killed {killed} times, at {points} of {all} points, in {seconds} s");
    let _ = writeln!(io::stderr(), "{report}");
    if killed * 10 < points * 9 {
        failures.push(format!("only {killed} of {points} runs were killed"));
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n\n")),
    }
}

fn killed_at(bench: &Bench, start: &str, command: &[&str], point: &Point) -> Outcome<bool> {
    bench.load(start);
    let killed = points::killed_at(point, &bench.tool(KEYCTL, command), bench.folder());
    bench.clean();
    Ok(killed)
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
    bench.run(&["reconcile"])?;
    settled(bench)?;
    let before = bench.file();
    bench.run(&["reconcile"])?;
    expect(bench.file() == before, "a second reconcile changed something")
}

fn settled(bench: &Bench) -> Outcome {
    expect(bench.keys(ZONE)?.pending().is_empty(), "something is pending")?;
    bench.agrees()
}

/// The states of the zone's keys.
fn states(bench: &Bench) -> Outcome<Vec<KeyState>> {
    Ok(bench.keys(ZONE)?.keys().iter().map(|key| key.state).collect())
}

fn are(bench: &Bench, expected: &[KeyState]) -> Outcome {
    let states = states(bench)?;
    expect(
        states == expected,
        &format!("the keys are {states:?}, not {expected:?}"),
    )
}

fn expect(holds: bool, otherwise: &str) -> Outcome {
    match holds {
        true => Ok(()),
        false => Err(otherwise.to_owned()),
    }
}
