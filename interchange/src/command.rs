//! A command of other software, for somebody to run.

use std::fmt;

use crate::report::Lost;

/// A command line that another tool takes, and what it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments, each as the program is to get it.
    pub argv: Vec<String>,
    /// What is known of the key and has no place in the command.
    pub lost: Vec<Lost>,
}

impl fmt::Display for Command {
    /// One line for a POSIX shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, argument) in self.argv.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=.,:/+@%".contains(&byte);
            if !argument.is_empty() && argument.bytes().all(plain) {
                f.write_str(argument)?;
            } else {
                write!(f, "'{}'", argument.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gives_back_the_arguments() {
        let argv = [
            "printf",
            "%s|",
            "plain",
            "",
            "two words",
            "it's",
            "$HOME `id` \\ \"",
            "a\nb",
            "*",
        ];
        let command = Command {
            argv: argv.map(str::to_owned).to_vec(),
            lost: Vec::new(),
        };
        let out = std::process::Command::new("sh")
            .arg("-c")
            .arg(command.to_string())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(out.stdout).unwrap(),
            argv[2..].iter().map(|a| format!("{a}|")).collect::<String>()
        );
    }
}
