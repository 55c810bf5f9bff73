//! Whether the clock can be right: it is not before what the site's files tell.
//!
//! By a clock that was set back nothing is due, so that a zone which needs something looks well; and what is done by it is recorded as done long
//! ago, so that the waits after it are over at once.

use std::path::PathBuf;

use cli::{Exit, Failure, Outcome};
use key_metadata::Time;
use key_metadata::gate::CLOCK_SKEW;

/// A failure where one of the files tells of something that is still to come.
pub fn is_after(files: impl IntoIterator<Item = (PathBuf, Option<Time>)>, now: Time) -> Outcome {
    let mut ahead = files
        .into_iter()
        .filter_map(|(path, at)| Some((path, at.filter(|at| *at > now.after(CLOCK_SKEW))?)));
    match ahead.next() {
        None => Ok(()),
        Some((path, at)) => {
            let problem = format!(
                "{} has something of {at}, and the clock says {now}",
                path.display()
            );
            let hint =
                "set the clock; where it was ahead when that was written, put back the copy from before";
            Err(Failure::new(Exit::Failed, problem).hint(hint.to_owned()))
        }
    }
}
