use std::fs;

use keyrite_tpm::{PcrValue, PcrValues, pcr_policy_digest, to_be_approved};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::authority_key::{AuthorityKey, P256, RSA, pcrs};
use crate::{tool, with_tpm};

/// What we compute without a TPM, a TPM computes too: for its present values, and for any others.
#[test]
fn a_policy_has_the_same_digest_everywhere() {
    with_tpm(|tpm, swtpm| {
        tool(swtpm, &format!("tpm2_pcrextend 7:sha256={}", "ab".repeat(32)));
        let folder = tempfile::tempdir().unwrap();
        for numbers in [&[7][..], &[0, 7, 23], &[0, 1, 2, 3, 4, 5, 6, 7]] {
            let values = tpm.pcr_values(&pcrs(numbers)).unwrap();
            let digest = pcr_policy_digest(&values);
            assert_eq!(tpm.trial_pcr_policy(&values).unwrap(), digest);
            // tpm2-tools take 8 at most.
            let list: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            let file = folder.path().join("policy").display().to_string();
            tool(
                swtpm,
                &format!(
                    "tpm2_createpolicy --policy-pcr -l sha256:{} -L {file}",
                    list.join(",")
                ),
            );
            assert_eq!(fs::read(&file).unwrap(), digest.0);
            // It leaves its trial session behind.
            tool(swtpm, "tpm2_flushcontext -l");
        }
        let future = proptest::collection::btree_map(0_u8..24, any::<[u8; 32]>(), 1..24);
        let mut runner = TestRunner::new(Config::with_cases(30));
        runner
            .run(&future, |values| {
                let values: PcrValues = values
                    .into_iter()
                    .map(|(number, value)| (number.try_into().unwrap(), PcrValue(value)))
                    .collect();
                prop_assert_eq!(tpm.trial_pcr_policy(&values).unwrap(), pcr_policy_digest(&values));
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn a_pcr_goes_where_it_is_computed_to_go() {
    with_tpm(|tpm, swtpm| {
        let (seven, event) = (pcrs(&[7]), [0xab; 32]);
        let before = *tpm.pcr_values(&seven).unwrap().values().next().unwrap();
        tool(swtpm, &format!("tpm2_pcrextend 7:sha256={}", hex(&event)));
        let after = *tpm.pcr_values(&seven).unwrap().values().next().unwrap();
        assert_eq!(after, before.extended(event));
        assert_eq!(after.to_string().parse::<PcrValue>().unwrap(), after);
    });
}

/// The authority's Name and policy are what tpm2-tools make of its key: they open what we seal, without us.
#[test]
fn an_authority_is_the_same_to_others() {
    with_tpm(|tpm, swtpm| {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        for (kind, flag) in [(P256, "ecc"), (RSA, "rsa")] {
            let key = AuthorityKey::new(kind);
            let authority = key.public();
            tool(
                swtpm,
                &format!(
                    "tpm2_loadexternal -C o -G {flag} -u {} -c {} -n {}",
                    key.pem(),
                    file("key"),
                    file("name")
                ),
            );
            assert_eq!(fs::read(file("name")).unwrap(), authority.name().as_bytes());
            let values = tpm.pcr_values(&pcrs(&[7])).unwrap();
            let to_approve = to_be_approved(pcr_policy_digest(&values));
            fs::write(file("approved"), &to_approve[..32]).unwrap();
            fs::write(file("reference"), &to_approve[32..]).unwrap();
            tool(swtpm, &format!("tpm2_startauthsession -S {}", file("session")));
            tool(
                swtpm,
                &format!(
                    "tpm2_policyauthorize -S {} -L {} -i {} -q {} -n {}",
                    file("session"),
                    file("policy"),
                    file("approved"),
                    file("reference"),
                    file("name")
                ),
            );
            tool(swtpm, &format!("tpm2_flushcontext {}", file("session")));
            tool(swtpm, "tpm2_flushcontext -t");
            assert_eq!(fs::read(file("policy")).unwrap(), authority.policy_digest().0);
        }
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
