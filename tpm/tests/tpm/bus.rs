//! What somebody sees who listens between us and the TPM.

use key_metadata::{Algorithm, KeySpec};
use keyrite_tpm::{Tpm, pcr_policy_digest};
use sandbox::{Swtpm, Tap};
use secrecy::ExposeSecret;

use crate::authority_key::{AuthorityKey, P256};
use crate::{auth, handle, secret, tool, with_state};

#[test]
fn no_secret_crosses_the_bus_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |_, swtpm| {
        tool(swtpm, "tpm2_changeauth -c owner OWNER-AUTH-VALUE");
        let tap = Tap::on(swtpm).unwrap();
        let tpm = Tpm::connect(&tap.tcti().parse().unwrap()).unwrap();
        let owner = auth("OWNER-AUTH-VALUE");
        let early = tpm.random(32).unwrap();
        tpm.ensure_srk(Some(&owner)).unwrap();
        tpm.seal(&secret("SEALED-SECRET-VALUE"), handle(0x8102_0000), Some(&owner))
            .unwrap();
        assert_eq!(
            tpm.unseal(handle(0x8102_0000)).unwrap().expose_secret(),
            "SEALED-SECRET-VALUE"
        );
        let (key, approved) = (AuthorityKey::new(P256), tempfile::tempdir().unwrap());
        let access = key.access(7, approved.path());
        let digest = pcr_policy_digest(&tpm.pcr_values(access.pcrs()).unwrap());
        access.approvals().write(digest, &key.sign(digest)).unwrap();
        tpm.use_pcr_policy(Some(access));
        tpm.seal(
            &secret("APPROVED-SECRET-VALUE"),
            handle(0x8102_0001),
            Some(&owner),
        )
        .unwrap();
        assert_eq!(
            tpm.unseal(handle(0x8102_0001)).unwrap().expose_secret(),
            "APPROVED-SECRET-VALUE"
        );
        let pin = secret("KEY-AUTH-VALUE");
        let blob = tpm
            .create_key(
                KeySpec::new(Algorithm::EcdsaP256Sha256, None).unwrap(),
                Some(&pin),
            )
            .unwrap();
        tpm.load(&blob, Some(&pin))
            .unwrap()
            .sign(Algorithm::EcdsaP256Sha256, b"data")
            .unwrap();
        let late = tpm.random(32).unwrap();
        for text in [
            "OWNER-AUTH-VALUE",
            "SEALED-SECRET-VALUE",
            "APPROVED-SECRET-VALUE",
            "KEY-AUTH-VALUE",
        ] {
            assert!(!tap.saw(text.as_bytes()), "{text}");
        }
        assert!(!tap.saw(early.expose_secret()) && !tap.saw(late.expose_secret()));
        // The tap hears both directions: the public key came back in the clear, and went there when the key was loaded.
        let public = blob.public_key(Algorithm::EcdsaP256Sha256).unwrap();
        assert!(tap.saw(&public.as_dnskey()[..32]));
        // And it hears the secret itself where nothing protects it.
        let unsealed = std::process::Command::new("tpm2_unseal")
            .args(["-c", "0x81020000"])
            .env("TPM2TOOLS_TCTI", tap.tcti())
            .output()
            .unwrap();
        assert_eq!(unsealed.stdout, b"SEALED-SECRET-VALUE");
        assert!(tap.saw(b"SEALED-SECRET-VALUE"));
    });
}

/// Somebody who answers in the TPM's place with a key of his own under the SRK's Name gets no session: whichever of the answers he changes.
#[test]
fn another_key_under_the_pinned_name_is_noticed() {
    let (mine, his) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut his_key = Vec::new();
    with_state(his.path(), |tpm, swtpm| {
        tpm.ensure_srk(None).unwrap();
        his_key = point(swtpm);
    });
    with_state(mine.path(), |tpm, swtpm| {
        let name = tpm.ensure_srk(None).unwrap().name().clone();
        let exchange: Vec<_> = point(swtpm).into_iter().zip(his_key).collect();
        let tap = Tap::on(swtpm).unwrap();
        let tcti = tap.tcti().parse().unwrap();
        Tpm::connect(&tcti).unwrap().pin_srk(&name).unwrap();
        for lies in [1, 2, 3] {
            tap.lie(exchange.clone(), lies).unwrap();
            let error = Tpm::connect(&tcti).unwrap().pin_srk(&name).unwrap_err();
            assert!(tap.lies_left() < lies, "nothing was changed: {error}");
        }
    });
}

/// The coordinates of the SRK's public key.
fn point(swtpm: &Swtpm) -> Vec<Vec<u8>> {
    let text = tool(swtpm, "tpm2_readpublic -c 0x81000001");
    let hex_of = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let digits = |text: String| {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    };
    vec![digits(hex_of("x: ")), digits(hex_of("y: "))]
}
