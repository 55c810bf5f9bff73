//! `keyrite-keyctl generate`, `destroy` and `reconcile`, and `keyrite-backup parent`, `create`, `restore` and `rewrap`, killed at every write to a
//! store and every call of a token.
//!
//! A run is traced once (strace), which gives its *points*: the system calls that change a file of the site or of the token's store, or that
//! speak to the TPM. Then it is run afresh for each point, from the same site and token, and killed (SIGKILL) as it enters that call. Whatever a
//! PKCS#11 module or the TPM's library does in between is in the program's own memory and dies with it, so these are all the states that a kill can
//! leave: every call of a token lies between two points, and one that changes the token holds some. What the TPM itself is doing when its client
//! dies it completes; it keeps no key.
//!
//! After each kill `reconcile` succeeds, and the metadata and the token agree ([`Bench::agrees`]); a second `reconcile` changes nothing. Or the
//! interrupted command is given again, and does what it was to do, once.
//!
//! After a kill of `keyrite-backup` its own next run comes to the right end: records and tokens agree, no token has a canary, a probe or a half of
//! anything, every bundle that is there verifies, is in the records and is opened by its shares, and of one that never was there is nothing, no
//! share either. A token's log key is whole, or not there.
//!
//! After a kill of `keyrite-rollover`, or of the `keyrite-keyctl` that it runs, its own next run comes to the end that it comes to without one.
//!
//! With `KILLS=all` that is every point, looked at in every way. Otherwise a sample, looked at in turns: every write, link and rename of the site's
//! files; of calls in a row on one file of the token's store the first of each kind, the middle, the last, and of a long row what the file is at its
//! last writes; and the first of calls in a row that speak to the TPM, since the files are the same at each. What the next program cannot see is left
//! out: fsync, files without a name. `reconcile` is then killed after two interruptions, not four. Of
//! these points at most 24 of each command of `keyrite-keyctl` are taken, spread evenly, of `keyrite-backup` eight, of `keyrite-rollover` five.
//!
//! One point is left out, SoftHSM's own: C_Login empties token.object and writes it anew, and a kill between the two leaves no token
//! (SoftHSM 2.6.1; the calls on both sides of the write are taken). What it leaves of a kill besides, and nothing can remove through PKCS#11, are
//! files of objects that have no class yet; they are no keys.
//!
//! A full disk is a limit on the size of files (`ulimit -f`), from none up to what is enough.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod backups;
mod bench;
mod bundles;
mod judge;
mod kill;
mod memory;
mod needles;
mod points;
mod rollovers;
mod secrets;
mod series;
mod watched;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use keyrite_tests::Stack;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| first == bench::JUDGE) {
        return match judge::judge(Path::new(".")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "{error}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let tools = keyrite_tests::tools();
    for stack in Stack::REHEARSED {
        for (name, run) in series::ALL {
            let trial = move || run(stack, tools).map_err(Into::into);
            trials.push(Trial::test(format!("{stack}: {name}"), trial));
        }
    }
    for (stack, name, run) in backups::ALL.into_iter().chain(rollovers::ALL) {
        let trial = move || run(stack, tools).map_err(Into::into);
        trials.push(Trial::test(format!("{stack}: {name}"), trial));
    }
    for (name, run) in secrets::ALL.into_iter().chain(memory::ALL) {
        for stack in [Stack::SoftHsm, Stack::Tpm] {
            let trial = move || run(stack, tools).map_err(Into::into);
            trials.push(Trial::test(format!("{stack}: {name}"), trial));
        }
    }
    trials.push(Trial::test("memory that nobody protects", || {
        memory::unprotected().map_err(Into::into)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}
