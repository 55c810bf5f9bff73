//! The points at which a program is killed: its system calls that change a file of the site or of the token, or that speak to the TPM.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The calls that change anything outside of the program. Those that only read are not there: at them everything is as at the next that changes
/// something.
const CALLS: &str = "connect creat fallocate fchmod fdatasync flock fsync ftruncate link linkat mkdir mkdirat open openat pwrite64 \
    pwritev rename renameat renameat2 rmdir sendmmsg sendmsg sendto truncate unlink unlinkat write writev";

/// Longer than any program takes to its last point; our choice.
const LONGEST: Duration = Duration::from_secs(120);

/// One call of a program.
#[derive(Clone)]
pub struct Point {
    /// Which call, and the how many of that name it is.
    pub call: String,
    pub nth: usize,
    /// What it does it to: a path, or the TPM.
    pub object: Object,
    /// The call, as strace writes it.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file of the site, by its path.
    Site(String),
    /// A file of the token's store, by its path without the extension: what belongs together is called alike.
    Store(String),
    /// What leads to the TPM or its resource manager.
    Tpm,
    /// stdout.
    Result,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.call, self.nth, self.text)
    }
}

/// Runs the command under strace (Debian: strace), and lists the points in their order.
pub fn of(command: &Command, folder: &Path) -> Vec<Point> {
    let log = folder.join("strace.log");
    // Not every architecture has all of them.
    let calls: Vec<String> = CALLS.split_whitespace().map(|call| format!("?{call}")).collect();
    let status = traced(command, &log, &calls.join(","), None);
    assert!(
        has_ended(status),
        "the command that is to be killed fails by itself: {command:?}: {status}"
    );
    let text = fs::read_to_string(&log).unwrap();
    let folder = folder.to_str().unwrap();
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut points = Vec::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        let Some((call, arguments)) = rest.split_once('(') else {
            continue;
        };
        if !CALLS.split_whitespace().any(|known| known == call) {
            continue;
        }
        // strace counts each thread's calls for themselves.
        let nth = counts.entry((thread.to_owned(), call.to_owned())).or_default();
        *nth += 1;
        if let Some(object) = object(call, arguments, folder) {
            points.push(Point {
                call: call.to_owned(),
                nth: *nth,
                object,
                text: rest.chars().take(400).collect(),
            });
        }
    }
    points
}

/// Runs the command and kills it at that point, before the call is executed; whether it came so far.
pub fn killed_at(point: &Point, command: &Command, folder: &Path) -> bool {
    let log = folder.join("strace.log");
    let inject = format!("inject={}:signal=SIGKILL:when={}", point.call, point.nth);
    let status = traced(command, &log, &point.call, Some(&inject));
    let text = fs::read_to_string(&log).unwrap();
    let killed = text.contains("+++ killed by SIGKILL +++");
    // strace ends as its program did.
    assert!(killed || has_ended(status), "{point}: {status}");
    killed
}

/// Whether a program came to its end: it did what it was to do, or that and says no (3).
fn has_ended(status: ExitStatus) -> bool {
    status.success() || status.code() == Some(3)
}

/// A program that is stopped, and ends when this is dropped.
pub struct Stopped {
    strace: Child,
    /// The program.
    pub pid: u32,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // strace lets go of what has ended, and ends.
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.strace.wait();
    }
}

/// Runs the command and stops it after that point.
pub fn stopped_at(point: &Point, command: &Command, folder: &Path) -> Stopped {
    let log = folder.join("strace.log");
    let _ = fs::remove_file(&log);
    let inject = format!("inject={}:signal=SIGSTOP:when={}", point.call, point.nth);
    let strace = strace(command, &log, &point.call, Some(&inject))
        .spawn()
        .expect("strace (Debian: strace)");
    let mut stopped = Stopped { strace, pid: 0 };
    let clock = Instant::now();
    loop {
        let text = fs::read_to_string(&log).map_or_else(|_| String::new(), |text| text);
        let line = text.lines().find(|line| line.contains("--- stopped by SIGSTOP"));
        if let Some(thread) = line.and_then(|line| line.split(' ').next()?.parse().ok()) {
            stopped.pid = thread;
            return stopped;
        }
        assert!(
            clock.elapsed() < LONGEST,
            "{command:?} was not stopped at {point}"
        );
        sleep(Duration::from_millis(20));
    }
}

