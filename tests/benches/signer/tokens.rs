//! Keys in tokens, against the token with nothing around it.

use std::fs;
use std::path::Path;
use std::process::Command;

use keyrite_tests::{Rig, Stack, TpmState};

use crate::measure::{in_turn, run};
use crate::site::{P256, Policy, RSA, write_policy};
use crate::table::{case, row, signatures};
use crate::{tool, zones};

/// Runs of each that count.
const ROUNDS: usize = 3;

pub fn rows() {
    let softhsm = "raw C_Sign, two threads";
    stack(
        Stack::SoftHsm,
        P256,
        15_000,
        softhsm,
        "0.8 of the signer's time or more",
    );
    stack(
        Stack::SoftHsm,
        RSA,
        1_500,
        softhsm,
        "0.85 of the signer's time or more",
    );
    stack(
        Stack::Tpm,
        P256,
        300,
        "TPM2_Sign, one load",
        "0.9 of the signer's time or more",
    );
    stack(Stack::Tpm2Pkcs11, P256, 300, softhsm, "no figure is known");
}

fn stack(stack: Stack, policy: Policy, delegations: usize, raw: &str, goal: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(folder.path(), stack, TpmState::Fresh).expect("the stack");
    let site = rig.site();
    fs::create_dir_all(site.join("policies")).expect("a folder");
    write_policy(&site.join("policies/bench.yaml"), policy);
    let file = site.join("site.yaml");
    let text = fs::read_to_string(&file).expect("a site");
    fs::write(
        file,
        text.replace("  cr: {policy: small-tld", "  cr: {policy: bench"),
    )
    .expect("a site");
    zones::write(&site.join("zones/cr.zone"), "cr", delegations, 0).expect("a zone");
    let command = |program: &Path, words: &str| -> Command {
        let mut command = rig.command(program);
        command.args(words.split(' ')).env("TSS2_LOG", "all+NONE");
        command
    };
    for words in ["provision", "token"] {
        run(&command(&tool("keyrite-tpm-init"), words));
    }
    run(&command(
        &tool("keyrite-keyctl"),
        "generate --zone cr --role ksk --role zsk --activate --backup none",
    ));
    let signer = command(&tool("keyrite-signer"), "sign --zone cr --json");
    let count = signatures(&run(&signer)).0;
    let own = std::env::current_exe().expect("this executable");
    let alone = command(&own, &format!("--raw cr {count}"));
    let runs = in_turn(ROUNDS, &[&signer, &alone], &|_| {});
    case(
        &format!("full sign, {}, keys in '{stack}'", policy.algorithm),
        &runs[0],
    );
    row(raw, &runs[1], &runs[0], |run| run.wall, goal);
}
