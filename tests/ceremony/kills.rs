//! A run that is killed (SIGKILL) at every write, fsync and TPM call, and gone on with.
//!
//! A run is traced once (strace), which gives its *points*: the system calls that change a file or speak to the TPM. For each of them a new
//! ceremony is held from its beginning and killed as it enters that call, then run again to its end. What a tool of a step does when it dies is
//! its own kill test's; the signing program writes nothing.
//!
//! With `KILLS=all` that is every point. Otherwise a sample: of points in a row that do the same to the same object the first and the
//! last, and of those every third, another third in each of the series.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::place::{PEOPLE, Place};

/// The trials.
pub const TRIALS: [(&str, fn()); 6] = [
    ("killed at every point, and gone on with", every_point),
    (
        "killed while it goes on, and gone on with",
        every_point_of_recovery,
    ),
    ("a line that was torn, and gone on with", torn),
    ("a full disk, and gone on with", full_disk),
    ("a ceremony that names the one before", chained),
    ("a log that the TPM has left behind", left_behind),
];

const SCRIPT: &str = include_str!("../fixtures/kill-ceremony.yaml");

/// The calls that change anything outside of the program, or speak to the TPM.
const CALLS: &str = "?connect,?fallocate,?fchmod,?fdatasync,?fsync,?ftruncate,?linkat,?mkdir,?openat,?pwrite64,?rename,?renameat,?renameat2,\
                     ?sendmsg,?sendto,?unlink,?unlinkat,?write,?writev";

/// One call of the program.
#[derive(Clone, Debug)]
struct Point {
    call: String,
    nth: usize,
    text: String,
}

/// A place and the number of ceremonies that were held there.
struct Series {
    place: Place,
    held: usize,
}

impl Series {
    fn new() -> Self {
        let place = Place::new("");
        // What a rehearsal's process is told: no answers of its own, no fault.
        fs::write(
            place.site().join("../part.json"),
            r#"{"answers": {}, "losses": {}, "fault": null, "entrance": "resumed"}"#,
        )
        .unwrap();
        Self { place, held: 0 }
    }

    /// A ceremony that was not begun.
    fn next(&mut self) -> String {
        self.held += 1;
        let id = format!("killed-{}", self.held);
        fs::write(self.script(&id), SCRIPT.replace("/ID", &format!("/{id}"))).unwrap();
        id
    }

    fn script(&self, id: &str) -> std::path::PathBuf {
        self.place.site().join(format!("{id}.yaml"))
    }

    fn run(&self, id: &str) -> Command {
        let mut command = self.place.tool("keyrite-ceremony");
        command.args([
            "run",
            &format!("{id}.yaml"),
            "--rehearsal-answers",
            "../part.json",
        ]);
        for (seat, _, _) in PEOPLE {
            command.arg(format!("--signing-key={seat}={}", self.place.key(seat).display()));
        }
        command
    }

    /// The points of a run that goes to its end.
    fn points(&self, id: &str) -> Vec<Point> {
        let status = self.traced(&self.run(id), &self.strace_log(), CALLS, None);
        let said = fs::read_to_string(self.strace_log()).unwrap();
        assert!(
            status.success(),
            "{status}: {}",
            said.lines().rev().take(5).collect::<Vec<_>>().join("\n")
        );
        points(&said, self.place.site().parent().unwrap().to_str().unwrap())
    }

    /// Kills a run at a point; whether it came so far.
    fn kill(&self, id: &str, point: &Point) -> bool {
        let status = self.inject(id, point, "signal=SIGKILL");
        let killed = fs::read_to_string(self.strace_log())
            .unwrap()
            .contains("+++ killed by SIGKILL +++");
        assert!(killed || status.success(), "{point:?}: {status}");
        self.place.flush();
        killed
    }

    /// Runs, and has something else than the call happen at a point.
    fn inject(&self, id: &str, point: &Point, what: &str) -> ExitStatus {
        let inject = format!("inject={}:{what}:when={}", point.call, point.nth);
        self.traced(&self.run(id), &self.strace_log(), &point.call, Some(&inject))
    }

    fn strace_log(&self) -> std::path::PathBuf {
        self.place.site().join("../strace.log")
    }

    fn log(&self, id: &str) -> String {
        fs::read_to_string(self.place.ceremony(id).join("log.jsonl")).unwrap_or_default()
    }

    fn traced(&self, command: &Command, log: &Path, calls: &str, inject: Option<&str>) -> ExitStatus {
        self.traced_at(command, log, calls, inject, None)
    }

    /// The same, of calls on that file only.
    fn traced_at(
        &self,
        command: &Command,
        log: &Path,
        calls: &str,
        inject: Option<&str>,
        only: Option<&Path>,
    ) -> ExitStatus {
        let mut strace = Command::new("strace");
        strace.args(["-yy", "-s", "24", "-e", &format!("trace={calls}")]);
        strace.args(inject.into_iter().flat_map(|inject| ["-e", inject]));
        strace.args(only.into_iter().flat_map(|only| [Path::new("-P"), only]));
        strace
            .arg("-o")
            .arg(log)
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear();
        strace.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let said = fs::File::create(self.place.site().join("../said")).unwrap();
        strace
            .current_dir(self.place.site())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .status()
            .expect("strace (Debian: strace)")
    }

