//! What is killed of `keyrite-backup`, and what must come of it.

use std::fs;
use std::path::Path;

use key_metadata::backup::DrillLevel;
use key_metadata::{KeyRecord, KeyState, SiteFolder};
use keyrite_tests::Stack;

use crate::bench::{BACKUP, Bench, CUSTODIANS, KEYCTL, SPARE, ZONE};
use crate::bundles::{found, parents, restore, whole};
use crate::kill::{Outcome, Sample, each_of, expect, settled};

/// A series, which is run on one stack.
type Series = fn(Stack, &Path) -> Outcome;

/// Every series, by its stack and name.
pub const ALL: [(Stack, &str, Series); 11] = [
    (Stack::SoftHsm, "create", create),
    (Stack::SoftHsm, "restore", drill),
    (Stack::SoftHsm, "restore --move", moved),
    (Stack::SoftHsm, "restore in place", in_place),
    (Stack::SoftHsm, "rewrap start", rewrap_start),
    (Stack::SoftHsm, "rewrap finish", rewrap_finish),
    (Stack::SoftHsm, "backup on a full disk", full_disk),
    (Stack::Tpm, "parent", parent),
    (Stack::Tpm, "create", create),
    (Stack::Tpm, "restore in place", in_place),
    (Stack::Tpm, "backup on a full disk", full_disk),
];

/// Where not all points are taken: each costs the command again, and a look at all that there is.
const SAMPLE: Sample = Sample::Few(8);
/// How a bench is before the command that is killed.
const START: &str = "start";

pub const CUSTODY: [&str; 6] = [
    "--needed",
    "2",
    "--shares",
    "../shares",
    "--officer",
    "ana=../people/ana",
];
const RECONCILE: [&str; 2] = [KEYCTL, "reconcile"];

pub fn with_custody<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [command, &CUSTODY].concat()
}

fn create_command() -> Vec<&'static str> {
    with_custody(&[BACKUP, "create", "--zone", ZONE])
}

/// A bench with two keys that can leave their token.
fn with_keys(stack: Stack, tools: &Path) -> Outcome<Bench> {
    let bench = Bench::with_custodians(stack, tools);
    if stack == Stack::Tpm {
        bench.run(&with_custody(&[BACKUP, "parent", "--token", "cr"]))?;
    }
    bench.run(&[
        KEYCTL, "generate", "--zone", ZONE, "--role", "ksk", "--role", "zsk",
    ])?;
    Ok(bench)
}

/// The same, with a bundle of these keys, whose id is given.
pub fn with_bundle(stack: Stack, tools: &Path) -> Outcome<(Bench, String)> {
    let bench = with_keys(stack, tools)?;
    let before = found(&bench).live;
    bench.run(&create_command())?;
    let mut new = found(&bench).live;
    new.retain(|id| !before.contains(id));
    let id = new.pop().ok_or("no bundle was made")?;
    Ok((bench, id))
}

/// Everything is at its end: records, tokens, bundles and shares.
fn at_its_end(bench: &Bench) -> Outcome {
    settled(bench)?;
    whole(bench)
}

/// The same command again makes one bundle more; that of the run that was killed is there as a whole, or not at all.
fn create(stack: Stack, tools: &Path) -> Outcome {
    let bench = with_keys(stack, tools)?;
    bench.save(START);
    let again = |_: &[KeyState]| {
        let before = found(&bench).live.len();
        bench.run(&create_command())?;
        let after = found(&bench).live.len();
        expect(
            after == before + 1,
            &format!("{before} bundles have become {after}"),
        )?;
        at_its_end(&bench)
    };
    each_of(&bench, START, &create_command(), SAMPLE, &[&again])
}

/// The same command again, with or without `keyrite-keyctl reconcile` in between, passes the drill, and leaves nothing in the spare token;
/// `reconcile` alone leaves nothing there either, also where the keys have been lost and restored into their own token meanwhile.
fn drill(stack: Stack, tools: &Path) -> Outcome {
    let (bench, id) = with_bundle(stack, tools)?;
    bench.save(START);
    let drill = restore(&bench, &id, &id, SPARE);
    let drill: Vec<&str> = drill.iter().map(String::as_str).collect();
    let again = |_: &[KeyState]| {
        bench.run(&drill)?;
        at_its_end(&bench)?;
        expect(
            records(&bench)?.iter().all(|key| has_passed(key, &id)),
            "D3 is not recorded",
        )
    };
    let reconciled = |recorded: &[KeyState]| {
        bench.run(&RECONCILE)?;
        at_its_end(&bench)?;
        again(recorded)
    };
    let mut back = restore(&bench, &id, &id, "cr");
    back.push("--move".to_owned());
    let back: Vec<&str> = back.iter().map(String::as_str).collect();
    let elsewhere = |_: &[KeyState]| {
        bench.lose_keys()?;
        bench.run(&back)?;
        bench.run(&RECONCILE)?;
        at_its_end(&bench)?;
        in_token(&bench, "cr")
    };
    each_of(&bench, START, &drill, SAMPLE, &[&again, &reconciled, &elsewhere])
}

