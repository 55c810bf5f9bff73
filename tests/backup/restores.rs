//! Keys of every kind, restored from every choice of shares.

use std::fs;

use keyrite_tests::Stack;
use libtest_mimic::Trial;

use crate::bench::{Bench, Bundle, Split, ZONE};

/// A kind of key, by the options of `generate`.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    options: &'static str,
}

const RSA_2048: Kind = Kind {
    name: "RSA-2048",
    options: "--algorithm RSASHA256 --bits 2048",
};
const RSA_4096: Kind = Kind {
    name: "RSA-4096",
    options: "--algorithm RSASHA512 --bits 4096",
};
const P256: Kind = Kind {
    name: "P-256",
    options: "--algorithm ECDSAP256SHA256",
};
const P384: Kind = Kind {
    name: "P-384",
    options: "--algorithm ECDSAP384SHA384",
};

pub fn trials() -> Vec<Trial> {
    let all = std::env::var_os("SUBSETS").is_some_and(|which| which == "all");
    let splits = |is_largest_too: bool| match all || is_largest_too {
        true => vec![Split::SMALL, Split::LARGE],
        false => vec![Split::SMALL],
    };
    let wrapped = [(RSA_2048, false), (RSA_4096, false), (P256, true), (P384, false)];
    let native = [(RSA_2048, false), (P256, false)];
    let mut trials = Vec::new();
    for (kind, is_largest_too) in wrapped {
        let splits = splits(is_largest_too);
        let run = move || {
            from_softhsm(kind, &splits);
            Ok(())
        };
        trials.push(Trial::test(format!("softhsm: {} comes back", kind.name), run));
    }
    for (kind, is_largest_too) in native {
        let splits = splits(is_largest_too);
        let run = move || {
            from_tpm(kind, &splits);
            Ok(())
        };
        trials.push(Trial::test(format!("tpm: {} comes back", kind.name), run));
    }
    trials
}

fn from_softhsm(kind: Kind, splits: &[Split]) {
    let bench = Bench::new(Stack::SoftHsm);
    let published = publish(&bench, kind);
    let bundles: Vec<Bundle> = splits
        .iter()
        .map(|split| bench.bundle(&format!("keyrite-backup create --zone {ZONE}"), *split))
        .collect();
    let pins = [("cr", "0x81020000"), ("spare", "0x81020004")];
    let empty = bench.objects(pins[1].0, pins[1].1);
    for bundle in &bundles {
        for chosen in bundle.split.choices() {
            drill(&bench, bundle, &bundle.shares_of(&chosen));
        }
    }
    assert_eq!(
        bench.objects(pins[1].0, pins[1].1),
        empty,
        "a drill left something"
    );
    // Each bundle is restored for good once: from one token to the other, which is lost each time before.
    for (place, bundle) in bundles.iter().enumerate() {
        let (lost, to) = match place % 2 {
            0 => ("cr", "spare"),
            _ => ("spare", "cr"),
        };
        bench.must(&format!("softhsm2-util --delete-token --token {lost}"));
        if place % 2 == 1 {
            bench.must("keyrite-tpm-init token --token cr");
        }
        let chosen = bundle.split.choices().pop().unwrap();
        moved(&bench, bundle, to, &bundle.shares_of(&chosen));
        signs_as_published(&bench, &published);
    }
}

fn from_tpm(kind: Kind, splits: &[Split]) {
    let bench = Bench::new(Stack::Tpm);
    // The parent's own bundle is split as the first of the keys'.
    let parent = bench.bundle("keyrite-backup parent --token cr", splits[0]);
    let published = publish(&bench, kind);
    let bundles: Vec<Bundle> = splits
        .iter()
        .map(|split| bench.bundle(&format!("keyrite-backup create --zone {ZONE}"), *split))
        .collect();
    let spare = bench.spare_tpm();
    let of_parent = parent.split.choices();
    for bundle in &bundles {
        // Every choice of the one with a choice of the other, so that all of both are met.
        for (chosen, parents) in bundle.split.choices().iter().zip(of_parent.iter().cycle()) {
            let shares = [bundle.shares_of(chosen), parent.shares_of(parents)].join(" ");
            drill(&bench, bundle, &shares);
        }
    }
    for entry in fs::read_dir(bench.site().join("keys/tpm")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let refused = bench.said(&format!("keyrite-signer sign --zone {ZONE}"));
    assert_ne!(refused.code, 0, "it signs without its keys");
    let last = bundles.last().unwrap();
    let chosen = last.split.choices().pop().unwrap();
    let shares = [last.shares_of(&chosen), parent.shares_of(&of_parent[0])].join(" ");
    moved(&bench, last, "spare", &shares);
    signs_as_published(&bench, &published);
    assert!(spare.leaked_handles().unwrap().is_empty());
}

/// Makes the zone's keys and publishes them; its DNSKEYs.
fn publish(bench: &Bench, kind: Kind) -> Vec<String> {
    bench.must(&format!(
        "keyrite-keyctl generate --zone {ZONE} --role ksk --role zsk --activate {}",
        kind.options
    ));
    sign(bench)
}

/// Signs the zone, has a validator's tool accept it, and gives its DNSKEYs.
fn sign(bench: &Bench) -> Vec<String> {
    bench.must(&format!("keyrite-signer sign --zone {ZONE}"));
    bench.must(&format!("dnssec-verify -q -o {ZONE} signed/{ZONE}.zone"));
    let zone = fs::read_to_string(bench.site().join(format!("signed/{ZONE}.zone"))).unwrap();
    let dnskeys = zone
        .lines()
        .filter(|line| line.contains(" DNSKEY ") || line.contains("\tDNSKEY\t"));
    let mut dnskeys: Vec<String> = dnskeys
        .filter(|line| !line.contains("RRSIG"))
        .map(str::to_owned)
        .collect();
    dnskeys.sort();
    assert_eq!(dnskeys.len(), 2, "a KSK and a ZSK");
    dnskeys
}

fn signs_as_published(bench: &Bench, published: &[String]) {
    assert_eq!(
        sign(bench),
        published,
        "the DNSKEYs are not those that were published"
    );
}

/// Restores the two keys with these shares, and takes them out again.
fn drill(bench: &Bench, bundle: &Bundle, shares: &str) {
    let restored = bench.must(&format!(
        "keyrite-backup restore --bundle {} --to spare {shares}",
        bundle.id
    ));
    assert_eq!(
        restored
            .matches("proved by a signature under the DNSKEY that is published, and taken out again")
            .count(),
        2,
        "{restored}"
    );
}

/// Restores the two keys with these shares for good.
fn moved(bench: &Bench, bundle: &Bundle, to: &str, shares: &str) {
    let restored = bench.must(&format!(
        "keyrite-backup restore --bundle {} --to {to} --move {shares}",
        bundle.id
    ));
    assert_eq!(
        restored
            .matches("proved by a signature under the DNSKEY that is published, and signs there from now on")
            .count(),
        2,
        "{restored}"
    );
}
