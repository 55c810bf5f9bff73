//! Figures in words.

use crate::measure::{Run, Runs};

/// Signatures that the signer made and kept, over all zones.
pub fn signatures(run: &Run) -> (u64, u64) {
    let report: serde_json::Value = serde_json::from_str(&run.printed).expect("a report");
    let zones = report["zones"].as_array().expect("zones");
    let sum = |field: &str| zones.iter().filter_map(|zone| zone[field].as_u64()).sum();
    (sum("signatures"), sum("kept"))
}

/// The head of a case: what the signer took.
pub fn case(what: &str, signer: &Runs) {
    let (made, kept) = signatures(&signer.0[0]);
    println!(
        "\n{what}: {made} signatures made, {kept} kept, in {:.2} s ({:.2} s of CPU, {:.0} MiB)",
        signer.median(|run| run.wall),
        signer.median(|run| run.cpu),
        signer.median(|run| run.memory)
    );
}

/// A ratio, the median of those of each round, and what it should be.
pub fn row(what: &str, one: &Runs, other: &Runs, figure: fn(&Run) -> f64, goal: &str) {
    println!(
        "  {what:<44} {:>9.2} {:>7.2}   goal: {goal}",
        one.median(figure),
        one.to(other, figure)
    );
}