fn moved(stack: Stack, tools: &Path) -> Outcome {
    moved_to(SPARE, stack, tools)
}

fn in_place(stack: Stack, tools: &Path) -> Outcome {
    moved_to("cr", stack, tools)
}

/// The keys are lost; the same command again, with or without `reconcile` in between, has them all in the other token, or back in theirs.
fn moved_to(to: &str, stack: Stack, tools: &Path) -> Outcome {
    let (bench, id) = with_bundle(stack, tools)?;
    bench.lose_keys()?;
    bench.save(START);
    let mut restore = restore(&bench, &id, &id, to);
    restore.push("--move".to_owned());
    let restore: Vec<&str> = restore.iter().map(String::as_str).collect();
    let again = |_: &[KeyState]| {
        // One that had come to its end, by itself or by `reconcile`, is told so, and changes nothing.
        let is_over = settled(&bench).is_ok() && in_token(&bench, to).is_ok();
        let before = bench.file();
        match (bench.run(&restore), is_over) {
            (Ok(()), false) => {}
            (Err(_), true) => expect(
                bench.file() == before,
                "a restore over keys that are there changed something",
            )?,
            (Ok(()), true) => return Err("keys were restored over those that are there".to_owned()),
            (Err(error), false) => return Err(error),
        }
        at_its_end(&bench)?;
        in_token(&bench, to)
    };
    let reconciled = |recorded: &[KeyState]| {
        bench.run(&RECONCILE)?;
        expect(bench.keys(ZONE)?.pending().is_empty(), "something is pending")?;
        again(recorded)
    };
    each_of(&bench, START, &restore, SAMPLE, &[&again, &reconciled])
}

/// The same command again makes the new bundle, or says that it was made; the old one and its shares stay as good as they were.
fn rewrap_start(stack: Stack, tools: &Path) -> Outcome {
    let (bench, old) = with_bundle(stack, tools)?;
    bench.save(START);
    let start = with_custody(&[BACKUP, "rewrap", "start", "--bundle", &old]);
    let again = |_: &[KeyState]| {
        // A successor that is there already is gone on with: there is never a second one.
        bench.run(&start)?;
        let live = found(&bench).live;
        expect(
            live.len() == 2 && live.contains(&old),
            &format!("the bundles are {live:?}"),
        )?;
        at_its_end(&bench)
    };
    each_of(&bench, START, &start, SAMPLE, &[&again])
}

/// The same command again has set the old bundle aside, which its shares still open.
fn rewrap_finish(stack: Stack, tools: &Path) -> Outcome {
    let (bench, old) = with_bundle(stack, tools)?;
    bench.run(&with_custody(&[BACKUP, "rewrap", "start", "--bundle", &old]))?;
    let mut live = found(&bench).live;
    live.retain(|id| *id != old);
    let new = live.pop().ok_or("no successor was made")?;
    acknowledge(&bench, &new)?;
    bench.save(START);
    let finish = [BACKUP, "rewrap", "finish", "--bundle", &new];
    let again = |_: &[KeyState]| {
        bench.run(&finish)?;
        let bundles = found(&bench);
        expect(
            bundles.live == [new.clone()] && bundles.superseded == [old.clone()],
            &format!(
                "there are {:?}, and set aside {:?}",
                bundles.live, bundles.superseded
            ),
        )?;
        at_its_end(&bench)
    };
    each_of(&bench, START, &finish, SAMPLE, &[&again])
}

/// The same command again has one parent, whose private part is in one bundle, and for which a key can be made.
fn parent(stack: Stack, tools: &Path) -> Outcome {
    let bench = Bench::with_custodians(stack, tools);
    bench.save(START);
    let parent = with_custody(&[BACKUP, "parent", "--token", "cr"]);
    let again = |_: &[KeyState]| {
        let is_set = bench.site().join("tpm/cr/recovery-parent.tpm").exists();
        match (bench.run(&parent), is_set) {
            (Ok(()), false) => {}
            (Err(said), true) if said.contains("has a recovery parent") => {}
            (Ok(()), true) => return Err("a second parent was made".to_owned()),
            (Err(error), _) => return Err(error),
        }
        at_its_end(&bench)?;
        let bundles = parents(&bench);
        expect(
            bundles.len() == 1 && found(&bench).live == bundles,
            &format!("the bundles are {:?}", found(&bench).live),
        )?;
        bench.run(&[KEYCTL, "generate", "--zone", ZONE, "--role", "zsk"])?;
        settled(&bench)
    };
    each_of(&bench, START, &parent, SAMPLE, &[&again])
}

