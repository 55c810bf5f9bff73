//! What a site of 10,000 zones with four keys each costs, as ratios to a small one: listing one zone, listing all (time and memory), and
//! generating a key in one zone, on SoftHSM.
//!
//! The token holds the keys that are generated here, and no others: how a token searches among 40,000 keys is another question.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run is a failure")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are what it is for"
)]

mod site;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyrite_tests::{Rig, Stack, TpmState};
use nix::sys::resource::{UsageWho, getrusage};

/// Zones of the large site.
const LARGE: usize = 10_000;
/// Zones of the site that listing all is compared with.
const MEDIUM: usize = 100;
/// Runs of each command in each site, in turn; the best counts.
const RUNS: usize = 5;
/// Tells this executable to run a tool and say at the end of stderr how much memory that took: a process learns it of all its children
/// together, so each run gets a parent of its own.
const WITH_ITS_MEMORY: &str = "--with-its-memory";

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == WITH_ITS_MEMORY) {
        let tool = arguments.next().expect("a tool");
        return with_its_memory(Command::new(tool).args(arguments));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh).expect("the stack");
    let set_up = |words| {
        let status = rig
            .command(tool("keyrite-tpm-init"))
            .args([words])
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("it starts").success(), "{words}");
    };
    set_up("provision");
    set_up("token");
    let text = fs::read_to_string(rig.site().join("site.yaml")).expect("a site");
    let (tokens, _) = text.split_once("zones:\n").expect("zones");
    let [small, medium, large] = [1, MEDIUM, LARGE].map(|zones| {
        let site = folder.path().join(format!("site-{zones}"));
        let start = Instant::now();
        site::write(&site, tokens, zones).expect("a site");
        site::copy_tpms(&rig.site().join("tpm"), &site.join("tpm")).expect("what is known of the TPM");
        println!(
            "a site of {zones} zones, written in {:.1} s",
            start.elapsed().as_secs_f64()
        );
        site
    });
    let zone = site::zone(0).to_string();
    let compare = |words: &[&str], small: &Path| {
        let mut best = [None::<Run>, None];
        for _ in 0..RUNS {
            for (best, site) in best.iter_mut().zip([small, &large]) {
                let run = run(&rig, site, words);
                *best = Some(best.take().map_or(run, |best| best.better(run)));
            }
        }
        best.map(|run| run.expect("a run"))
    };
    println!(
        "{:<28} {:>8} {:>12} {:>12} {:>7}",
        "", "zones", "small", "large", "ratio"
    );
    let one = compare(&["list", "--zone", &zone], &small);
    print("list --zone", 1, &one);
    print(
        "generate --zone",
        1,
        &compare(&["generate", "--zone", &zone, "--role", "zsk"], &small),
    );
    let all = compare(&["list", "--all"], &medium);
    print("list --all", MEDIUM, &all);
    print(
        "list --all --json",
        MEDIUM,
        &compare(&["list", "--all", "--json"], &medium),
    );
    let keys = LARGE * site::KEYS.len();
    assert!(all[1].lines > keys, "{} lines for {keys} keys", all[1].lines);
    let rate = |run: &Run, zones: usize| zones as f64 / run.time.as_secs_f64();
    println!(
        "list --all: {:.0} zones/s of {LARGE}, {:.0} zones/s of {MEDIUM}; in the large site its memory is {:.2} of list --zone's, its first \
         line comes after {:.0} ms of {:.0} ms",
        rate(&all[1], LARGE),
        rate(&all[0], MEDIUM),
        all[1].memory as f64 / one[1].memory as f64,
        all[1].first.as_secs_f64() * 1e3,
        all[1].time.as_secs_f64() * 1e3,
    );
}

fn print(what: &str, zones: usize, runs: &[Run; 2]) {
    let [small, large] = runs;
    let [a, b] = [small, large].map(|run| run.time.as_secs_f64() * 1e3);
    let line = |name: &str, a: f64, b: f64, unit: &str| {
        println!(
            "{:<28} {:>8} {:>12} {:>12} {:>7.2}",
            format!("{what}, {name}"),
            format!("{zones}:{LARGE}"),
            format!("{a:.0} {unit}"),
            format!("{b:.0} {unit}"),
            b / a
        );
    };
    line("time", a, b, "ms");
    line("memory", small.memory as f64, large.memory as f64, "KiB");
}

/// What one run came to.
#[derive(Clone, Copy)]
struct Run {
    time: Duration,
    /// Until the first of the result came.
    first: Duration,
    /// The largest resident set, in KiB.
    memory: u64,
    lines: usize,
}

impl Run {
    fn better(self, other: Self) -> Self {
        Self {
            time: self.time.min(other.time),
            first: self.first.min(other.first),
            memory: self.memory.min(other.memory),
            lines: self.lines.max(other.lines),
        }
    }
}

/// Runs keyctl on a site.
fn run(rig: &Rig, site: &Path, words: &[&str]) -> Run {
    let start = Instant::now();
    let mut child = rig
        .command(std::env::current_exe().expect("this executable"))
        .arg(WITH_ITS_MEMORY)
        .arg(tool("keyrite-keyctl"))
        .args(words)
        .arg("--site")
        .arg(site)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut result = child.stdout.take().expect("a pipe");
    let (mut first, mut lines) = (None, 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = result.read(&mut buffer).expect("a result");
        first.get_or_insert(start.elapsed());
        lines += buffer[..length].iter().filter(|byte| **byte == b'\n').count();
        if length == 0 {
            break;
        }
    }
    let output = child.wait_with_output().expect("it ends");
    let time = start.elapsed();
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{words:?}: {said}");
    let memory = said.lines().last().expect("a last line");
    Run {
        time,
        first: first.expect("a first read"),
        memory: memory.parse().expect("a number"),
        lines,
    }
}

fn with_its_memory(tool: &mut Command) {
    assert!(tool.status().expect("it starts").success());
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what the child used");
    // In KiB on Linux.
    eprintln!("{}", children.max_rss());
}

/// A tool of the suite, built beside this benchmark.
fn tool(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this executable");
    own.ancestors().nth(2).expect("target/release").join(name)
}
