//! The harness's own equipment, before it is believed.

use std::error::Error;
use std::fs;
use std::sync::Barrier;

use keyrite_tests::{Rig, Stack, TpmState};
use libtest_mimic::Trial;

use crate::secrets;

type Outcome = Result<(), Box<dyn Error>>;

/// Every form in which a secret (stdin) is looked for, as others write it.
const FORMS: [&str; 6] = [
    "cat",
    "od -An -v -tx1 | tr -d ' \\n'",
    "od -An -v -tx1 | tr -d ' \\n' | tr a-f A-F",
    "base64 -w0",
    "(printf 1; cat; printf 2) | base64 -w0",
    "(printf 12; cat; printf 3) | base64 -w0",
];
/// Seals the bytes of ../secret; $OPTIONS are tpm2_create's.
const SEAL: &str = "cd .. && head -c 32 /dev/urandom >secret && tpm2_createprimary -Q -C o -c primary \
    && tpm2_create -Q -C primary -i secret -u public -r private $OPTIONS && tpm2_flushcontext -t \
    && tpm2_load -Q -C primary -u public -r private -c object && tpm2_flushcontext -t \
    && tpm2_evictcontrol -Q -C o -c object $HANDLE && tpm2_flushcontext -t";

/// The trials of the equipment.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("a secret is found in every form", || Ok(every_form()?)),
        Trial::test("what a policy guards is told to have been skipped", || {
            Ok(guarded()?)
        }),
    ];
    for state in TpmState::ALL {
        trials.push(Trial::test(format!("the TPM is {state}"), move || {
            Ok(is_what_it_says(state)?)
        }));
    }
    trials.extend([Stack::OpencryptokiSoft, Stack::Tpm12].map(apart));
    trials
        .into_iter()
        .map(|trial| trial.with_kind("equipment"))
        .collect()
}

/// Ignored where the kernel refuses the stack.
fn apart(stack: Stack) -> Trial {
    let name = format!("two of {stack} at once have nothing in common, and leave no process");
    let run = move || Ok(two_apart(stack)?);
    match stack.refusal() {
        Ok(Some(reason)) => Trial::test(format!("{name} (ignored, {reason})"), run).with_ignored_flag(true),
        Ok(None) | Err(_) => Trial::test(name, run),
    }
}

/// Each is given a label while the other is there, and has kept its own when both have one.
fn two_apart(stack: Stack) -> Outcome {
    let both = Barrier::new(2);
    let labelled = |label: &str| -> Result<String, String> {
        let told = |error: Box<dyn Error>| error.to_string();
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let rig = Rig::new(folder.path(), stack, TpmState::Fresh);
        both.wait();
        let set = rig.as_ref().map_err(ToString::to_string).and_then(|rig| {
            must(
                rig,
                &format!("echo {label} | pkcsconf -c 0 -I -S 87654321 >/dev/null"),
            )
            .map_err(told)
        });
        both.wait();
        let namespace = set.and_then(|()| {
            let rig = rig.as_ref().map_err(ToString::to_string)?;
            must(rig, &format!("pkcsconf -c 0 -t | grep -q 'Label: {label} '")).map_err(told)?;
            let command = rig.command("readlink").arg("/proc/self/ns/pid").output();
            let output = command.map_err(|error| error.to_string())?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        });
        // As long as one of them looks, the other is there.
        both.wait();
        drop(rig);
        namespace
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| labelled("first"));
        let second = labelled("second");
        (first.join(), second)
    });
    let first = first.map_err(|_| "a thread panicked")??;
    for namespace in [first, second?] {
        let left = processes_in(&namespace)?;
        if !left.is_empty() {
            return Err(format!("in {namespace} there are: {}", left.join(", ")).into());
        }
    }
    Ok(())
}

