//! Whole zones, keys in files.

use std::process::Command;

use crate::measure::{Runs, in_turn, run};
use crate::site::{Laboratory, P256, Policy, RSA};
use crate::table::{case, row, signatures};

/// Delegations of a zone, and the runs that count.
const SIZES: [(usize, usize); 3] = [(15_000, 5), (100_000, 3), (1_000_000, 1)];
/// Of the zone that is signed with RSA, which takes ten times as long.
const OF_RSA: (usize, usize) = (15_000, 1);
/// From here on only the one that takes the least memory is run beside the signer.
const HUGE: usize = 1_000_000;

pub fn rows() {
    let largest = std::env::var("LARGEST").map_or(SIZES[0].0, |text| text.parse().expect("a number"));
    let sizes = SIZES
        .into_iter()
        .filter(|(delegations, _)| *delegations <= largest);
    let runs: Vec<_> = sizes.map(|size| (size.0, whole(P256, size))).collect();
    let of_one = |(delegations, runs): &(usize, Runs)| {
        let (made, _) = signatures(&runs.0[0]);
        (*delegations, runs.median(|run| run.wall) / made as f64)
    };
    let each: Vec<_> = runs.iter().map(of_one).collect();
    for (delegations, seconds) in each.iter().skip(1) {
        let (least, first) = each[0];
        println!(
            "\ngrowth, {delegations} delegations to {least}: time for a signature {:.2}   goal: 1",
            seconds / first
        );
    }
    whole(RSA, OF_RSA);
}

/// A zone that is signed from nothing; what the signer took.
fn whole(policy: Policy, (delegations, rounds): (usize, usize)) -> Runs {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Laboratory::new(folder.path(), policy, &[("cr", delegations)]);
    let signer = site.signer();
    let (count, _) = signatures(&run(&signer));
    let bind = site.bind(
        "cr",
        &site.unsigned("cr"),
        &folder.path().join("bind"),
        &["-O", "full"],
    );
    let others = [
        ("kzonesign, two threads", site.knot("cr", policy.algorithm)),
        ("ldns-signzone", site.ldns("cr")),
        ("dnssec-signzone -P -n 1", bind),
    ];
    let others = match delegations {
        ..HUGE => &others[..],
        HUGE.. => &others[..1],
    };
    let raw = site.raw("cr", count);
    let commands: Vec<&Command> = [&signer, &raw]
        .into_iter()
        .chain(others.iter().map(|(_, command)| command))
        .collect();
    let mut runs = in_turn(rounds, &commands, &|_| {});
    let of_signer = runs.remove(0);
    let raw = runs.remove(0);
    case(
        &format!(
            "full sign, {}, NSEC3, {delegations} delegations",
            policy.algorithm
        ),
        &of_signer,
    );
    let efficiency = match policy.algorithm {
        "RSASHA256" => "0.85 of the signer's time or more",
        _ => "0.8 of the signer's time or more",
    };
    row(
        "raw signatures, two threads: s, ratio to signer",
        &raw,
        &of_signer,
        |run| run.wall,
        efficiency,
    );
    for ((name, _), runs) in others.iter().zip(&runs) {
        row(
            &format!("{name}: s, ratio to signer"),
            runs,
            &of_signer,
            |run| run.wall,
            "1.67 times the signer's time or more (0.6), the fastest",
        );
    }
    let knot = &runs[0];
    row(
        "kzonesign: MiB, ratio to signer",
        knot,
        &of_signer,
        |run| run.memory,
        "1.33 times the signer's or more (0.75), at 1,000,000",
    );
    of_signer
}
