//! Writes the pictures of the sample plans into a folder, to be looked at.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::path::PathBuf;

use rollover::pictures::{Chart, Glyphs, coloured, ics, json, sheet, svg, terminal};

#[path = "mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sample;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let (late, happened) = sample::under_way();
    for (name, plan, happened) in [
        ("zsk", sample::zsk_prepublication(), None),
        ("ksk", sample::double_ksk(), None),
        ("algorithm", sample::algorithm_rollover(), None),
        ("two-years", sample::two_years(), None),
        ("under-way", late, Some(&happened)),
    ] {
        let chart = Chart::of_plan(&plan, happened);
        println!("{}", coloured(&chart, 80, Glyphs::Unicode));
        let write = |ending: &str, text: &str| std::fs::write(folder.join(format!("{name}.{ending}")), text);
        write("txt", &terminal(&chart, 80, Glyphs::Unicode)).unwrap();
        write("svg", &svg(&chart)).unwrap();
        write("ics", &ics(&plan)).unwrap();
        write("json", &json(&plan).unwrap()).unwrap();
        write("html", &sheet(&plan).unwrap()).unwrap();
        write("ascii.txt", &terminal(&chart, 80, Glyphs::Ascii)).unwrap();
    }
}
