//! A TPM whose power is cut.

use keyrite_sandbox::Swtpm;

#[test]
fn what_was_written_outlives_a_power_cut_and_the_address_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut swtpm = Swtpm::start(folder.path()).unwrap();
    let tcti = swtpm.tcti().to_owned();
    swtpm
        .must(
            "tpm2_nvdefine",
            &[
                "-C",
                "o",
                "-s",
                "8",
                "-a",
                "nt=counter|ownerread|ownerwrite",
                "0x1800021",
            ],
        )
        .unwrap();
    swtpm.must("tpm2_nvincrement", &["-C", "o", "0x1800021"]).unwrap();
    let before = swtpm.must("tpm2_nvread", &["-C", "o", "0x1800021"]).unwrap();
    let resets = |swtpm: &Swtpm| {
        let clock = swtpm.must("tpm2_readclock", &[]).unwrap();
        String::from_utf8_lossy(&clock)
            .lines()
            .find(|line| line.contains("reset_count"))
            .unwrap()
            .to_owned()
    };
    let counted = resets(&swtpm);
    swtpm.stop_hard();
    assert!(!swtpm.tool("tpm2_readclock", &[]).unwrap().status.success());
    swtpm.cut_power().unwrap();
    assert_eq!(swtpm.tcti(), tcti);
    assert_eq!(
        swtpm.must("tpm2_nvread", &["-C", "o", "0x1800021"]).unwrap(),
        before
    );
    assert_ne!(resets(&swtpm), counted);
}
