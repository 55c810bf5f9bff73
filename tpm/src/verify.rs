//! What an auditor checks of a statement, on a machine without a TPM: nothing here asks one.

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use crate::attested::{Attest, Malformed, Says};
use crate::clock::ClockInfo;
use crate::info::Firmware;
use crate::name::Name;
use crate::pcr::{PcrValues, bitmap, digest_of};
use crate::public_key::EkPublicKey;
use crate::statement::Statement;
use crate::statement_error::StatementError;

/// TPM_ALG_SHA256.
const SHA256: u16 = 0x000b;

/// What a verified statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attested<T> {
    /// What it is about.
    pub value: T,
    /// The TPM's clock and starts when it signed.
    pub clock: ClockInfo,
    /// The firmware that signed.
    pub firmware: Firmware,
}

impl Statement {
    /// Checks that it is a certificate of the log index, whole, and gives what that held.
    ///
    /// `key` is the attestation key's DER SubjectPublicKeyInfo, `name` that of the index once it was written: [`crate::Anchor::name`]. An index that
    /// was removed and made anew has the same Name: only its contents, and the counter, tell.
    pub fn verify_log(
        &self,
        key: &[u8],
        qualifying: &[u8],
        name: &Name,
    ) -> Result<Attested<[u8; 32]>, StatementError> {
        self.verify_nv(key, qualifying, name)
    }

    /// Checks that it is a certificate of the counter, whole, and gives its number; otherwise as [`Self::verify_log`].
    pub fn verify_counter(
        &self,
        key: &[u8],
        qualifying: &[u8],
        name: &Name,
    ) -> Result<Attested<u64>, StatementError> {
        let Attested {
            value,
            clock,
            firmware,
        } = self.verify_nv(key, qualifying, name)?;
        Ok(Attested {
            value: u64::from_be_bytes(value),
            clock,
            firmware,
        })
    }

    /// Checks that it is a quote of exactly those PCRs with those values; none, for what [`crate::Tpm::attest`] gives.
    pub fn verify_quote(
        &self,
        key: &[u8],
        qualifying: &[u8],
        values: &PcrValues,
    ) -> Result<Attested<()>, StatementError> {
        let attest = self.signed(key, qualifying, Says::QUOTE)?;
        let Says::Quote { selection, digest } = &attest.says else {
            return Err(StatementError::Structure);
        };
        check_pcrs(selection, digest, values)?;
        Ok(attest.with(()))
    }

    fn verify_nv<const SIZE: usize>(
        &self,
        key: &[u8],
        qualifying: &[u8],
        expected: &Name,
    ) -> Result<Attested<[u8; SIZE]>, StatementError> {
        let attest = self.signed(key, qualifying, Says::NV)?;
        let Says::Nv {
            name,
            offset,
            contents,
        } = &attest.says
        else {
            return Err(StatementError::Structure);
        };
        if *name != expected.as_bytes() {
            return Err(StatementError::Index {
                found: hex::encode(name),
                expected: expected.clone(),
            });
        }
        match (offset, <[u8; SIZE]>::try_from(*contents)) {
            (0, Ok(value)) => Ok(attest.with(value)),
            (offset, _) => Err(StatementError::Part {
                offset: *offset,
                length: contents.len(),
                size: SIZE,
            }),
        }
    }

    /// What the key signed, of that type and for that purpose. It is read only when the signature is right.
    fn signed(&self, key: &[u8], qualifying: &[u8], expected: u16) -> Result<Attest<'_>, StatementError> {
        let Ok(EkPublicKey::P256(point)) = EkPublicKey::from_spki(key) else {
            return Err(StatementError::Key);
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(self.attested(), self.signature())
            .map_err(|_| StatementError::Signature)?;
        let attest = Attest::read(self.attested()).map_err(|malformed| match malformed {
            Malformed::NotGenerated => StatementError::NotGenerated,
            Malformed::Structure => StatementError::Structure,
            Malformed::Trailing => StatementError::Trailing,
        })?;
        let found = attest.says.number();
        if found != expected {
            return Err(StatementError::Type { found, expected });
        }
        if attest.extra_data != qualifying {
            return Err(StatementError::Qualifying {
                found: hex::encode(attest.extra_data),
                expected: hex::encode(qualifying),
            });
        }
        Ok(attest)
    }
}

