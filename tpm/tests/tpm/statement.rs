//! What an attestation key signs of the log's anchors and of PCRs. Openssl and tpm2-tools are the referees.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use key_metadata::{NvIndex, PcrNumber, PcrSelection, TpmHandle, spki_to_pem};
use keyrite_tpm::{
    Anchor, AnchorError, AttestError, AttestationKey, AttestationKeyState, ClockSafety, CommandError,
    EkTemplate, Holds, Name, PcrValues, Statement, StatementError, Tpm, pcr_file, read_pcr_file,
};
use sandbox::Swtpm;
use tempfile::TempDir;
use tss_esapi::Context;
use tss_esapi::constants::SessionType;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::SymmetricDefinition;

use crate::{connect, handle, lock, tool, with_state};

const AT: u32 = 0x8101_0020;
const CHECKPOINT: [u8; 32] = [0x5a; 32];

fn log() -> NvIndex {
    "0x01800020".parse().unwrap()
}

fn counter() -> NvIndex {
    "0x01800021".parse().unwrap()
}

fn at() -> TpmHandle {
    handle(AT)
}

fn name(anchor: Anchor, index: NvIndex) -> Name {
    anchor.name(index, Holds::Something).unwrap()
}

/// A TPM with both anchors written, and its attestation key.
fn with_anchors(test: impl FnOnce(&Tpm, &Swtpm, &AttestationKey)) {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        tpm.ensure_srk(None).unwrap();
        let ak = tpm
            .create_attestation_key(at(), EkTemplate::P256, None, None)
            .unwrap();
        for (anchor, index) in [(Anchor::Log, log()), (Anchor::Counter, counter())] {
            tpm.define_anchor(anchor, index, None).unwrap();
        }
        tpm.extend_log(log(), &[1; 32]).unwrap();
        tpm.raise_counter(counter()).unwrap();
        test(tpm, swtpm, &ak);
    });
}

/// A statement in files, and what tools without Keyrite say of it.
struct Files(TempDir);

impl Files {
    fn of(statement: &Statement, ak: &AttestationKey) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        fs::write(files.path("ak.der"), ak.spki()).unwrap();
        let read = Command::new("openssl")
            .args(["pkey", "-pubin", "-inform", "der", "-in"])
            .arg(files.path("ak.der"))
            .output()
            .unwrap();
        let pem = spki_to_pem(ak.spki());
        assert_eq!(String::from_utf8(read.stdout).unwrap(), pem);
        fs::write(files.path("ak.pem"), &pem).unwrap();
        fs::write(files.path("attested"), statement.attested()).unwrap();
        fs::write(files.path("signature.der"), statement.signature_der()).unwrap();
        fs::write(files.path("signature.tpmt"), statement.signature_tpmt()).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self) -> bool {
        Command::new("openssl")
            .args(["dgst", "-sha256", "-verify"])
            .arg(self.path("ak.pem"))
            .arg("-signature")
            .arg(self.path("signature.der"))
            .arg(self.path("attested"))
            .output()
            .unwrap()
            .status
            .success()
    }

    /// As an auditor runs it: no TPM is there.
    fn checkquote(&self, qualifying: &[u8], more: &[&str]) -> Result<(), String> {
        let hex: String = qualifying.iter().map(|byte| format!("{byte:02x}")).collect();
        let output = Command::new("tpm2_checkquote")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.0.path())
            .args(["-u", "ak.pem", "-m", "attested", "-s", "signature.tpmt"])
            .args(["-g", "sha256", "-q", &hex])
            .args(more)
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// Refused with any bit of what is signed or of the signature changed.
fn each_flip_is_refused(statement: &Statement, check: impl Fn(&Statement) -> Result<(), StatementError>) {
    check(statement).unwrap();
    let flips = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        (0..bytes.len() * 8).map(move |bit| {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        })
    };
    let (tpmt, der) = (statement.signature_tpmt(), statement.signature_der());
    for attested in flips(statement.attested()) {
        let changed = Statement::from_tpmt(attested, &tpmt).unwrap();
        assert_eq!(check(&changed), Err(StatementError::Signature));
    }
    let attested = || statement.attested().to_vec();
    for signature in flips(&tpmt) {
        if let Ok(changed) = Statement::from_tpmt(attested(), &signature) {
            assert_eq!(check(&changed), Err(StatementError::Signature));
        }
    }
    for signature in flips(&der) {
        if let Ok(changed) = Statement::from_der(attested(), &signature) {
            assert_eq!(check(&changed), Err(StatementError::Signature));
        }
    }
    for form in [
        Statement::from_tpmt(attested(), &[&tpmt[..], &[0]].concat()),
        Statement::from_tpmt(attested(), &tpmt[..tpmt.len() - 1]),
        Statement::from_der(attested(), &[&der[..], &[0]].concat()),
        Statement::from_der(attested(), &tpmt),
    ] {
        assert!(form.is_err());
    }
    assert_eq!(Statement::from_der(attested(), &der).as_ref(), Ok(statement));
}

