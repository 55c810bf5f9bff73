//! Killing a command at each of its points.

use std::io::{self, Write};
use std::time::Instant;

use key_metadata::KeyState;

use crate::bench::{Bench, ZONE};
use crate::points::{self, Point};

pub type Outcome<T = ()> = Result<T, String>;

/// How a bench is after the command was killed.
const KILLED: &str = "killed";

/// Each costs the command again, and a look at all that there is. Our choice, by the time that it takes.
const USUAL: usize = 12;

/// How many points are taken where not all are.
#[derive(Clone, Copy)]
pub enum Sample {
    /// What [`points::chosen`] takes, or this many of it.
    Usual,
    /// So many of these, spread over them.
    Few(usize),
}

/// A look at what a kill left; it is told what the zone's keys were recorded as.
pub type Look<'a> = &'a dyn Fn(&[KeyState]) -> Outcome;

/// Runs the command from a saved state until each of its points, and looks at what the kill left: in every way where all points are taken,
/// in turns where a sample is.
pub fn each(bench: &Bench, start: &str, command: &[&str], looks: &[Look<'_>]) -> Outcome {
    each_of(bench, start, command, Sample::Usual, looks)
}

/// The same, with another sample where not all points are taken.
pub fn each_of(bench: &Bench, start: &str, command: &[&str], sample: Sample, looks: &[Look<'_>]) -> Outcome {
    let clock = Instant::now();
    bench.load(start);
    let all = points::of(&bench.tool(command), bench.folder());
    let mut points = points::chosen(&all);
    let most = match sample {
        Sample::Usual => USUAL,
        Sample::Few(most) => most,
    };
    points::thin(&mut points, most);
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

pub fn killed_at(bench: &Bench, start: &str, command: &[&str], point: &Point) -> Outcome<bool> {
    bench.load(start);
    let killed = points::killed_at(point, &bench.tool(command), bench.folder());
    bench.clean();
    Ok(killed)
}

pub fn settled(bench: &Bench) -> Outcome {
    expect(bench.keys(ZONE)?.pending().is_empty(), "something is pending")?;
    bench.agrees()
}

/// The states of the zone's keys.
pub fn states(bench: &Bench) -> Outcome<Vec<KeyState>> {
    Ok(bench.keys(ZONE)?.keys().iter().map(|key| key.state).collect())
}

pub fn expect(holds: bool, otherwise: &str) -> Outcome {
    match holds {
        true => Ok(()),
        false => Err(otherwise.to_owned()),
    }
}
