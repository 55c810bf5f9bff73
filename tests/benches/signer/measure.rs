//! Programs run in turn, and what they took.

use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// Tells this executable to run a program and say at the end of stderr what that took: a process learns it of all its children together,
/// so each run gets a parent of its own.
pub const MEASURED: &str = "--measured";

/// What one run took.
#[derive(Clone, Debug)]
pub struct Run {
    /// From start to end, in seconds.
    pub wall: f64,
    /// Of all its threads, in seconds.
    pub cpu: f64,
    /// The largest resident set, in MiB.
    pub memory: f64,
    /// What it printed.
    pub printed: String,
}

/// Runs a program for the process that measures it.
pub fn as_parent(mut program: impl Iterator<Item = std::ffi::OsString>) {
    let mut command = Command::new(program.next().expect("a program"));
    let start = Instant::now();
    let status = command.args(program).status().expect("it starts");
    let wall = start.elapsed().as_secs_f64();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what the child used");
    let seconds =
        [used.user_time(), used.system_time()].map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6);
    // The resident set is in KiB on Linux.
    let memory = used.max_rss() as f64 / 1024.0;
    eprintln!("\n{wall} {} {memory}", seconds[0] + seconds[1]);
    std::process::exit(status.code().map_or(1, |code| code));
}

/// Runs a command, which must succeed.
pub fn run(command: &Command) -> Run {
    let mut parent = Command::new(std::env::current_exe().expect("this executable"));
    parent
        .arg(MEASURED)
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        parent.current_dir(folder);
    }
    let output = parent
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    let figures: Vec<f64> = said
        .lines()
        .last()
        .expect("a last line")
        .split(' ')
        .map(|figure| figure.parse().expect("a number"))
        .collect();
    Run {
        wall: figures[0],
        cpu: figures[1],
        memory: figures[2],
        printed: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// What several runs of one program took, in the order of the rounds.
pub struct Runs(pub Vec<Run>);

/// Runs programs in turn, so many rounds, and one before that does not count. `before` is done ahead of each run of the program of that number.
pub fn in_turn(rounds: usize, commands: &[&Command], before: &dyn Fn(usize)) -> Vec<Runs> {
    let mut all: Vec<Runs> = commands.iter().map(|_| Runs(Vec::new())).collect();
    for round in 0..=rounds {
        for (number, command) in commands.iter().enumerate() {
            before(number);
            let run = run(command);
            // Where there is but one round, it is long enough.
            if round > 0 || rounds == 1 {
                all[number].0.push(run);
            }
        }
        if rounds == 1 {
            break;
        }
    }
    all
}

impl Runs {
    pub fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(self.0.iter().map(figure).collect())
    }

    /// The median of the ratios to the runs of another program, each to the one of its round.
    pub fn to(&self, other: &Self, figure: impl Fn(&Run) -> f64) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        median(pairs.map(|(one, other)| figure(one) / figure(other)).collect())
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
