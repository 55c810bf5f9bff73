//! Man pages and completions, from the same definition as the command line.

use std::fs;
use std::path::PathBuf;

use clap::{Command, Subcommand};
use clap_complete::Shell;

use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// Verbs of every tool that write its documents; packagers run them.
#[derive(Subcommand, Debug)]
pub enum DocumentVerb {
    /// Write the man pages into a folder
    #[command(hide = true)]
    Man {
        /// The folder
        folder: PathBuf,
    },
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl DocumentVerb {
    /// Does it, for the tool that `command` defines.
    pub fn run(&self, mut command: Command, output: &mut Output) -> Outcome {
        match self {
            Self::Man { folder } => fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(command, folder))
                .map_err(|error| {
                    Failure::of(Exit::Failed, &error)
                        .within(format!("cannot write man pages to {}", folder.display()))
                }),
            Self::Completions { shell } => {
                let name = command.get_name().to_owned();
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut command, name, &mut text);
                output.result(String::from_utf8_lossy(&text))
            }
        }
    }
}
