use crate::{tool, with_state};

/// `tpm2_readclock` is the referee.
#[test]
fn a_clock_counts_starts() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        with_state(folder.path(), |tpm, swtpm| {
            let clock = tpm.clock().unwrap();
            assert!(tpm.clock().unwrap().clock_ms >= clock.clock_ms);
            let theirs = tool(swtpm, "tpm2_readclock");
            assert!(
                theirs.contains(&format!("reset_count: {}\n", clock.reset_count))
                    && theirs.contains(&format!("restart_count: {}\n", clock.restart_count))
                    && theirs.contains("safe: yes"),
                "{theirs}"
            );
            told.push(clock);
        });
    }
    let [first, second] = told[..] else {
        panic!("two starts")
    };
    assert_eq!(second.reset_count, first.reset_count + 1);
    assert!(second.clock_ms > first.clock_ms);
}