/// Runs the command, whose core dump has no limit, and has it crash at that point; whether it did.
pub fn crashed_at(point: &Point, command: &Command, folder: &Path) -> bool {
    let log = folder.join("strace.log");
    let mut unlimited = Command::new("/bin/sh");
    unlimited.args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh"]);
    unlimited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        unlimited.env(name, value.unwrap());
    }
    unlimited.current_dir(command.get_current_dir().unwrap());
    let inject = format!("inject={}:signal=SIGABRT:when={}", point.call, point.nth);
    traced(&unlimited, &log, &point.call, Some(&inject));
    fs::read_to_string(&log)
        .unwrap()
        .contains("+++ killed by SIGABRT")
}

/// Whether all points are to be taken.
pub fn take_all() -> bool {
    std::env::var_os("KILLS").is_some_and(|kills| kills == "all")
}

/// Those that are taken: all, or a sample (see the test's own words).
pub fn chosen(all: &[Point]) -> Vec<Point> {
    if take_all() {
        return all.to_vec();
    }
    let all: Vec<Point> = all.iter().filter(|point| shows(point)).cloned().collect();
    let mut chosen = Vec::new();
    for run in all.chunk_by(|one, other| one.object == other.object) {
        let first_of_its_kind = |place: usize| run[..place].iter().all(|point| point.call != run[place].call);
        let places: Vec<usize> = match &run[0].object {
            Object::Site(_) => (0..run.len()).collect(),
            Object::Tpm | Object::Result => vec![0],
            Object::Store(_) => {
                let last = run.len() - 1;
                // SoftHSM writes a file in four calls, some thirty times: its last six states, each before it is written over.
                let late = |place: usize| run.len() > 24 && last - place < 24 && (last - place) % 4 == 1;
                let taken = |place: &usize| {
                    [last / 2, last].contains(place) || late(*place) || first_of_its_kind(*place)
                };
                (0..run.len()).filter(taken).collect()
            }
        };
        chosen.extend(places.into_iter().map(|place| run[place].clone()));
    }
    chosen
}

/// Leaves so many of the points, the first and the last of them, and the others spread evenly.
pub fn thin(points: &mut Vec<Point>, most: usize) {
    if take_all() || points.len() <= most {
        return;
    }
    let last = points.len() - 1;
    let kept = (0..most).map(|number| points[number * last / (most - 1)].clone());
    *points = kept.collect();
}

/// Whether the next program can see that the call was made: not where it makes a folder that is there, or a file without a name, and not where it
/// only hurries to the disk what a kill leaves in the cache.
fn shows(point: &Point) -> bool {
    let unseen = ["mkdir", "fchmod", "fsync", "fdatasync"].contains(&point.call.as_str());
    !unseen && !point.text.contains("O_TMPFILE")
}

fn traced(command: &Command, log: &Path, calls: &str, inject: Option<&str>) -> ExitStatus {
    let status = strace(command, log, calls, inject).status();
    status.expect("strace (Debian: strace)")
}

fn strace(command: &Command, log: &Path, calls: &str, inject: Option<&str>) -> Command {
    let trace = format!("trace={calls}");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-yy", "-s", "16", "-e", &trace]);
    strace.args(inject.into_iter().flat_map(|inject| ["-e", inject]));
    strace.arg("-o").arg(log).arg(command.get_program());
    strace.args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        strace.env(name, value.unwrap());
    }
    strace
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    strace
}

/// What a call changes; `None` where that is nothing that matters.
fn object(call: &str, arguments: &str, folder: &str) -> Option<Object> {
    if call.starts_with("open")
        && !["O_CREAT", "O_TRUNC", "O_TMPFILE"]
            .iter()
            .any(|flag| arguments.contains(flag))
    {
        return None;
    }
    if call == "connect"
        || call.starts_with("send")
        || arguments.contains("<TCP:")
        || arguments.contains("<UNIX")
    {
        return Some(Object::Tpm);
    }
    if arguments.starts_with("1<") {
        return Some(Object::Result);
    }
    // The last path is the one that is opened, or renamed to; one that stands alone may be relative, and is then the site's.
    let Some(path) = arguments.split(folder).skip(1).last() else {
        let path = arguments
            .split('"')
            .nth(1)
            .filter(|_| arguments.starts_with('"'))?;
        return Some(Object::Site(path.to_owned()));
    };
    let path = path.split(['"', '>']).next()?;
    match path.strip_prefix("/tokens") {
        // C_Login, between emptying token.object and writing it: what is lost there is lost by SoftHSM.
        Some(file) if call == "write" && file.ends_with("/token.object") => None,
        Some(file) => Some(Object::Store(file.split('.').next()?.to_owned())),
        None => Some(Object::Site(path.to_owned())),
    }
}
