//! A TPM in failure mode.

use keyrite_sandbox::Swtpm;

#[test]
fn a_failed_tpm_says_so_when_it_is_asked_in_the_right_way() {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = Swtpm::failed(folder.path()).unwrap();
    for words in [
        &["tpm2_selftest", "--fulltest"][..],
        &["tpm2_startup", "-c"],
        &["tpm2_getcap", "algorithms"],
        &["tpm2_getcap", "handles-persistent"],
        &["tpm2_readpublic", "-c", "0x81000001"],
    ] {
        let said = swtpm.tool(words[0], &words[1..]).unwrap().stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("(0x101)"), "{words:?}: {said}");
    }
    // TPM2_GetTestResult: success, 12 bytes of the maker's, and TPM_RC_FAILURE for the result.
    let answer = send(&swtpm, &[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x7c]);
    assert_eq!(answer.len(), 28);
    assert_eq!(answer[..12], [0x80, 1, 0, 0, 0, 28, 0, 0, 0, 0, 0, 12]);
    assert_eq!(answer[24..], [0, 0, 1, 1]);
    // The trap: properties are answered all the same, TPM_PT_PERMANENT with the firmware's version.
    let permanent = swtpm.must("tpm2_getcap", &["properties-variable"]).unwrap();
    assert!(
        String::from_utf8_lossy(&permanent).contains("lockoutAuthSet:            1"),
        "{}",
        String::from_utf8_lossy(&permanent)
    );
}

/// Sends the bytes of a command.
fn send(swtpm: &Swtpm, command: &[u8]) -> Vec<u8> {
    let (file, answer) = (
        swtpm.state().with_file_name("command"),
        swtpm.state().with_file_name("answer"),
    );
    std::fs::write(&file, command).unwrap();
    let (file, to) = (file.display().to_string(), answer.display().to_string());
    swtpm.must("tpm2_send", &["-o", &to, &file]).unwrap();
    std::fs::read(answer).unwrap()
}