#[test]
fn a_whole_seal_is_verified_by_us_and_by_others() {
    with_anchors(|tpm, swtpm, ak| {
        lock(tpm, swtpm);
        let number = tpm.raise_counter(counter()).unwrap();
        let clock = tpm.clock().unwrap();
        tpm.extend_log(log(), &[2; 32]).unwrap();
        let of_log = tpm.certify_nv(at(), Anchor::Log, log(), &CHECKPOINT).unwrap();
        let of_counter = tpm
            .certify_nv(at(), Anchor::Counter, counter(), &CHECKPOINT)
            .unwrap();
        let quote = tpm.quote(at(), &PcrSelection::start_up(), &CHECKPOINT).unwrap();

        let log_name = name(Anchor::Log, log());
        let shown = of_log.verify_log(ak.spki(), &CHECKPOINT, &log_name).unwrap();
        assert_eq!(Some(shown.value), tpm.log_value(log()).unwrap());
        let counter_name = name(Anchor::Counter, counter());
        let counted = of_counter
            .verify_counter(ak.spki(), &CHECKPOINT, &counter_name)
            .unwrap();
        assert_eq!(counted.value, number);
        let quoted = quote
            .statement
            .verify_quote(ak.spki(), &CHECKPOINT, &quote.values)
            .unwrap();
        // The key is in the endorsement hierarchy: the TPM does not disguise its counts and firmware for it (TPM 2.0 part 1, 36.7).
        let mut last = clock.clock_ms;
        for (told, firmware) in [
            (shown.clock, shown.firmware),
            (counted.clock, counted.firmware),
            (quoted.clock, quoted.firmware),
        ] {
            assert_eq!(
                (told.reset_count, told.restart_count),
                (clock.reset_count, clock.restart_count)
            );
            assert_eq!(told.safe, ClockSafety::Safe);
            assert!(told.clock_ms >= last);
            last = told.clock_ms;
            assert_eq!(firmware, tpm.info().unwrap().firmware);
        }

        for statement in [&of_log, &of_counter, &quote.statement] {
            let files = Files::of(statement, ak);
            assert!(files.openssl());
            files.checkquote(&CHECKPOINT, &[]).unwrap();
            assert!(files.checkquote(&[0x5b; 32], &[]).is_err());
            fs::write(files.path("attested"), [statement.attested(), &[0]].concat()).unwrap();
            assert!(!files.openssl() && files.checkquote(&CHECKPOINT, &[]).is_err());
        }
        let unit = |shown: Result<_, StatementError>| shown.map(|_: keyrite_tpm::Attested<_>| ());
        each_flip_is_refused(&of_log, |statement| {
            unit(statement.verify_log(ak.spki(), &CHECKPOINT, &log_name))
        });
        each_flip_is_refused(&of_counter, |statement| {
            statement
                .verify_counter(ak.spki(), &CHECKPOINT, &counter_name)
                .map(|_| ())
        });
        each_flip_is_refused(&quote.statement, |statement| {
            statement
                .verify_quote(ak.spki(), &CHECKPOINT, &quote.values)
                .map(|_| ())
        });
    });
}

