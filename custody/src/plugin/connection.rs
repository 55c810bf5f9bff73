//! A plugin that runs.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::error::PluginError;
use super::stanza::{LONGEST, More, Stanza, written};
use super::{PluginName, Plugins};
use crate::dialogue::plain;

/// What a plugin is started for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    /// To encrypt.
    Recipient,
    /// To decrypt.
    Identity,
}

impl Machine {
    fn argument(self) -> &'static str {
        match self {
            Self::Recipient => "--age-plugin=recipient-v1",
            Self::Identity => "--age-plugin=identity-v1",
        }
    }
}

/// What is made of a command of the plugin.
pub(super) enum Answer {
    /// It was taken.
    Ok,
    /// It breaks the protocol, in this.
    Broken(&'static str),
    /// It is none that we know.
    Unknown,
}

pub(super) struct Connection<'p> {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// What was heard and is not read yet.
    heard: Zeroizing<Vec<u8>>,
    binary: String,
    plugins: &'p Plugins,
}

impl<'p> Connection<'p> {
    /// Starts the plugin, with nothing of our environment but `PATH` and `HOME`, in a folder where no file of ours is. What it prints on
    /// stderr is for its makers.
    pub(super) fn open(
        name: &PluginName,
        machine: Machine,
        plugins: &'p Plugins,
    ) -> Result<Self, PluginError> {
        let program = plugins.find(name)?;
        let binary = name.binary();
        let mut command = Command::new(program);
        command
            .arg(machine.argument())
            .env_clear()
            .env("PATH", plugins.path())
            .current_dir("/");
        if let Some(home) = plugins.home() {
            command.env("HOME", home);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let failed = |source| PluginError::Io {
            binary: binary.clone(),
            source,
        };
        let mut child = command.spawn().map_err(failed)?;
        let (input, Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Self {
            child,
            input,
            output,
            heard: Zeroizing::new(Vec::with_capacity(2 * LONGEST)),
            binary,
            plugins,
        })
    }

    /// Sends a command or an answer.
    pub(super) fn send(&mut self, tag: &str, arguments: &[&str], body: &[u8]) -> Result<(), PluginError> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe.into());
        let sent = input.and_then(|input| {
            input.write_all(&written(tag, arguments, body))?;
            input.flush()
        });
        sent.map_err(|source| match source.kind() {
            io::ErrorKind::BrokenPipe => PluginError::Died {
                binary: self.binary.clone(),
            },
            _ => self.failed(source),
        })
    }

    /// Ends our part, and does what the plugin asks for until it is done. `own` takes the commands that bring what we want.
    pub(super) fn converse(mut self, mut own: impl FnMut(&mut Stanza) -> Answer) -> Result<(), PluginError> {
        self.send("done", &[], &[])?;
        let mut errors = Vec::new();
        loop {
            let mut stanza = self.receive()?;
            match stanza.tag.as_str() {
                "done" => break,
                "error" => {
                    errors.push(plain(&stanza.body));
                    self.send("ok", &[], &[])?;
                }
                "msg" | "confirm" | "request-public" | "request-secret" => self.ask(&stanza)?,
                _ => match own(&mut stanza) {
                    Answer::Ok => self.send("ok", &[], &[])?,
                    Answer::Broken(what) => return Err(self.broken(what)),
                    Answer::Unknown => self.send("unsupported", &[], &[])?,
                },
            }
        }
        // It ends when it hears nothing more.
        self.input = None;
        let _ = self.child.wait();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(PluginError::Said {
                binary: self.binary.clone(),
                said: errors.join("; "),
            })
        }
    }

    /// Asks the person.
    fn ask(&mut self, stanza: &Stanza) -> Result<(), PluginError> {
        let dialogue = *self.plugins.dialogue();
        let text = format!("{}: {}", self.binary, plain(&stanza.body));
        match stanza.tag.as_str() {
            "msg" => {
                (dialogue.tell)(&text);
                self.send("ok", &[], &[])
            }
            "confirm" => {
                let labels: Option<Vec<String>> = stanza.arguments.iter().map(|word| label(word)).collect();
                let labels = labels.ok_or_else(|| self.broken("a label of a question is not base64"))?;
                let (yes, no) = match labels.as_slice() {
                    [yes] => (yes, None),
                    [yes, no] => (yes, Some(no.as_str())),
                    _ => return Err(self.broken("a question has one or two labels")),
                };
                match (dialogue.choose)(&text, yes, no) {
                    Some(true) => self.send("ok", &["yes"], &[]),
                    Some(false) => self.send("ok", &["no"], &[]),
                    None => self.send("fail", &[], &[]),
                }
            }
            "request-public" => match (dialogue.ask)(&text) {
                Some(line) => self.send("ok", &[], line.as_bytes()),
                None => self.send("fail", &[], &[]),
            },
            _ => match (dialogue.ask_secret)(&text) {
                Some(secret) => self.send("ok", &[], secret.expose_secret().as_bytes()),
                None => self.send("fail", &[], &[]),
            },
        }
    }

    fn receive(&mut self) -> Result<Stanza, PluginError> {
        let line = self.line()?;
        let mut stanza = Stanza::begin(&line).ok_or_else(|| self.broken("a line is no command"))?;
        loop {
            let line = self.line()?;
            match stanza.add(&line) {
                Some(More::ToCome) => {}
                Some(More::No) => return Ok(stanza),
                None => return Err(self.broken("the body of a command is no base64")),
            }
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Zeroizing<Vec<u8>>, PluginError> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line = self.heard.get(..end).map(<[u8]>::to_vec);
                self.heard.drain(..=end);
                return line
                    .map(Zeroizing::new)
                    .ok_or_else(|| self.broken("a line is cut"));
            }
            if self.heard.len() > LONGEST {
                return Err(self.broken("a line has no end"));
            }
            let mut buffer = Zeroizing::new([0; 4096]);
            let length = match self.output.read(&mut *buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.failed(error)),
            };
            match buffer.get(..length) {
                Some(bytes) if !bytes.is_empty() => self.heard.extend_from_slice(bytes),
                Some(_) | None => {
                    return Err(PluginError::Died {
                        binary: self.binary.clone(),
                    });
                }
            }
        }
    }

    fn failed(&self, source: io::Error) -> PluginError {
        PluginError::Io {
            binary: self.binary.clone(),
            source,
        }
    }

    pub(super) fn broken(&self, what: &'static str) -> PluginError {
        PluginError::Protocol {
            binary: self.binary.clone(),
            what,
        }
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        // One that has ended is neither killed nor waited for again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn label(word: &str) -> Option<String> {
    Some(plain(&STANDARD_NO_PAD.decode(word).ok()?))
}
