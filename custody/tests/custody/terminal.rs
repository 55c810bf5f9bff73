//! A program at a terminal: age asks for a passphrase there and nowhere else.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// Runs the program, types the line whenever it is asked for one that is not shown, and gives what it writes on stdout if it succeeds.
pub fn at_a_terminal(program: &[&str], typed: &str) -> Option<Vec<u8>> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let programs: OwnedFd = ioctl_tiocgptpeer(&ours, flags).unwrap();
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).args(program);
    command
        .stdin(programs)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    drop(command);
    let mut screen = File::from(ours);
    let mut keyboard = screen.try_clone().unwrap();
    let typed = format!("{typed}\n");
    let typing = std::thread::spawn(move || {
        let mut shown = String::new();
        let mut buffer = [0; 1024];
        // An error (EIO) when nobody has the other end any more.
        while let Ok(length @ 1..) = screen.read(&mut buffer) {
            shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
            // age turns the echo off after it has asked.
            while shown.contains("assphrase") && shown.ends_with(": ") {
                if tcgetattr(&screen).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ECHO)) {
                    keyboard.write_all(typed.as_bytes()).unwrap();
                    shown.clear();
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    typing.join().unwrap();
    output.status.success().then_some(output.stdout)
}