#[test]
fn tpm2_tools_and_we_agree_on_quoted_pcrs() {
    with_anchors(|tpm, swtpm, ak| {
        tool(swtpm, &format!("tpm2_pcrextend 7:sha256={}", "ab".repeat(32)));
        let some = [0, 7, 23].map(|number| PcrNumber::try_from(number).unwrap());
        let many = (0..12).map(|number| PcrNumber::try_from(number).unwrap());
        for pcrs in [
            PcrSelection::start_up(),
            PcrSelection::try_from(some.to_vec()).unwrap(),
            PcrSelection::try_from(many.collect::<Vec<_>>()).unwrap(),
        ] {
            let quote = tpm.quote(at(), &pcrs, &CHECKPOINT).unwrap();
            assert_eq!(quote.values, tpm.pcr_values(&pcrs).unwrap());
            let files = Files::of(&quote.statement, ak);
            let bytes = pcr_file(&quote.values);
            let values = files.path("pcrs");
            fs::write(&values, &bytes).unwrap();
            files.checkquote(&CHECKPOINT, &["-f", "pcrs"]).unwrap();
            // The stock tool writes the same file.
            let (read, numbers) = (files.path("read"), pcrs.to_string());
            let list = numbers.strip_prefix("PCR ").unwrap().replace(", ", ",");
            let read_them = format!(
                "tpm2_pcrread -Q sha256:{list} -F serialized -o {}",
                read.display()
            );
            tool(swtpm, &read_them);
            assert_eq!(fs::read(&read).unwrap(), bytes);
            assert_eq!(read_pcr_file(&bytes).as_ref(), Ok(&quote.values));
            // The last of them has another value.
            let mut others = quote.values.clone();
            others.last_entry().unwrap().get_mut().0[31] ^= 1;
            fs::write(&values, pcr_file(&others)).unwrap();
            assert!(files.checkquote(&CHECKPOINT, &["-f", "pcrs"]).is_err());
            let changed = quote.statement.verify_quote(ak.spki(), &CHECKPOINT, &others);
            assert!(matches!(changed, Err(StatementError::PcrDigest { .. })));
            // Other PCRs of the same values are other PCRs.
            let mut others = quote.values.clone();
            let value = others.remove(&some[0]).unwrap();
            others.insert(PcrNumber::DEBUG, value);
            let other = quote.statement.verify_quote(ak.spki(), &CHECKPOINT, &others);
            assert_eq!(other, Err(StatementError::Selection));
        }
        let fresh = tpm.attest(at(), b"now").unwrap();
        fresh.verify_quote(ak.spki(), b"now", &PcrValues::new()).unwrap();
        Files::of(&fresh, ak).checkquote(b"now", &[]).unwrap();
    });
}

