//! Somebody between a program and its TPM: listens, counts, lies, and cuts the line.

mod cut;
mod frames;
mod lie;
mod line;
mod recording;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use cut::{Cut, Ended};

use crate::loopback::{self, PORTS};
use crate::swtpm::Swtpm;
use cut::Pending;
use frames::Frames;
use lie::Lie;
use recording::Recording;

/// A listener on a loopback address of its own that passes everything on to a [`Swtpm`], records every byte in both directions and counts
/// the commands. Drop it, and it listens no more.
pub struct Tap {
    host: String,
    tcti: String,
    wire: Arc<Wire>,
}

/// What the tap's threads share.
struct Wire {
    tpm: String,
    recording: Recording,
    script: Mutex<Script>,
    closed: AtomicBool,
}

/// What was seen of the commands, and what is to be done to those that come.
#[derive(Default)]
struct Script {
    commands: Vec<u32>,
    pending: Option<Pending>,
    severed: bool,
    lie: Lie,
}

impl Tap {
    /// Starts to listen before that TPM.
    pub fn on(swtpm: &Swtpm) -> io::Result<Self> {
        let wire = Arc::new(Wire {
            tpm: swtpm.host().to_owned(),
            recording: Recording::default(),
            script: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        loopback::somewhere(|host| {
            let listen = |port| TcpListener::bind((host, port));
            let (data, control) = (listen(PORTS[0])?, listen(PORTS[1])?);
            let (for_data, for_control) = (Arc::clone(&wire), Arc::clone(&wire));
            thread::spawn(move || accept(&data, PORTS[0], &for_data, line::commands));
            thread::spawn(move || accept(&control, PORTS[1], &for_control, line::control));
            Ok(Self {
                host: host.to_owned(),
                tcti: loopback::tcti(host),
                wire: Arc::clone(&wire),
            })
        })
    }

    /// The TCTI configuration that reaches the TPM by way of the tap.
    pub fn tcti(&self) -> &str {
        &self.tcti
    }

    /// Whether `bytes` went by, in either direction, in one piece.
    pub fn saw(&self, bytes: &[u8]) -> bool {
        self.wire.recording.has(bytes)
    }

    /// The codes of the commands so far, in their order; the one at which the line was cut is the last.
    pub fn commands(&self) -> Vec<u32> {
        self.wire.script().commands.clone()
    }

    /// Forgets what it heard and the commands that it counted.
    pub fn clear(&self) {
        self.wire.recording.clear();
        self.wire.script().commands.clear();
    }

    /// Exchanges bytes for others, as many, in the next `answers` answers that have them; it is recorded what the TPM said.
    pub fn lie(&self, exchange: Vec<(Vec<u8>, Vec<u8>)>, answers: usize) -> io::Result<()> {
        self.wire.script().lie = Lie::new(exchange, answers)?;
        Ok(())
    }

    /// How many answers are still to be changed.
    pub fn lies_left(&self) -> usize {
        self.wire.script().lie.left()
    }

    /// Cuts the line at the command that follows the next `after`; its code is sent when that is done.
    ///
    /// From then on nothing is passed on, and whoever is at the line waits, until [`Self::mend`]. The TPM is free for others.
    pub fn cut(&self, after: usize, cut: Cut) -> Receiver<u32> {
        let (told, receiver) = mpsc::channel();
        self.wire.script().pending = Some(Pending {
            left: after,
            cut,
            told,
        });
        receiver
    }

    /// Lifts a cut, done or to come: connections that are made from now on are passed on again.
    pub fn mend(&self) {
        let mut script = self.wire.script();
        script.pending = None;
        script.severed = false;
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.wire.closed.store(true, Ordering::SeqCst);
        for port in PORTS {
            // They wait for a connection, and look then whether they are closed.
            let _ = TcpStream::connect((self.host.as_str(), port));
        }
    }
}

impl Wire {
    fn script(&self) -> MutexGuard<'_, Script> {
        locked(&self.script)
    }
}

type Serve = fn(TcpStream, TcpStream, &Wire) -> io::Result<()>;

fn accept(listener: &TcpListener, port: u16, wire: &Arc<Wire>, serve: Serve) {
    for client in listener.incoming() {
        if wire.closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let wire = Arc::clone(wire);
        thread::spawn(move || {
            if wire.script().severed {
                return Frames::new(client, wire.recording.track()).swallow();
            }
            let tpm = TcpStream::connect((wire.tpm.as_str(), port))?;
            // Whoever goes away in the middle, program or TPM, ends the other's connection too, as a wire would.
            serve(client, tpm, &wire)
        });
    }
}

/// The value, also after a thread has panicked that held it: each change of it is whole.
fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().map_or_else(PoisonError::into_inner, |guard| guard)
}