/// With less and less room for each file, down to none: what fails is told, leaves nothing, and nothing is lost.
fn full_disk(stack: Stack, tools: &Path) -> Outcome {
    let bench = with_keys(stack, tools)?;
    let before = found(&bench).live.len();
    bench.save(START);
    fails_clean(&bench, &create_command(), &|| {
        let live = found(&bench).live.len();
        expect(live == before, &format!("{before} bundles have become {live}"))
    })?;
    at_its_end(&bench)?;
    let live = found(&bench).live;
    let parents = parents(&bench);
    let id = live
        .iter()
        .find(|id| !parents.contains(id))
        .ok_or("no bundle was made")?;
    bench.lose_keys()?;
    bench.save(START);
    let to = if stack == Stack::Tpm { "cr" } else { SPARE };
    let mut restore = restore(&bench, id, id, to);
    restore.push("--move".to_owned());
    let restore: Vec<&str> = restore.iter().map(String::as_str).collect();
    fails_clean(&bench, &restore, &|| Ok(()))?;
    at_its_end(&bench)?;
    in_token(&bench, to)
}

/// Runs a command with more and more room until it succeeds. Where it does not, `look` finds nothing of it, and with room again it succeeds.
fn fails_clean(bench: &Bench, command: &[&str], look: &dyn Fn() -> Outcome) -> Outcome {
    // SoftHSM's C_Login that cannot write token.object leaves no token; with one block it can.
    let least = u32::from(bench.stack == Stack::SoftHsm);
    let mut failed = 0;
    for blocks in least.. {
        bench.load(START);
        let done = bench.run_with_room(blocks, command);
        bench.clean();
        if done.is_ok() {
            break;
        }
        failed += 1;
        let in_context = |problem| format!("{blocks} blocks for each file: {problem}");
        look().map_err(in_context)?;
        bench.run(command).map_err(in_context)?;
        settled(bench).and_then(|()| whole(bench)).map_err(in_context)?;
    }
    expect(failed > 0, "every file had room")
}

/// Every custodian proves to hold the share of a bundle.
fn acknowledge(bench: &Bench, id: &str) -> Outcome {
    acknowledge_by(bench, id, &|command| bench.said(command))
}

/// The same, with the commands run by somebody else.
pub fn acknowledge_by(bench: &Bench, id: &str, run: &dyn Fn(&[&str]) -> Outcome<String>) -> Outcome {
    let challenge = run(&[BACKUP, "check-proof", "--bundle", id, "--challenge"])?;
    let mut check = [BACKUP, "check-proof", "--bundle", id]
        .map(str::to_owned)
        .to_vec();
    for name in CUSTODIANS {
        let share = format!("file:../shares/{id}-{name}.age");
        let (identity, key) = (format!("../people/{name}.key"), format!("../people/{name}"));
        let prove = [BACKUP, "prove", "--bundle", id, "--challenge", challenge.trim()];
        let by = ["--share", &share, "--identity", &identity, "--sign-with", &key];
        let proof = run(&[&prove[..], &by].concat())?;
        let file = bench.folder().join(format!("{name}.proof"));
        fs::write(&file, proof).unwrap();
        check.push(file.display().to_string());
    }
    let check: Vec<&str> = check.iter().map(String::as_str).collect();
    run(&check).map(drop)
}

fn records(bench: &Bench) -> Outcome<Vec<KeyRecord>> {
    Ok(bench.keys(ZONE)?.keys().to_vec())
}

/// Whether it was restored from that bundle, by its record.
fn has_passed(key: &KeyRecord, bundle: &str) -> bool {
    let mut entries = key.backup.bundles.iter().filter(|entry| entry.bundle == bundle);
    entries.any(|entry| entry.drills.iter().any(|drill| drill.level == DrillLevel::D3))
}

/// All keys are in that token, by their records.
fn in_token(bench: &Bench, token: &str) -> Outcome {
    let site = SiteFolder::open(bench.site()).map_err(|error| error.to_string())?;
    for key in records(bench)? {
        let place = site
            .site()
            .token_of(&key.reference)
            .map(|(name, _)| name.to_string());
        expect(
            place.as_deref() == Some(token),
            &format!("key {} is in {place:?}", key.id),
        )?;
    }
    Ok(())
}