#[test]
fn a_statement_for_or_about_something_else_is_detected() {
    with_anchors(|tpm, swtpm, ak| {
        let log_name = name(Anchor::Log, log());
        let before = tpm.certify_nv(at(), Anchor::Log, log(), &CHECKPOINT).unwrap();
        let value = before
            .verify_log(ak.spki(), &CHECKPOINT, &log_name)
            .unwrap()
            .value;
        let other = before.verify_log(ak.spki(), &[0x5b; 32], &log_name);
        assert!(matches!(other, Err(StatementError::Qualifying { .. })));
        let kind = before.verify_quote(ak.spki(), &CHECKPOINT, &PcrValues::new());
        assert!(matches!(kind, Err(StatementError::Type { .. })));
        // The other anchor.
        let other = tpm
            .certify_nv(at(), Anchor::Counter, counter(), &CHECKPOINT)
            .unwrap()
            .verify_log(ak.spki(), &CHECKPOINT, &log_name);
        assert!(matches!(other, Err(StatementError::Index { .. })));
        let other = tpm.certify_nv(at(), Anchor::Log, counter(), &CHECKPOINT);
        assert!(matches!(
            other,
            Err(AttestError::Anchor(AnchorError::Foreign { .. }))
        ));
        // Removed and made anew: empty at first, then with the same Name and other contents.
        tool(swtpm, "tpm2_nvundefine 0x01800020");
        let none = tpm.certify_nv(at(), Anchor::Log, log(), &CHECKPOINT);
        assert!(matches!(
            none,
            Err(AttestError::Anchor(AnchorError::Absent { .. }))
        ));
        tpm.define_anchor(Anchor::Log, log(), None).unwrap();
        assert_eq!(tpm.log_value(log()).unwrap(), None);
        let none = tpm.certify_nv(at(), Anchor::Log, log(), &CHECKPOINT);
        assert!(matches!(
            none,
            Err(AttestError::Anchor(AnchorError::Unwritten { .. }))
        ));
        tpm.extend_log(log(), &[9; 32]).unwrap();
        let after = tpm.certify_nv(at(), Anchor::Log, log(), &CHECKPOINT).unwrap();
        let shown = after.verify_log(ak.spki(), &CHECKPOINT, &log_name).unwrap();
        assert_ne!(shown.value, value);
        // Made anew so that anybody can write it: another Name, which we do not use and a statement tells.
        tool(swtpm, "tpm2_nvundefine 0x01800020");
        tool(
            swtpm,
            "tpm2_nvdefine 0x01800020 -g sha256 -s 32 -a nt=extend|authread|authwrite|ownerread|no_da",
        );
        let foreign = tpm.log_value(log());
        assert!(matches!(foreign, Err(AnchorError::Foreign { .. })));
        tool(swtpm, "tpm2_nvextend 0x01800020 -C 0x01800020 -i /etc/hostname");
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        tool(
            swtpm,
            &format!(
                "tpm2_nvcertify -C {AT:#x} -c 0x01800020 0x01800020 --size 32 -g sha256 -q {} --attestation {} -o {}",
                "5a".repeat(32),
                file("attested"),
                file("signature")
            ),
        );
        tool(swtpm, "tpm2_flushcontext -t");
        let theirs = Statement::from_tpmt(
            fs::read(file("attested")).unwrap(),
            &fs::read(file("signature")).unwrap(),
        );
        let shown = theirs.unwrap().verify_log(ak.spki(), &CHECKPOINT, &log_name);
        assert!(matches!(shown, Err(StatementError::Index { .. })), "{shown:?}");
        // A part of an index says less than it seems to.
        tool(
            swtpm,
            &format!(
                "tpm2_nvcertify -C {AT:#x} -c 0x01800021 0x01800021 --size 4 --offset 4 -g sha256 -q {} --attestation {} -o {}",
                "5a".repeat(32),
                file("attested"),
                file("signature")
            ),
        );
        let theirs = Statement::from_tpmt(
            fs::read(file("attested")).unwrap(),
            &fs::read(file("signature")).unwrap(),
        );
        let shown = theirs
            .unwrap()
            .verify_counter(ak.spki(), &CHECKPOINT, &name(Anchor::Counter, counter()));
        assert!(matches!(shown, Err(StatementError::Part { .. })), "{shown:?}");
        for length in [0, 33] {
            let refused = tpm.attest(at(), &[1; 33][..length]);
            assert!(matches!(refused, Err(AttestError::Nonce { .. })));
        }
    });
}

