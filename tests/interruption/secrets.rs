//! No secret of a backup is in anything that was written, printed or started.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use keyrite_tests::{Secret, Stack, sealed_secrets};

use crate::backups::{CUSTODY, acknowledge_by, with_custody};
use crate::bench::{BACKUP, Bench, CUSTODIANS, KEYCTL, SPARE, ZONE};
use crate::bundles::{found, parents, restore};
use crate::kill::{Outcome, expect};
use crate::needles::{Needle, of_bundle};
use crate::rollovers;
use crate::series::Series;
use crate::watched::{Stdout, Watched};

/// Every trial, run on SoftHSM and with native keys of a TPM.
pub const ALL: [(&str, Series); 1] = [("secrets", secrets)];

/// Where the user PIN of the bench's token is sealed.
const PIN: &str = "0x81020000";
const PIN_SOURCE: &str = "tpm:0x81020000";
/// The chip's own memory, what only custodians have, and what this test keeps.
const ELSEWHERE: [&str; 3] = ["tpm", "people", "kept"];

/// A backup's whole life; then its secrets are found with stock tools, and looked for everywhere. Each is found where it is planted.
fn secrets(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::with_custodians(stack, tools);
    let watched = Watched::new(&bench);
    let bundles = life(&watched, stack)?;
    let mut needles = identities(&bench);
    for (folder, id) in &bundles {
        needles.extend(of_bundle(&bench, folder, id)?);
    }
    let sealed = sealed(&bench)?;
    let files = files(bench.folder());
    expect(files.len() > 50, "there is next to nothing to look into")?;
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let needle = needles
            .iter()
            .find_map(|needle| Some((&needle.name, needle.form_in(&bytes)?)));
        let pin = sealed
            .iter()
            .find_map(|pin| Some((&pin.kept, pin.form_in(&bytes)?)));
        if let Some((name, form)) = needle.or(pin) {
            return Err(format!("{} has {name} in it, {form}", file.display()));
        }
    }
    found_where_planted(&bench, &needles, &sealed)?;
    seen_where_told(&watched)
}

/// The steps of a rollover, with a PIN that is sealed and with one from a file, and everything that plans are written to: no PIN is in any file, in
/// what is printed, or in the arguments or the environment of the `keyrite-keyctl` that does the steps.
pub fn of_rollovers(stack: Stack, tools: &Path) -> Outcome {
    let bench = rollovers::new(stack, tools)?;
    let watched = Watched::new(&bench);
    let sealed = sealed(&bench)?;
    fs::create_dir_all(bench.folder().join("kept")).unwrap();
    let pin = printed(&bench, "tpm2_unseal", &["-c", PIN]).map_err(|error| error.to_string())?;
    let file = bench.folder().join("kept/pin");
    fs::write(&file, &pin.stdout).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let run = |command: &[&str]| watched.run(command, Stdout::Kept);
    let pictures = [
        "--svg", "p.svg", "--ics", "p.ics", "--out", "p.json", "--sheet", "p.html",
    ];
    run(&[&rollovers::STEP[..], &["--pin", "file:../kept/pin", "--json"]].concat())?;
    run(&[&rollovers::KEEP[..], &pictures].concat())?;
    run(&rollovers::STEP)?;
    run(&[&rollovers::STEP[..], &["--pin", PIN_SOURCE]].concat())?;
    run(&rollovers::UNDO)?;
    rollovers::see(&bench)?;
    // It ends with 3: where the keys are, no DS is wanted.
    expect(run(&rollovers::OBSERVE).is_err(), "nothing was observed")?;
    let files = files(bench.folder());
    let has = |end: &str| files.iter().any(|file| file.ends_with(end));
    expect(
        [
            "p.svg",
            "p.ics",
            "p.json",
            "p.html",
            "observations/fi.cr.yaml",
            "watched/0.calls",
        ]
        .into_iter()
        .all(has),
        "something was not written",
    )?;
    let calls = fs::read(bench.folder().join("watched/0.calls")).unwrap();
    let calls = String::from_utf8_lossy(&calls);
    let started = calls.contains("keyrite-keyctl\", [\"") && calls.contains("SOFTHSM2_CONF=");
    expect(
        started,
        "the arguments and the environment of keyrite-keyctl are not among what is watched",
    )?;
    for file in &files {
        let bytes = fs::read(file).unwrap();
        if let Some((pin, form)) = sealed.iter().find_map(|pin| Some((pin, pin.form_in(&bytes)?))) {
            return Err(format!("{} has {} in it, {form}", file.display(), pin.kept));
        }
    }
    found_where_planted(&bench, &[], &sealed)?;
    seen_where_told(&watched)
}