    /// Goes on to the end, and has the auditor look.
    fn go_on(&self, id: &str, what: &str) {
        let before = self.log(id);
        let run = self.run(id).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(
            run.status.success(),
            "{what}: {said}\n{}",
            String::from_utf8_lossy(&run.stdout)
        );
        let folder = self.place.ceremony(id);
        let verify = self
            .place
            .tool("keyrite-ceremony")
            .arg("verify")
            .arg(&folder)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert!(
            verify.status.success(),
            "{what}: {told}{}",
            String::from_utf8_lossy(&verify.stderr)
        );
        let log = self.log(id);
        let count = |piece: &str| log.matches(piece).count();
        // Nothing is lost, and nothing is repeated that must not be: a program that was interrupted begins again, all else is done once.
        for once in [
            "\"type\":\"genesis\"",
            "\"did\":{\"attend\":",
            "\"did\":{\"record\":",
            "\"did\":{\"run\":",
            "\"did\":{\"copy\":",
            "\"did\":{\"pause\":",
            "\"did\":{\"resume\":",
            "\"type\":\"end\"",
            "\"reason\":\"start\"",
            "\"reason\":\"after list\"",
            "\"reason\":\"break break\"",
            "\"reason\":\"end\"",
        ] {
            assert_eq!(count(once), 1, "{what}: {once}");
        }
        // Whatever went on after the first entry says so, unless all entries were there.
        if before.contains('\n') && !before.contains("\"reason\":\"end\"") {
            assert!(
                count("\"type\":\"recovered\"") > before.matches("\"type\":\"recovered\"").count(),
                "{what}"
            );
        }
        assert!(self.place.leaked_handles().is_empty(), "{what}");
    }
}

/// Those of the trace that change something or speak to the TPM.
fn points(said: &str, folder: &str) -> Vec<Point> {
    let mut counts = std::collections::BTreeMap::new();
    let mut points = Vec::new();
    for line in said.lines() {
        let Some((call, arguments)) = line.split_once('(') else {
            continue;
        };
        if !CALLS
            .split(',')
            .any(|known| known.trim_start_matches('?').trim() == call)
        {
            continue;
        }
        let nth: &mut usize = counts.entry(call.to_owned()).or_default();
        *nth += 1;
        let changes = !call.starts_with("open")
            || ["O_CREAT", "O_TRUNC", "O_TMPFILE"]
                .iter()
                .any(|flag| arguments.contains(flag));
        let ours = arguments.contains(folder)
            || arguments.contains("<TCP:")
            || call == "connect"
            || arguments.starts_with('"');
        if changes && ours {
            points.push(Point {
                call: call.to_owned(),
                nth: *nth,
                text: line.chars().take(160).collect(),
            });
        }
    }
    points
}

/// All points, or the sample; `turn` says which third.
fn chosen(all: &[Point], turn: usize) -> Vec<Point> {
    if std::env::var_os("KILLS").is_some_and(|kills| kills == "all") {
        return all.to_vec();
    }
    let object = |point: &Point| {
        let object = point
            .text
            .split(['<', '>', '"'])
            .nth(1)
            .map_or("", |object| object);
        let object = if object.starts_with("TCP:") {
            "the TPM"
        } else {
            object
        };
        (point.call.clone(), object.to_owned())
    };
    let mut sample = Vec::new();
    for row in all.chunk_by(|one, other| object(one) == object(other)) {
        sample.extend(row.first());
        sample.extend(row.last().filter(|_| row.len() > 1));
    }
    sample.into_iter().skip(turn).step_by(EACH).cloned().collect()
}

/// Of the sample, every so manieth; our choice, by the time that it takes.
const EACH: usize = 80;

fn every_point() {
    let mut series = Series::new();
    let id = series.next();
    let all = series.points(&id);
    assert!(all.len() > 200, "{} points", all.len());
    let chosen = chosen(&all, 0);
    let mut came = 0;
    for point in &chosen {
        let id = series.next();
        came += usize::from(series.kill(&id, point));
        series.go_on(&id, &format!("{id}, {point:?}"));
    }
    assert!(came * 10 >= chosen.len() * 9, "{came} of {}", chosen.len());
    // Beside the runner's own lines.
    let _ = writeln!(io::stderr(), "killed at {came} of {} points", all.len());
}

