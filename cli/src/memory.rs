//! Keeping the memory of a tool that holds secrets out of swap and core dumps.

use std::fs;
use std::hint::black_box;
use std::io;

use rustix::mm::{MlockAllFlags, mlockall, munlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::failure::{Exit, Failure, Outcome};

/// What is allocated after the memory was locked, in bytes: scrypt takes 1 GiB for the largest work factor that is opened, and the rest is
/// our choice.
const ROOM: usize = (1 << 30) + (1 << 28);

/// Locks all memory, also that to come, and sees that none of it is dumped. Where the user may not lock as much, it goes on if the machine
/// has no swap.
///
/// Pages are locked when they are first used, so that large stacks and buffers cost no more than before.
pub fn lock_memory() -> Outcome {
    // What the limit of core files leaves to a program that collects them. It is written before the process is its user's no more.
    let _ = fs::write("/proc/self/coredump_filter", "0");
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| failed(&error.into(), "this process cannot be kept out of core dumps"))?;
    let Err(refused) = lock_all() else {
        return Ok(());
    };
    let text = fs::read_to_string("/proc/swaps")
        .map_err(|error| failed(&error, "memory cannot be locked, and /proc/swaps cannot be read"))?;
    match swaps(&text).as_slice() {
        [] => Ok(()),
        swaps => Err(swapped(&refused, swaps)),
    }
}

/// All or nothing: memory that is locked under a limit has later allocations fail, which ends the program.
fn lock_all() -> io::Result<()> {
    let limit = getrlimit(Resource::Memlock);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it cannot be raised, the lock is refused or not.
    let _ = setrlimit(Resource::Memlock, most);
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    let mut room: Vec<u8> = Vec::new();
    let has_room = room.try_reserve_exact(ROOM);
    // The compiler must not find out that nobody uses it.
    black_box(&mut room);
    if has_room.is_err() {
        munlockall()?;
        return Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            "the limit of locked memory is too low",
        ));
    }
    Ok(())
}

/// The devices and files of a /proc/swaps.
fn swaps(text: &str) -> Vec<&str> {
    let lines = text.lines().skip(1);
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

fn failed(error: &io::Error, what: &str) -> Failure {
    Failure::of(Exit::Failed, error).within(what)
}

fn swapped(refused: &io::Error, swaps: &[&str]) -> Failure {
    let what = format!(
        "memory cannot be locked, and secrets could be written to {}",
        swaps.join(" and ")
    );
    failed(refused, &what).hint("ulimit -l unlimited as root before, or swapoff --all".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_swap_is() {
        let header = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(swaps(header).is_empty() && swaps("").is_empty());
        let text =
            format!("{header}/dev/dm-1 partition\t4194300\t\t0\t\t-2\n/swap\\040file file\t100\t0\t-3\n");
        assert_eq!(swaps(&text), ["/dev/dm-1", "/swap\\040file"]);
        let failure = swapped(&io::ErrorKind::PermissionDenied.into(), &swaps(&text));
        assert_eq!(
            failure.to_string(),
            "error: memory cannot be locked, and secrets could be written to /dev/dm-1 and /swap\\040file\n\
             cause: permission denied\nhint: ulimit -l unlimited as root before, or swapoff --all\n"
        );
    }
}
