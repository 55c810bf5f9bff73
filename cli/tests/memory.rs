//! Locked memory, in a process of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::Command;

use keyrite_cli::lock_memory;
use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid};

/// What the kernel says of this process.
fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn it_is_locked_and_not_dumped() {
    lock_memory().unwrap();
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    assert_eq!(
        fs::read_to_string("/proc/self/coredump_filter").unwrap().trim(),
        "00000000"
    );
    // As scrypt does for age's own work factor.
    let large = vec![1_u8; 1 << 28];
    let locked: u64 = status("VmLck:").parse().unwrap();
    println!("locked {}", locked >= large.len() as u64 / 1024);
}

#[test]
fn it_goes_on_where_nothing_can_be_swapped() {
    let this = std::env::current_exe().unwrap();
    let run = |program: &[&str]| {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(&this);
        let output = command
            .args(["--exact", "it_is_locked_and_not_dumped", "--nocapture"])
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    // 8 MiB, what Linux gives by itself.
    let limited = ["prlimit", "--memlock=8388608:8388608"];
    let (success, told) = if geteuid().is_root() {
        let without = ["setpriv", "--bounding-set", "-ipc_lock"];
        run(&[&limited[..], &without].concat())
    } else {
        run(&limited)
    };
    let swap = fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1;
    assert_eq!(success, !swap, "{told}");
    assert!(swap || told.contains("locked false"), "{told}");
    if geteuid().is_root() {
        let (success, told) = run(&["env"]);
        assert!(success && told.contains("locked true"), "{told}");
    }
}
