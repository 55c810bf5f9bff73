//! What signing costs, as whole programs run in turn and as ratios: to the same number of signatures with nothing around them, and to other
//! signers with the same keys and the same zone. Goals are in the rows; nothing is asserted.
//!
//! `cargo bench --bench signer -- files renewal tokens` names the parts that are wanted. `LARGEST=1000000` adds zones of up to so many delegations:
//! 100,000, and 1,000,000, which takes some minutes and 2 GiB.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run is a failure")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are what it is for"
)]

mod files;
mod measure;
mod raw;
mod renewal;
mod site;
mod table;
mod tokens;
mod zones;

use std::path::{Path, PathBuf};

fn main() {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == measure::MEASURED) {
        return measure::as_parent(arguments.skip(1));
    }
    let words: Vec<String> = arguments
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let [first, zone, count] = words.as_slice()
        && first == "--raw"
    {
        return raw::sign(Path::new("."), zone, count.parse().expect("a number"));
    }
    let named: Vec<_> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |part: &str| named.is_empty() || named.iter().any(|named| *named == part);
    if is_wanted("files") {
        files::rows();
    }
    if is_wanted("renewal") {
        renewal::rows();
    }
    if is_wanted("tokens") {
        tokens::rows();
    }
}

/// A tool of the suite, built beside this benchmark.
fn tool(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this executable");
    own.ancestors().nth(2).expect("target/release").join(name)
}