/// What is sealed in the bench's TPM.
fn sealed(bench: &Bench) -> Outcome<Vec<Secret>> {
    let tool = |name: &str, arguments: &[&str]| printed(bench, name, arguments);
    let (sealed, skipped) = sealed_secrets(&tool).map_err(|error| error.to_string())?;
    expect(
        !sealed.is_empty() && skipped.is_empty(),
        &format!("of what is sealed, not looked for: {skipped:?}"),
    )?;
    Ok(sealed)
}

/// Everything that has to do with secrets, once; gives the bundles.
fn life(watched: &Watched<'_>, stack: Stack) -> Outcome<Vec<(PathBuf, String)>> {
    let bench = watched.bench;
    let run = |command: &[&str]| watched.run(command, Stdout::Kept);
    let new = |before: &[String]| {
        let mut live = found(bench).live;
        live.retain(|id| !before.contains(id));
        live.pop().ok_or("no bundle was made".to_owned())
    };
    if stack == Stack::Tpm {
        run(&with_custody(&[BACKUP, "parent", "--token", "cr"]))?;
    }
    let parents = parents(bench);
    run(&[KEYCTL, "generate", "--zone", ZONE, "--role", "ksk"])?;
    run(&[
        KEYCTL,
        "generate",
        "--zone",
        ZONE,
        "--role",
        "zsk",
        "--algorithm",
        "8",
        "--bits",
        "2048",
    ])?;
    run(&with_custody(&[BACKUP, "create", "--zone", ZONE]))?;
    let first = new(&parents)?;
    run(&[BACKUP, "verify", "--bundle", &first, "--record"])?;
    acknowledge_by(bench, &first, &run)?;
    if stack == Stack::SoftHsm {
        let drill = restore(bench, &first, &first, SPARE);
        run(&drill.iter().map(String::as_str).collect::<Vec<_>>())?;
        drill_of_a_canary(watched)?;
    }
    bench.lose_keys()?;
    let mut back = restore(bench, &first, &first, "cr");
    back.push("--move".to_owned());
    run(&back.iter().map(String::as_str).collect::<Vec<_>>())?;
    let before = found(bench).live;
    run(&with_custody(&[BACKUP, "rewrap", "start", "--bundle", &first]))?;
    let second = new(&before)?;
    acknowledge_by(bench, &second, &run)?;
    run(&[BACKUP, "rewrap", "finish", "--bundle", &second])?;
    let share = format!("file:../shares/{second}-ana.age");
    let paper = [
        BACKUP,
        "paper",
        "--bundle",
        &second,
        "--share",
        &share,
        "--identity",
        "../people/ana.key",
    ];
    let paper = watched.run(&paper, Stdout::Secret)?;
    let folder = |id: &String| bench.site().join("backups").join(id);
    let own = of_bundle(bench, &folder(&second), &second)?;
    expect(
        own.iter()
            .any(|needle| needle.form_in(paper.as_bytes()).is_some()),
        "the paper has not the words that are looked for",
    )?;
    let mut bundles: Vec<_> = found(bench)
        .live
        .iter()
        .map(|id| (folder(id), id.clone()))
        .collect();
    bundles.push((bench.site().join("backups/superseded").join(&first), first));
    Ok(bundles)
}