/// The same for the runs that go on: after a kill in the middle of an entry, a seal and a step.
fn every_point_of_recovery() {
    let mut series = Series::new();
    let id = series.next();
    let all = series.points(&id);
    let middles = [
        all.iter().filter(|point| point.call == "fdatasync").nth(12),
        all.iter().find(|point| point.text.contains("checkpoint-2")),
        all.iter().rfind(|point| point.call == "connect"),
    ];
    for (turn, middle) in middles.into_iter().enumerate() {
        let middle = middle.unwrap();
        let id = series.next();
        assert!(series.kill(&id, middle), "{middle:?}");
        let recovery = series.points(&id);
        for point in chosen(&recovery, turn + 1).into_iter().step_by(2) {
            let id = series.next();
            series.kill(&id, middle);
            series.kill(&id, &point);
            series.go_on(&id, &format!("{id}, {middle:?}, then {point:?}"));
        }
    }
}

/// What the disk had of a line when the power went: its beginning.
fn torn() {
    let mut series = Series::new();
    let id = series.next();
    let all = series.points(&id);
    let last = series.log(&id).lines().last().unwrap().to_owned();
    let writes = all
        .iter()
        .filter(|point| point.call == "write" && point.text.contains("log.jsonl"));
    let writes: Vec<&Point> = writes.collect();
    // The first line, one in the middle, that after a seal, the last.
    let seal = series
        .log(&id)
        .lines()
        .position(|line| line.contains("\"type\":\"seal\""))
        .unwrap();
    for (place, length) in [
        (0, 40),
        (writes.len() / 2, 1),
        (seal + 1, 200),
        (writes.len() - 1, last.len()),
    ] {
        let id = series.next();
        assert!(series.kill(&id, writes[place]));
        let path = series.place.ceremony(&id).join("log.jsonl");
        let torn = &last.as_bytes()[..length];
        let mut log = fs::read(&path).unwrap();
        log.extend(torn);
        fs::write(&path, log).unwrap();
        series.go_on(&id, &format!("{id}, torn in entry {}", place + 1));
        assert_eq!(fs::read(series.place.ceremony(&id).join("torn-1")).unwrap(), torn);
        let digest = key_metadata::Digest::of(torn).to_string();
        // Nothing follows the first line's, which was never there.
        assert!(series.log(&id).contains(&digest), "{id}: no entry tells of it");
    }
}

/// No room at a write: the run ends with 5 and a cause, and goes on when there is room again.
fn full_disk() {
    let mut series = Series::new();
    // Before the first entry nothing was begun.
    for (file, nth, exit) in [("log.jsonl", 1, 1), ("log.jsonl", 12, 5)] {
        let id = series.next();
        let folder = series.place.ceremony(&id);
        let full = format!("inject=write:error=ENOSPC:when={nth}+");
        let mut run = series.run(&id);
        // The answers of a rehearsal try again a few times, as people would.
        run.stdin(Stdio::null());
        let only = folder.join(file);
        let status = series.traced_at(&run, &series.strace_log(), "write", Some(&full), Some(&only));
        let said = fs::read_to_string(series.place.site().join("../said")).unwrap();
        assert_eq!(status.code(), Some(exit), "{file}: {said}");
        assert!(said.contains("No space left on device"), "{said}");
        series.place.flush();
        series.go_on(&id, &format!("{id}, no room for {file}"));
    }
}

/// The second names the first's last checkpoint, and compares what was recorded.
fn chained() {
    let mut series = Series::new();
    let first = series.next();
    series.go_on(&first, "the first");
    let second = series.next();
    let script = fs::read_to_string(series.script(&second)).unwrap();
    let script = script.replace("previous: none", &format!("previous: {first}"));
    let script = script.replace("what: the bag,", "what: the bag, last-time: bag,");
    fs::write(series.script(&second), script).unwrap();
    series.go_on(&second, "the second");
    let log = series.log(&second);
    let checkpoint = fs::read(series.place.ceremony(&first).join("checkpoint-4")).unwrap();
    let checkpoint = key_metadata::Digest::of(&checkpoint);
    assert!(
        log.lines()
            .next()
            .unwrap()
            .contains(&format!("\"checkpoint\":\"{checkpoint}\"")),
        "{log}"
    );
    assert!(log.contains("\"last-time\":\""), "{log}");
    let mut verify = series.place.tool("keyrite-ceremony");
    verify
        .arg("verify")
        .arg(series.place.ceremony(&second))
        .arg("--previous")
        .arg(series.place.ceremony(&first));
    let said = String::from_utf8(verify.output().unwrap().stdout).unwrap();
    assert!(
        said.lines()
            .any(|line| line.starts_with("pass ") && line.contains(" previous ")),
        "{said}"
    );
}

/// A run was cut off, and before it went on another ceremony was held with the same TPM: it stops, and writes nothing.
fn left_behind() {
    let mut series = Series::new();
    let counted = series.next();
    let all = series.points(&counted);
    let middle = all
        .iter()
        .filter(|point| point.call == "fdatasync")
        .nth(12)
        .unwrap();
    let id = series.next();
    assert!(series.kill(&id, middle));
    let other = series.next();
    series.go_on(&other, "the other");
    let before = series.log(&id);
    let run = series.run(&id).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(3), "{said}");
    assert!(
        said.contains("does not fit the log") || said.contains("the log does not go on"),
        "{said}"
    );
    assert_eq!(series.log(&id), before);
}