impl Attest<'_> {
    const fn with<T: Copy>(&self, value: T) -> Attested<T> {
        Attested {
            value,
            clock: self.clock,
            firmware: self.firmware,
        }
    }
}

pub(crate) fn check_pcrs(
    selection: &[(u16, &[u8])],
    digest: &[u8],
    values: &PcrValues,
) -> Result<(), StatementError> {
    if values.is_empty() {
        // The digest of nothing proves nothing.
        return selection
            .is_empty()
            .then_some(())
            .ok_or(StatementError::Selection);
    }
    // As many bytes as the TPM has PCRs for; those behind the 24th are of no PCR that is given.
    let wanted = bitmap(values);
    match selection {
        [(SHA256, given)]
            if given.get(..3) == Some(&wanted[..])
                && given.iter().skip(wanted.len()).all(|byte| *byte == 0) => {}
        _ => return Err(StatementError::Selection),
    }
    let expected = digest_of(values);
    if digest != expected {
        return Err(StatementError::PcrDigest {
            found: hex::encode(digest),
            expected: hex::encode(expected),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use key_metadata::{Algorithm, PublicKey};

    use super::*;
    use crate::clock::ClockSafety;
    use crate::pcr::PcrValue;

    /// What a stolen key that is not restricted could sign, and a TPM never would.
    struct Forger(EcdsaKeyPair);

    impl Forger {
        fn new() -> Self {
            let random = SystemRandom::new();
            let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
        }

        fn spki(&self) -> Vec<u8> {
            let point = &self.0.public_key().as_ref()[1..];
            PublicKey::from_dnskey(Algorithm::EcdsaP256Sha256, point)
                .unwrap()
                .spki_der()
                .unwrap()
        }

        fn signs(&self, attested: Vec<u8>) -> Statement {
            let signature = self.0.sign(&SystemRandom::new(), &attested).unwrap();
            let tpmt = [
                &[0, 0x18, 0, 0x0b, 0, 32][..],
                &signature.as_ref()[..32],
                &[0, 32],
                &signature.as_ref()[32..],
            ]
            .concat();
            Statement::from_tpmt(attested, &tpmt).unwrap()
        }
    }

    fn name() -> Name {
        Name::try_from([&[0, 0x0b][..], &[7; 32]].concat().as_slice()).unwrap()
    }

    fn attest(magic: u32, kind: u16, safe: u8, says: &[u8]) -> Vec<u8> {
        let mut bytes = magic.to_be_bytes().to_vec();
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 2, 9, 9, 0, 3]);
        bytes.extend(b"for");
        bytes.extend(1_000_u64.to_be_bytes());
        bytes.extend(2_u32.to_be_bytes());
        bytes.extend(3_u32.to_be_bytes());
        bytes.push(safe);
        bytes.extend(4_u32.to_be_bytes());
        bytes.extend(5_u32.to_be_bytes());
        bytes.extend(says);
        bytes
    }

    fn nv(offset: u16, contents: &[u8]) -> Vec<u8> {
        let size = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [
            &[0, 34][..],
            name().as_bytes(),
            &offset.to_be_bytes(),
            &size,
            contents,
        ]
        .concat()
    }

    const MAGIC: u32 = 0xff54_4347;

    #[test]
    fn each_thing_that_is_wrong_is_told() {
        let forger = Forger::new();
        let counter = nv(0, &7_u64.to_be_bytes());
        let check = |attested: Vec<u8>| {
            forger
                .signs(attested)
                .verify_counter(&forger.spki(), b"for", &name())
        };
        let right = attest(MAGIC, 0x8014, 1, &counter);
        assert_eq!(
            check(right.clone()),
            Ok(Attested {
                value: 7,
                clock: ClockInfo {
                    clock_ms: 1000,
                    reset_count: 2,
                    restart_count: 3,
                    safe: ClockSafety::Safe
                },
                firmware: Firmware(4, 5)
            })
        );
        assert_eq!(
            check(attest(0x1234, 0x8014, 1, &counter)),
            Err(StatementError::NotGenerated)
        );
        assert_eq!(
            check(attest(MAGIC, 0x8014, 2, &counter)),
            Err(StatementError::Structure)
        );
        assert_eq!(check([&right[..], &[0]].concat()), Err(StatementError::Trailing));
        for length in 4..right.len() {
            assert_eq!(check(right[..length].to_vec()), Err(StatementError::Structure));
        }
        // TPM_ST_ATTEST_TIME, and a quote.
        for found in [0x8019, 0x8018] {
            let says: &[u8] = if found == 0x8018 { &[0; 6] } else { b"anything" };
            assert_eq!(
                check(attest(MAGIC, found, 1, says)),
                Err(StatementError::Type {
                    found,
                    expected: 0x8014
                })
            );
        }
        for (offset, contents) in [(0, &[0; 7][..]), (0, &[0; 9]), (1, &[0; 8])] {
            let part = check(attest(MAGIC, 0x8014, 1, &nv(offset, contents)));
            assert!(matches!(part, Err(StatementError::Part { .. })), "{part:?}");
        }
        let statement = forger.signs(right);
        let other = statement.verify_counter(&forger.spki(), b"fo", &name());
        assert!(matches!(other, Err(StatementError::Qualifying { .. })));
        let another = Name::try_from([&[0, 0x0b][..], &[8; 32]].concat().as_slice()).unwrap();
        let other = statement.verify_counter(&forger.spki(), b"for", &another);
        assert!(matches!(other, Err(StatementError::Index { .. })));
        let key = Forger::new().spki();
        let other = statement.verify_counter(&key, b"for", &name());
        assert_eq!(other, Err(StatementError::Signature));
        assert_eq!(
            statement.verify_counter(b"no key", b"for", &name()),
            Err(StatementError::Key)
        );
        let log = statement.verify_log(&forger.spki(), b"for", &name());
        assert!(matches!(log, Err(StatementError::Part { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(kind in 0x8014_u16..0x801b, safe in 0_u8..3, says in vec(any::<u8>(), 0..200)) {
            let bytes = attest(MAGIC, kind, safe, &says);
            if let Ok(read) = Attest::read(&bytes) {
                prop_assert_eq!(read.says.number(), kind);
            }
            prop_assert!(Attest::read(&says).is_err());
            if let Ok(statement) = Statement::from_tpmt(bytes, &says) {
                prop_assert_eq!(Statement::from_tpmt(statement.attested().to_vec(), &statement.signature_tpmt()), Ok(statement));
            }
        }
    }

    #[test]
    fn a_quote_is_of_those_pcrs_and_no_others() {
        let values = PcrValues::from([
            (0.try_into().unwrap(), PcrValue([1; 32])),
            (17.try_into().unwrap(), PcrValue([2; 32])),
        ]);
        let digest = digest_of(&values);
        let check = |selection: &[(u16, &[u8])], digest: &[u8]| check_pcrs(selection, digest, &values);
        assert_eq!(check(&[(0x0b, &[1, 0, 2])], &digest), Ok(()));
        assert_eq!(check(&[(0x0b, &[1, 0, 2, 0])], &digest), Ok(()));
        for selection in [
            &[(0x0b, &[1_u8, 0, 3][..])][..],
            &[(0x0b, &[1, 0, 2, 1])],
            &[(0x0b, &[1, 0])],
            &[(0x04, &[1, 0, 2])],
            &[(0x0b, &[1, 0, 2]), (0x04, &[0, 0, 0])],
            &[],
        ] {
            assert_eq!(check(selection, &digest), Err(StatementError::Selection));
        }
        let other = check(&[(0x0b, &[1, 0, 2])], &[0; 32]);
        assert!(matches!(other, Err(StatementError::PcrDigest { .. })));
        let none = PcrValues::new();
        assert_eq!(check_pcrs(&[], &[], &none), Ok(()));
        assert_eq!(
            check_pcrs(&[(0x0b, &[1, 0, 0])], &[], &none),
            Err(StatementError::Selection)
        );
    }
}
