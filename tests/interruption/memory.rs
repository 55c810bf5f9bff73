//! The memory of a tool that holds secrets: none of it is in a core dump, and all of it is locked, so that none is written to swap.
//!
//! The tool is stopped where it holds what there is, after it has written the last share, or the record of the last key. A crash handler of our
//! own then writes out what the kernel would dump, by the process's own settings (core(5)), and the whole memory is searched beside, to see that
//! the secrets are there, and in what maps. Then the tool crashes at the same point, and no core file may come of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyrite_tests::Stack;

use crate::backups::{with_bundle, with_custody};
use crate::bench::{BACKUP, Bench, ZONE};
use crate::bundles::restore;
use crate::kill::{Outcome, expect};
use crate::needles::{Needle, of_bundle};
use crate::points::{self, Point};
use crate::series::Series;

/// Every trial, run on SoftHSM and with native keys of a TPM.
pub const ALL: [(&str, Series); 2] = [("memory of create", create), ("memory of restore", restored)];

const START: &str = "start";
/// What is planted in a process that protects nothing.
const PLANTED: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn create(stack: Stack, tools: &Path) -> Outcome {
    let (bench, _) = with_bundle(stack, tools)?;
    bench.save(START);
    let create = with_custody(&[BACKUP, "create", "--zone", ZONE]);
    let last_share = |point: &Point| is_renamed(point, "-rosa.age");
    let being_made = |bench: &Bench| {
        let backups = bench.site().join("backups");
        let mut names = fs::read_dir(&backups)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let staged =
            names.find_map(|name| Some(name.to_str()?.strip_prefix('.')?.strip_suffix(".new")?.to_owned()));
        let id = staged.ok_or("no bundle is being made")?;
        of_bundle(bench, &backups.join(format!(".{id}.new")), &id)
    };
    protected(&bench, &create, &last_share, &being_made)
}

fn restored(stack: Stack, tools: &Path) -> Outcome {
    let (bench, id) = with_bundle(stack, tools)?;
    bench.lose_keys()?;
    bench.save(START);
    let mut restore = restore(&bench, &id, &id, "cr");
    restore.push("--move".to_owned());
    let restore: Vec<&str> = restore.iter().map(String::as_str).collect();
    let last_record = |point: &Point| is_renamed(point, &format!("{ZONE}.yaml"));
    let opened = |bench: &Bench| {
        let mut needles = Vec::new();
        for id in crate::bundles::found(bench).live {
            needles.extend(of_bundle(bench, &bench.site().join("backups").join(&id), &id)?);
        }
        Ok(needles)
    };
    protected(&bench, &restore, &last_record, &opened)
}

fn is_renamed(point: &Point, end: &str) -> bool {
    point.call.starts_with("rename") && point.text.contains(&format!("{end}\""))
}

/// Stops the command after the last point that is meant, and looks at its memory; then has it crash there.
fn protected(
    bench: &Bench,
    command: &[&str],
    is_meant: &dyn Fn(&Point) -> bool,
    secrets: &dyn Fn(&Bench) -> Outcome<Vec<Needle>>,
) -> Outcome {
    bench.load(START);
    let points = points::of(&bench.tool(command), bench.folder());
    let point = points.iter().rev().find(|point| is_meant(point));
    let point = point.ok_or("the command does not come to the point that is meant")?;
    bench.load(START);
    let stopped = points::stopped_at(point, &bench.tool(command), bench.folder());
    let needles = secrets(bench)?;
    let found = search(stopped.pid, &needles)?;
    expect(!found.is_empty(), "the tool holds no secret where it was stopped")?;
    for (name, map) in &found {
        expect(
            !map.is_dumped,
            &format!("a core dump of {command:?} would have {name}, in {}", map.line),
        )?;
        expect(
            map.is_locked,
            &format!("{name} can be swapped out of {command:?}, in {}", map.line),
        )?;
    }
    let mut names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let _ = writeln!(
        io::stderr(),
        "{}: {} holds {}",
        bench.stack,
        command[1],
        names.join(", ")
    );
    drop(stopped);
    bench.load(START);
    let crashed = points::crashed_at(point, &bench.tool(command), bench.folder());
    bench.clean();
    expect(crashed, "the tool did not crash")?;
    let cores = cores(bench.site());
    expect(cores.is_empty(), &format!("a crash left {cores:?}"))
}