/// The processes of that PID namespace, which is written as its link in /proc.
fn processes_in(namespace: &str) -> Result<Vec<String>, Box<dyn Error>> {
    if !namespace.starts_with("pid:[") || fs::read_link("/proc/self/ns/pid")?.as_os_str() == namespace {
        return Err(format!("'{namespace}' is no PID namespace of its own").into());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // What is no process has none, and a process may end while it is looked at, or have ended and wait for its parent.
        let lives = fs::read_to_string(path.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
        if lives && fs::read_link(path.join("ns/pid")).is_ok_and(|link| link.as_os_str() == namespace) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

fn every_form() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh)?;
    must(
        &rig,
        &SEAL.replace("$OPTIONS", "").replace("$HANDLE", "0x8102001f"),
    )?;
    // Where the secret is kept: sealed; in a file; in a file, in hexadecimal.
    for keep in [
        "true".to_owned(),
        "tpm2_evictcontrol -Q -C o -c 0x8102001f && cp ../secret auth".to_owned(),
        format!("({}) <../secret >auth", FORMS[1]),
    ] {
        must(&rig, &keep)?;
        let skipped = secrets::search(&rig, "nothing")?;
        if !skipped.is_empty() {
            return Err(skipped.join(", ").into());
        }
        for form in FORMS {
            // In another folder the name does not make it the user's own.
            must(&rig, &format!("mkdir -p deep; ({form}) <../secret >deep/auth"))?;
            let leak = fs::read(rig.site().join("deep/auth"))?;
            let found = secrets::search(&rig, "nothing").is_err();
            must(&rig, "rm deep/auth")?;
            // What is no text is not printed.
            let printed = String::from_utf8(leak).map_or(true, |text| secrets::search(&rig, &text).is_err());
            if !found || !printed {
                return Err(format!("kept by '{keep}', it was not found after '{form}'").into());
            }
        }
    }
    Ok(())
}

fn guarded() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh)?;
    must(&rig, "tpm2_createpolicy -Q --policy-pcr -l sha256:0 -L ../policy")?;
    let options = "-L policy -a 'fixedtpm|fixedparent'";
    must(
        &rig,
        &SEAL.replace("$OPTIONS", options).replace("$HANDLE", "0x81020000"),
    )?;
    match secrets::search(&rig, "nothing")?.as_slice() {
        // TPM_RC_POLICY_FAIL: it takes another policy than that of auth values.
        [skipped] if skipped.contains("0x81020000") && skipped.contains("(0x99D)") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Whether the TPM works, it has a certificate, the site's files verify that, and it is of the TPM's own key.
fn is_what_it_says(state: TpmState) -> Outcome {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(folder.path(), Stack::Tpm, state)?;
    let mut seen = [false; 4];
    for (seen, script) in seen.iter_mut().zip([
        "tpm2_selftest",
        "tpm2_nvread -C o 0x1c00002 >../ek.der && openssl x509 -inform der -in ../ek.der -out ../ek.pem",
        "openssl verify -CAfile tpm/ek-roots/root.pem -untrusted tpm/ek-roots/issuer.pem ../ek.pem",
        "tpm2_readpublic -Q -c 0x81010001 -f pem -o ../ek && openssl x509 -in ../ek.pem -noout -pubkey | cmp - ../ek",
    ]) {
        *seen = sh(&rig, script)?.is_ok();
    }
    let expected = match state {
        TpmState::Fresh => [true, false, false, false],
        TpmState::Manufactured => [true, true, true, true],
        TpmState::ForeignCa | TpmState::TamperedEk => [true, true, false, true],
        TpmState::OtherEk => [true, true, true, false],
        TpmState::Failed => [false, false, false, false],
    };
    if seen == expected {
        Ok(())
    } else {
        Err(format!("it is {seen:?}, not {expected:?}").into())
    }
}

/// Runs a script in the site; what it said where it failed.
fn sh(rig: &Rig, script: &str) -> Result<Result<(), String>, Box<dyn Error>> {
    let output = rig
        .command("sh")
        .args(["-c", script])
        .env("PATH", "/usr/sbin:/usr/bin:/bin")
        .output()?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(Err(format!("{script}\n{said}")))
}

fn must(rig: &Rig, script: &str) -> Outcome {
    Ok(sh(rig, script)??)
}