/// A canary's bundle, dealt and restored into the spare token.
fn drill_of_a_canary(watched: &Watched<'_>) -> Outcome {
    let before = found(watched.bench).live;
    let start = [&[BACKUP, "drill", "start", "--token", "cr"], &CUSTODY[..]].concat();
    watched.run(&start, Stdout::Kept)?;
    let mut live = found(watched.bench).live;
    live.retain(|id| !before.contains(id));
    let id = live.pop().ok_or("no canary was backed up")?;
    let mut finish = [BACKUP, "drill", "finish", "--bundle", &id, "--to", SPARE]
        .map(str::to_owned)
        .to_vec();
    for name in ["ana", "rosa"] {
        finish.extend(["--share".to_owned(), format!("file:../shares/{id}-{name}.age")]);
        finish.extend(["--identity".to_owned(), format!("../people/{name}.key")]);
    }
    let finish: Vec<&str> = finish.iter().map(String::as_str).collect();
    watched.run(&finish, Stdout::Kept).map(drop)
}

/// What is watched is seen: in an argument, in the environment, and as bytes in a file that is gone, each time by a child's child.
fn seen_where_told(watched: &Watched<'_>) -> Outcome {
    let planted = b"\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0";
    let digits = hex::encode(planted);
    let octal: String = planted.iter().map(|byte| format!("\\{byte:03o}")).collect();
    let needle = Needle::bytes("what was planted", planted);
    let gone = format!("printf '{octal}' >\"$TMPDIR/gone\"; rm \"$TMPDIR/gone\"");
    let (argument, environment) = (format!("/bin/echo {digits}"), format!("A={digits} /bin/true"));
    for script in [gone, argument, environment] {
        let before = files(watched.bench.folder());
        // Only what is done is looked for, not the script that says so.
        let file = watched.bench.folder().join("kept/script");
        fs::write(&file, script).unwrap();
        let shell = watched.bench.command("sh", &[file.to_str().unwrap()]);
        watched.run_command(&shell, Stdout::Secret)?;
        let mut new = files(watched.bench.folder());
        new.retain(|file| !before.contains(file));
        let has_it = |file: &PathBuf| needle.form_in(&fs::read(file).unwrap()).is_some();
        expect(new.iter().any(has_it), "what was planted was not seen")?;
    }
    Ok(())
}

/// Runs one of tpm2-tools, whose output is for this test alone.
fn printed(bench: &Bench, name: &str, arguments: &[&str]) -> io::Result<Output> {
    let mut command = bench.command(name, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()
}

/// What opens the custodians' shares.
fn identities(bench: &Bench) -> Vec<Needle> {
    let identity = |name: &str| {
        let text = fs::read_to_string(bench.folder().join(format!("people/{name}.key"))).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-1"))
            .unwrap();
        Needle::bytes(format!("the identity of {name}"), line.as_bytes())
    };
    CUSTODIANS.map(identity).into()
}

/// Every file below a folder, but what is elsewhere.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let is_elsewhere = next == folder && ELSEWHERE.iter().any(|name| path.ends_with(name));
            if path.is_dir() && !is_elsewhere {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found
}

/// Whatever was looked for in vain is found in a file that has it, in each of its forms.
fn found_where_planted(bench: &Bench, needles: &[Needle], sealed: &[Secret]) -> Outcome {
    let planted = bench.site().join("backups/planted");
    for needle in needles {
        for text in needle.planted() {
            fs::write(&planted, &text).unwrap();
            let files = files(bench.folder());
            let read = files
                .iter()
                .filter(|file| **file == planted)
                .map(|file| fs::read(file).unwrap());
            let found = read.filter(|bytes| needle.form_in(bytes).is_some()).count();
            expect(found == 1, &format!("{} was planted, and not found", needle.name))?;
        }
    }
    let tool = |name: &str, arguments: &[&str]| printed(bench, name, arguments);
    for pin in sealed {
        let unsealed = tool("tpm2_unseal", &["-c", &pin.kept]).map_err(|error| error.to_string())?;
        let has = !unsealed.status.success() || pin.form_in(&unsealed.stdout).is_some();
        expect(has, &format!("what is sealed at {} is not found", pin.kept))?;
    }
    Ok(())
}