/// TPM2_Clear takes the key and the anchors; what comes in their place is told apart.
#[test]
fn a_cleared_tpm_is_detected() {
    with_anchors(|tpm, swtpm, ak| {
        let before = tpm
            .certify_nv(at(), Anchor::Counter, counter(), &CHECKPOINT)
            .unwrap();
        let name = name(Anchor::Counter, counter());
        let number = before
            .verify_counter(ak.spki(), &CHECKPOINT, &name)
            .unwrap()
            .value;
        tool(swtpm, "tpm2_clear -c l");
        let gone = tpm.certify_nv(at(), Anchor::Counter, counter(), &CHECKPOINT);
        assert!(matches!(gone, Err(AttestError::Absent { .. })));
        let gone = tpm.quote(at(), &PcrSelection::start_up(), &CHECKPOINT);
        assert!(matches!(gone, Err(AttestError::Absent { .. })));
        assert_eq!(tpm.attestation_key(at()).unwrap(), AttestationKeyState::Absent);
        assert!(matches!(tpm.counter(counter()), Err(AnchorError::Absent { .. })));
        let again = tpm
            .create_attestation_key(at(), EkTemplate::P256, None, None)
            .unwrap();
        assert_ne!(again.name(), ak.name());
        tpm.define_anchor(Anchor::Counter, counter(), None).unwrap();
        assert!(tpm.raise_counter(counter()).unwrap() > number);
        let after = tpm
            .certify_nv(at(), Anchor::Counter, counter(), &CHECKPOINT)
            .unwrap();
        assert_eq!(
            after.verify_counter(ak.spki(), &CHECKPOINT, &name),
            Err(StatementError::Signature)
        );
        after.verify_counter(again.spki(), &CHECKPOINT, &name).unwrap();
    });
}

/// A TPM that nobody manages has three slots for objects and three for sessions.
#[test]
fn nothing_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = Swtpm::start(folder.path()).unwrap();
    let seal = |tpm: &Tpm| {
        tpm.raise_counter(counter())?;
        tpm.clock()?;
        tpm.extend_log(log(), &[2; 32])?;
        tpm.certify_nv(at(), Anchor::Log, log(), &CHECKPOINT)?;
        tpm.certify_nv(at(), Anchor::Counter, counter(), &CHECKPOINT)?;
        tpm.quote(at(), &PcrSelection::start_up(), &CHECKPOINT)?;
        Ok::<_, AttestError>(())
    };
    {
        let tpm = connect(&swtpm);
        tpm.create_attestation_key(at(), EkTemplate::P256, None, None)
            .unwrap();
        for (anchor, index) in [(Anchor::Log, log()), (Anchor::Counter, counter())] {
            tpm.define_anchor(anchor, index, None).unwrap();
        }
        // Many more than the TPM has slots.
        for _ in 0..5 {
            seal(&tpm).unwrap();
            assert_eq!(swtpm.leaked_handles().unwrap(), Vec::<String>::new());
        }
        // One slot is enough; and where none is left, nothing is taken or lost.
        let before = tpm.log_value(log()).unwrap();
        let mut other = Context::new(swtpm.tcti().parse().unwrap()).unwrap();
        let mut take = || {
            other
                .start_auth_session(
                    None,
                    None,
                    None,
                    SessionType::Hmac,
                    SymmetricDefinition::Null,
                    HashingAlgorithm::Sha256,
                )
                .unwrap()
        };
        take();
        take();
        seal(&tpm).unwrap();
        let after = tpm.log_value(log()).unwrap();
        assert_ne!(after, before);
        take();
        let full = tpm.extend_log(log(), &[3; 32]);
        assert!(matches!(
            full,
            Err(AnchorError::Command(CommandError::NoRoom { .. }))
        ));
        assert_eq!(tpm.log_value(log()).unwrap(), after);
        assert_eq!(swtpm.leaked_handles().unwrap().len(), 3);
        swtpm.flush_leaked_handles().unwrap();
    }
    assert_eq!(swtpm.leaked_handles().unwrap(), Vec::<String>::new());
}
