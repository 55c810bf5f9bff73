//! The reference implementation, python's `shamir-mnemonic`, takes our shares, and we take its.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use slip39::{CombineError, Passphrase, Share, combine, split};

use crate::{phrase, random, shares, words};

/// A program of the folder that `make deps` installs the reference implementation into.
fn program(name: &str) -> PathBuf {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = top.join("target/python");
    let wanted = std::fs::read(top.join("scripts/python.txt")).unwrap();
    let installed = std::fs::read(folder.join("installed.txt")).ok();
    assert!(
        installed.as_ref() == Some(&wanted),
        "{} has not got the packages of scripts/python.txt; install them with: make deps",
        folder.display()
    );
    folder.join("bin").join(name)
}

/// What a program answers to `input`.
fn answer(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn reference(request: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference.py");
    let answer = answer(Command::new(program("python")).arg(script), &request.to_string());
    serde_json::from_str(&answer).unwrap()
}

/// The reference's shares of `secret`, by group.
fn generate(
    secret: &[u8],
    passphrase: &str,
    extendable: bool,
    group_threshold: u8,
    groups: &[[u8; 2]],
) -> Vec<Vec<String>> {
    let made = reference(&json!({
        "secret": hex::encode(secret),
        "passphrase": passphrase,
        "extendable": extendable,
        "exponent": 1,
        "group_threshold": group_threshold,
        "groups": groups,
    }));
    serde_json::from_value(made).unwrap()
}

fn read<'a>(mnemonics: impl IntoIterator<Item = &'a String>) -> Vec<Share> {
    mnemonics
        .into_iter()
        .map(|mnemonic| Share::parse(mnemonic).unwrap())
        .collect()
}

#[test]
fn it_takes_our_shares() {
    for (threshold, count, exponent, passphrase) in [
        (1, 1, 0, ""),
        (2, 3, 0, ""),
        (5, 7, 2, "TREZOR"),
        (16, 16, 1, " ~"),
    ] {
        let secret: [u8; 32] = random();
        let shares = split(
            &secret,
            threshold,
            count,
            exponent,
            &phrase(passphrase),
            getrandom::fill,
        )
        .unwrap();
        let some: Vec<String> = shares
            .iter()
            .rev()
            .take(usize::from(threshold))
            .map(words)
            .collect();
        let recovered = reference(&json!({"mnemonics": some, "passphrase": passphrase}));
        assert_eq!(recovered, hex::encode(secret), "{threshold} of {count}");
    }
}

#[test]
fn from_the_same_random_bytes_it_makes_the_same_shares() {
    for (threshold, count, length) in [(1, 1, 16), (2, 2, 16), (2, 3, 32), (5, 7, 32), (15, 16, 64)] {
        let bytes: [u8; 2048] = random();
        let secret = &bytes[1500..1500 + length];
        let mut left = &bytes[..1500];
        let drawn = |buffer: &mut [u8]| {
            let (head, tail) = left.split_at(buffer.len());
            buffer.copy_from_slice(head);
            left = tail;
            Ok::<(), std::convert::Infallible>(())
        };
        let ours: Vec<String> = split(secret, threshold, count, 1, &phrase("TREZOR"), drawn)
            .unwrap()
            .iter()
            .map(words)
            .collect();
        let made = reference(&json!({
            "secret": hex::encode(secret),
            "passphrase": "TREZOR",
            "extendable": true,
            "exponent": 1,
            "group_threshold": 1,
            "groups": [[threshold, count]],
            "random": hex::encode(&bytes[..1500]),
        }));
        assert_eq!(made, json!([ours]), "{threshold} of {count}, {length}");
    }
}

#[test]
fn we_take_its_shares_of_one_group() {
    for extendable in [false, true] {
        for [threshold, count] in [[1, 1], [2, 3], [5, 7]] {
            let secret: [u8; 32] = random();
            let made = generate(&secret, "TREZOR", extendable, 1, &[[threshold, count]]);
            let shares = read(&made[0]);
            assert!(shares.iter().all(|share| share.is_extendable() == extendable));
            // All of them are more than the threshold, and checked too.
            assert_eq!(*combine(&shares, &phrase("TREZOR")).unwrap(), secret);
            assert_eq!(
                *combine(&shares[..usize::from(threshold)], &phrase("TREZOR")).unwrap(),
                secret
            );
        }
    }
}

#[test]
fn we_take_its_shares_of_several_groups() {
    for extendable in [false, true] {
        let secret: [u8; 32] = random();
        let groups = generate(&secret, "", extendable, 2, &[[1, 1], [2, 3], [3, 5], [5, 5]]);
        let combined =
            |taken: &[&[String]]| combine(&read(taken.iter().copied().flatten()), &Passphrase::empty());
        let [alone, two_of_three, three_of_five, all_of_five] = &groups[..] else {
            panic!("four groups");
        };
        for taken in [
            &[&alone[..], &two_of_three[1..]][..],
            &[&three_of_five[2..], &alone[..]],
            &[&all_of_five[..], &two_of_three[..2]],
            &[
                &alone[..],
                &two_of_three[..],
                &three_of_five[..],
                &all_of_five[..],
            ],
        ] {
            assert_eq!(*combined(taken).unwrap(), secret);
        }
        assert_eq!(
            combined(&[&three_of_five[..]]).err(),
            Some(CombineError::TooFewGroups { have: 1, need: 2 })
        );
        assert_eq!(
            combined(&[&alone[..], &three_of_five[..2]]).err(),
            Some(CombineError::TooFewOfGroup {
                group: 2,
                have: 2,
                need: 3
            })
        );
    }
}

/// The program that whoever recovers by hand has, as it is used: shares typed one after the other.
#[test]
fn the_program_shamir_recovers_our_secret_and_we_recover_its() {
    let secret: [u8; 32] = random();
    let typed: String = shares(&secret, 3, 5)
        .iter()
        .skip(2)
        .map(|share| words(share) + "\n")
        .collect();
    let said = answer(Command::new(program("shamir")).arg("recover"), &typed);
    assert!(
        said.contains(&format!("Your master secret is: {}", hex::encode(secret))),
        "{said}"
    );

    let said = answer(
        Command::new(program("shamir")).args(["create", "3of5", "--strength", "256"]),
        "",
    );
    let secret = said
        .lines()
        .next()
        .unwrap()
        .strip_prefix("Using master secret: ")
        .unwrap();
    let made: Vec<String> = said.lines().skip(2).take(3).map(str::to_owned).collect();
    assert_eq!(
        hex::encode(&*combine(&read(&made), &Passphrase::empty()).unwrap()),
        secret
    );
}