/// The same handler finds what a process holds that protects nothing, in what would be dumped and could be swapped; and its core file has it.
pub fn unprotected() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let needles = [Needle::bytes("what was planted", PLANTED.as_bytes())];
    let script = "ulimit -c unlimited; read -r secret; echo ready; read -r more";
    let mut shell = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = shell.stdin.take().unwrap();
    writeln!(typed, "{PLANTED}").unwrap();
    let mut ready = [0; 6];
    io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let found = search(shell.id(), &needles);
    let kill = Command::new("kill")
        .args(["-ABRT", &shell.id().to_string()])
        .status()
        .unwrap();
    let ended = shell.wait().unwrap();
    let is_open = found?.iter().any(|(_, map)| map.is_dumped && !map.is_locked);
    expect(kill.success() && !ended.success(), "the shell did not crash")?;
    expect(is_open, "what was planted was not found")?;
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with(['|', '/', '@']) {
        let _ = writeln!(
            io::stderr(),
            "core files are not in the crashed program's folder here: {pattern}"
        );
        return Ok(());
    }
    let cores = cores(folder.path());
    let has_it = |core: &PathBuf| needles[0].form_in(&fs::read(core).unwrap()).is_some();
    expect(cores.iter().any(has_it), "no core file has what was planted")
}

/// The core files in a folder.
fn cores(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_core = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("core"))
    };
    names.filter(is_core).collect()
}

/// A range of a process's memory.
#[derive(Clone)]
struct Map {
    /// Its line in /proc/PID/smaps.
    line: String,
    start: u64,
    length: usize,
    /// Whether a core dump has it, by the process's filter (core(5)) and what it said of the range (MADV_DONTDUMP).
    is_dumped: bool,
    /// Whether its pages stay in memory (mlock(2)).
    is_locked: bool,
}

/// Where secrets stand in a process's memory, which is not running.
fn search(pid: u32, needles: &[Needle]) -> Outcome<Vec<(String, Map)>> {
    let memory =
        File::open(format!("/proc/{pid}/mem")).map_err(|error| format!("memory wants root: {error}"))?;
    let mut found = Vec::new();
    for map in maps(pid)? {
        let mut bytes = vec![0; map.length];
        // What is reserved by a device, or guards a stack, cannot be read.
        if memory.read_exact_at(&mut bytes, map.start).is_err() {
            continue;
        }
        let here = needles.iter().filter(|needle| needle.form_in(&bytes).is_some());
        found.extend(here.map(|needle| (needle.name.clone(), map.clone())));
    }
    Ok(found)
}

/// The maps that have any page in memory.
fn maps(pid: u32) -> Outcome<Vec<Map>> {
    let read =
        |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|error| error.to_string());
    let filter =
        u32::from_str_radix(read("coredump_filter")?.trim(), 16).map_err(|error| error.to_string())?;
    let text = read("smaps")?;
    let (mut maps, mut resident): (Vec<Map>, Vec<u64>) = (Vec::new(), Vec::new());
    let mut anonymous = 0;
    for line in text.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let range = range.and_then(|(from, to)| {
            Some((
                u64::from_str_radix(from, 16).ok()?,
                u64::from_str_radix(to, 16).ok()?,
            ))
        });
        if let Some((start, end)) = range {
            maps.push(Map {
                line: line.to_owned(),
                start,
                length: usize::try_from(end - start).map_err(|error| error.to_string())?,
                is_dumped: false,
                is_locked: false,
            });
            resident.push(0);
            continue;
        }
        let (Some(map), Some((field, value))) = (maps.last_mut(), line.split_once(':')) else {
            continue;
        };
        let kilobytes = || {
            value
                .trim()
                .trim_end_matches(" kB")
                .parse::<u64>()
                .map_or(0, |number| number)
        };
        match field {
            "Rss" => *resident.last_mut().unwrap() = kilobytes(),
            "Anonymous" => anonymous = kilobytes(),
            "VmFlags" => {
                let has = |flag: &str| value.split_whitespace().any(|known| known == flag);
                map.is_locked = has("lo");
                map.is_dumped =
                    !has("dd") && !has("io") && is_in_filter(filter, &map.line, has("sh"), anonymous > 0);
            }
            _ => {}
        }
    }
    let mut resident = resident.into_iter();
    maps.retain(|_| resident.next().is_some_and(|kilobytes| kilobytes > 0));
    Ok(maps)
}

/// Whether a range is dumped by a filter: bit 0 private memory, 1 shared memory, 2 private and 3 shared files, 5 and 6 huge pages; what a
/// program changed of a private file counts as private memory.
fn is_in_filter(filter: u32, line: &str, is_shared: bool, is_changed: bool) -> bool {
    let is_file = line.split_whitespace().nth(4).is_some_and(|inode| inode != "0");
    let bit = |number: u32| filter & (1 << number) != 0;
    match (is_shared, is_file) {
        (false, false) => bit(0) || bit(5),
        (false, true) => bit(2) || (bit(0) && is_changed),
        (true, false) => bit(1) || bit(6),
        (true, true) => bit(1) || bit(3),
    }
}
