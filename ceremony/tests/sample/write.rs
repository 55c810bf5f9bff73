//! Writes the pages of the invented ceremony of the tests into a folder, to be looked at.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an example for those who change the pages"
)]

use std::path::PathBuf;

use ceremony::report::page;
use ceremony::script::Kind;

#[path = "mod.rs"]
mod sample;

fn main() {
    let folder: PathBuf = std::env::args_os().nth(1).unwrap().into();
    for (name, kind, fails) in [
        ("report.html", Kind::Production, &[][..]),
        ("rehearsal.html", Kind::Rehearsal, &[]),
        ("failed.html", Kind::Production, &["chain"]),
    ] {
        let log = sample::text(&sample::ceremony(kind).entries);
        let report = sample::report(&log, &sample::verification(fails));
        std::fs::write(folder.join(name), page(&report)).unwrap();
        println!("{}", folder.join(name).display());
    }
}
