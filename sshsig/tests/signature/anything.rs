//! Files that nobody meant: they are refused, and nothing else happens.

use proptest::prelude::*;
use sshsig::{AllowedSigners, Expected, VerifyError, verify};

use crate::desk::{NAMESPACE, NOW};
use crate::verify::armoured;

const ALLOWED: &[u8] =
    b"ada ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti\n";

fn refused(signature: &[u8]) -> VerifyError {
    let allowed = AllowedSigners::parse(ALLOWED).unwrap();
    let expected = Expected {
        allowed: &allowed,
        principal: "ada",
        namespace: NAMESPACE,
        at: NOW.parse().unwrap(),
    };
    verify(&expected, signature, b"x").unwrap_err()
}

proptest! {
    #[test]
    fn any_bytes_are_no_signature(bytes: Vec<u8>) {
        let error = refused(&bytes);
        prop_assert!(matches!(error, VerifyError::Armour(_)));
    }

    #[test]
    fn any_fields_are_no_signature(fields in prop::collection::vec(prop_oneof![
        any::<Vec<u8>>(),
        Just(b"sha512".to_vec()),
        Just(NAMESPACE.as_bytes().to_vec()),
        Just(b"\0\0\0\x0bssh-ed25519\0\0\0\0".to_vec()),
        Just(b"\0\0\0\x22sk-ecdsa-sha2-nistp256@openssh.com\0\0\0\0".to_vec()),
    ], 0..7)) {
        let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
        for field in fields {
            blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            blob.extend(field);
        }
        refused(&armoured(&blob));
    }

    #[test]
    fn any_lines_are_read_or_refused(text in "([a-z*!,]{0,3}[ \t\"=#]{0,2}(ssh-ed25519|namespaces=|valid-after=\"[0-9]{0,14}Z?\"|AAAA)?[ ,\"\n]?){0,8}") {
        if let Err(error) = AllowedSigners::parse(text.as_bytes()) {
            prop_assert!(error.line <= text.lines().count() as u64);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = AllowedSigners::parse(&bytes);
    }
}
