//! A name server is told that a zone was replaced, by a command of the site's.

use std::fs;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cli::{Exit, Failure, Outcome};
use key_metadata::{Reload, ZoneName};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};

/// The most that is kept of what it prints, in octets.
const MOST_SAID: u64 = 1 << 16;

/// Runs the command for a zone, and gives the lines that it printed. It has nothing of our environment but `PATH` and `HOME`, none of our open files, and
/// no input.
pub fn reload(reload: &Reload, zone: &ZoneName, file: &Path) -> Outcome<Vec<String>> {
    let Some((program, arguments)) = reload.of(&zone.to_string(), &file.display().to_string()) else {
        return Ok(Vec::new());
    };
    let failed = |why: String| {
        Failure::new(
            Exit::PartWay,
            format!("zone {zone} was signed, and its name server was not told"),
        )
        .because(why)
    };
    let again = |hint: &str| {
        format!(
            "{hint}; the zone is in {}: tell the server by hand",
            file.display()
        )
    };
    close_on_exec().map_err(|error| failed(format!("open files cannot be kept from {program}: {error}")))?;
    let child = command(&program, &arguments).spawn().map_err(|error| {
        failed(format!("{program} cannot be started: {error}")).hint(again(
            "reload.command in site.yaml names a program by its full path, or one of PATH",
        ))
    })?;
    let (said, status) = wait(child, Duration::from_secs(reload.timeout.seconds().into()))
        .map_err(|error| failed(format!("{program} cannot be waited for: {error}")))?;
    let with_what_it_said =
        |failure: Failure| said.iter().fold(failure, |failure, line| failure.because(line));
    match status {
        Some(status) if status.success() => Ok(said),
        Some(status) => {
            let failure = with_what_it_said(failed(format!("{program} ended with {status}")));
            Err(failure.hint(again("see what it says")))
        }
        None => {
            let failure = with_what_it_said(failed(format!(
                "{program} was not done after {}, and was ended",
                reload.timeout
            )));
            Err(failure.hint(again(
                "see whether the server answers, or give it longer: reload.timeout",
            )))
        }
    }
}

fn command(program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it starts ends with it.
        .process_group(0);
    command
}

/// What a program printed, and how it ended; no end where it took too long.
fn wait(mut child: Child, longest: Duration) -> io::Result<(Vec<String>, Option<ExitStatus>)> {
    let pipes = [
        child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    let (sender, said) = mpsc::channel();
    for pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        thread::spawn(move || sender.send(lines(pipe)));
    }
    drop(sender);
    let group = Pid::from_child(&child);
    let (done, is_done) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let status = child.wait();
        // Nobody listens where it took too long.
        let _ = done.send(());
        status
    });
    let in_time = is_done.recv_timeout(longest).is_ok();
    if !in_time {
        // One that has just ended cannot be killed, and need not be.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = waiting
        .join()
        .map_err(|_| io::Error::other("the thread that waits is gone"))??;
    // A daemon that it started keeps the pipes open: who is not done with them soon is not waited for.
    let said = std::iter::from_fn(|| said.recv_timeout(Duration::from_secs(1)).ok());
    Ok((said.flatten().collect(), in_time.then_some(status)))
}

/// The lines of a pipe that is read to its end; the first part of them is kept.
fn lines(mut pipe: Box<dyn Read + Send>) -> Vec<String> {
    let mut kept = Vec::new();
    let _ = pipe.by_ref().take(MOST_SAID).read_to_end(&mut kept);
    // Who writes more must not wait for a reader.
    let _ = io::copy(&mut pipe, &mut io::sink());
    let text = String::from_utf8_lossy(&kept);
    let lines = text
        .lines()
        .map(|line| line.trim_end().escape_debug().to_string());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Keeps what is open now from programs that are started: a descriptor that a PIN came from, and the sockets of the TPM's library, are inherited
/// otherwise.
fn close_on_exec() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if number <= 2 {
            continue;
        }
        #[expect(unsafe_code, reason = "a descriptor of which nothing but its number is known")]
        // SAFETY: the number is of an open file or, where that was closed since, of none, which the calls refuse.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor) {
            fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use key_metadata::Span;

    use super::*;

    fn run(command: &[&str]) -> Outcome<Vec<String>> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let timeout = Span::from_seconds(1);
        reload(
            &Reload { command, timeout },
            &"fi.cr".parse().unwrap(),
            Path::new("signed/fi.cr.zone"),
        )
    }

    #[test]
    fn what_it_prints_is_told_and_no_file_of_ours_is_open_in_it() {
        let _open = fs::File::open("/dev/null").unwrap();
        let said = run(&[
            "sh",
            "-c",
            "echo $0 $1; ls /proc/self/fd | wc -l; env | cut -d= -f1 | sort",
            "{zone}",
            "{file}",
        ]);
        let said = said.unwrap();
        assert_eq!(said[0], "fi.cr signed/fi.cr.zone");
        // Its own three, and the folder that ls reads.
        assert_eq!(said[1], "4", "{said:?}");
        let known = ["HOME", "PATH", "PWD", "SHLVL", "OLDPWD", "_"];
        assert!(
            said[2..].iter().all(|name| known.contains(&name.as_str())),
            "{said:?}"
        );
        assert_eq!(run(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_failure_names_the_zone_and_why() {
        for (command, why) in [
            (
                &["sh", "-c", "echo no such zone >&2; exit 3"][..],
                "ended with exit status: 3: no such zone",
            ),
            (&["/nowhere/rndc"], "/nowhere/rndc cannot be started"),
            (
                &["sh", "-c", "sleep 1000 & sleep 1000"],
                "was not done after 1s, and was ended",
            ),
        ] {
            let failure = run(command).unwrap_err();
            assert_eq!(failure.exit(), Exit::PartWay);
            let text = failure.in_a_line();
            assert!(
                text.starts_with("zone fi.cr was signed") && text.contains(why),
                "{text}"
            );
            assert!(failure.next_step().unwrap().contains("signed/fi.cr.zone"));
        }
    }
}
