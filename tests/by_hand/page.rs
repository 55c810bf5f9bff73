//! docs/recovery-by-hand.md as somebody runs it: its blocks for `sh`, in their order.

use std::collections::BTreeMap;
use std::fmt::Write;

const PAGE: &str = include_str!("../../docs/recovery-by-hand.md");

/// A block of the page, and the heading that it stands under.
struct Block {
    heading: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let (mut blocks, mut heading, mut open) = (Vec::new(), "", None::<String>);
    for line in PAGE.lines() {
        match (&mut open, line) {
            (Some(_), "```") => {
                let text = open.take().unwrap();
                blocks.push(Block { heading, text });
            }
            (Some(text), line) => writeln!(text, "{line}").unwrap(),
            (None, "```sh") => open = Some(String::new()),
            (None, line) if line.starts_with("##") => heading = line.trim_start_matches(['#', ' ']),
            (None, _) => {}
        }
    }
    assert!(open.is_none(), "the last block has no end");
    blocks
}

/// The whole page but for some headings, as one script. The first block has variables and nothing else, which get `values`.
pub fn script(values: &[(&str, String)], without: &[&str]) -> String {
    let blocks = blocks();
    let (first, rest) = blocks.split_first().expect("a first block");
    let mut values: BTreeMap<&str, &String> = values.iter().map(|(name, value)| (*name, value)).collect();
    let mut script = String::new();
    for line in first.text.lines() {
        let (name, _) = line.split_once('=').expect("NAME=value");
        let value = values
            .remove(name)
            .unwrap_or_else(|| panic!("the page has {name}, and the test does not"));
        writeln!(script, "{name}='{value}'").unwrap();
    }
    assert!(values.is_empty(), "not on the page: {values:?}");
    for heading in without {
        assert!(
            blocks.iter().any(|block| block.heading == *heading),
            "no block under '{heading}'"
        );
    }
    for block in rest.iter().filter(|block| !without.contains(&block.heading)) {
        script.push_str(&block.text);
    }
    script
}
