//! A native key on its way out: the three parts of a backup, and what the recovery parent finds in them.

use std::fmt;

use key_metadata::{Advice, Algorithm, PublicKey};
use tss_esapi::structures::Public;
use tss_esapi::traits::{Marshall, UnMarshall};
use zeroize::Zeroizing;

use crate::blob::{KeyBlobError, Kind, only_sized, with_size};
use crate::exit::Exit;
use crate::name::{Name, name_of};
use crate::outer_wrap::{Purpose, Wrapped};
use crate::recovery::{RecoveryParent, RecoverySecret};
use crate::sensitive::{Sensitive, SensitiveError};

/// A signing key encrypted for a recovery parent, as TPM2_Duplicate gives it, without an inner wrapper. Only the parent's private half
/// opens it.
///
/// Its parts are the files that `tpm2_import -u -i -s` takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Duplicate {
    public: Public,
    kind: Kind,
    name: Name,
    /// The contents of TPM2B_PRIVATE: an HMAC and the encrypted sensitive area.
    duplicate: Vec<u8>,
    /// The contents of TPM2B_ENCRYPTED_SECRET: the point that a seed was agreed with.
    seed: Vec<u8>,
}

/// Why bytes are no backup of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DuplicateFormError {
    /// A part that is not what it should be.
    #[error("the {part} of this backup of a TPM key is damaged")]
    Damaged {
        /// The part.
        part: &'static str,
    },
    /// What was encrypted signs nothing, or with an algorithm that DNSSEC does not have.
    #[error("this backup of a TPM key holds no key that signs for DNSSEC")]
    NotASigningKey,
    /// There is no seed: it was not encrypted at all (TPM2_Duplicate with the null handle).
    #[error("this backup of a TPM key is not encrypted")]
    NotEncrypted,
}

impl Advice for DuplicateFormError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged { .. } => Some("use another copy of the backup".to_owned()),
            Self::NotASigningKey => None,
            Self::NotEncrypted => {
                Some("whoever has seen it has the key: replace the key in a rollover".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Why a backup was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The key does not leave its TPM to this parent.
    #[error(
        "this backup is of a TPM key that does not leave its TPM to the recovery parent {parent}, or its public part is damaged"
    )]
    OtherParent {
        /// The Name of the parent that was to open it.
        parent: Name,
    },
    /// The HMAC is not that of these parts and this parent.
    #[error("this backup of a TPM key is damaged: its parts do not belong together")]
    Damaged,
    /// What was encrypted is not the private half of the public key.
    #[error("this backup of a TPM key holds another private key than its public part says")]
    NotThatKey(#[from] SensitiveError),
}

impl Advice for OpenError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::OtherParent { .. } => {
                Some("use the recovery parent that the site had when the key was made".to_owned())
            }
            Self::Damaged | Self::NotThatKey(_) => Some("use another copy of the backup".to_owned()),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// A key out of its backup. It prints, copies and serialises in no way, and is wiped.
pub struct OpenedDuplicate {
    pub(crate) public: Public,
    pub(crate) kind: Kind,
    pub(crate) sensitive: Sensitive,
}

impl Duplicate {
    /// Reads the three parts: TPM2B_PUBLIC, TPM2B_PRIVATE and TPM2B_ENCRYPTED_SECRET, as `tpm2_duplicate` writes them too.
    pub fn from_parts(public: &[u8], duplicate: &[u8], seed: &[u8]) -> Result<Self, DuplicateFormError> {
        let damaged = |part| DuplicateFormError::Damaged { part };
        let area = only_sized(public).ok_or(damaged("public part"))?;
        let duplicate = only_sized(duplicate).ok_or(damaged("private part"))?;
        let seed = only_sized(seed).ok_or(damaged("seed"))?;
        match Public::unmarshall(area) {
            // The library ignores what follows the structure.
            Ok(read) if read.marshall().is_ok_and(|again| again == area) => {
                Self::new(read, duplicate.to_vec(), seed.to_vec())
            }
            Ok(_) | Err(_) => Err(damaged("public part")),
        }
    }

    pub(crate) fn new(public: Public, duplicate: Vec<u8>, seed: Vec<u8>) -> Result<Self, DuplicateFormError> {
        if seed.is_empty() {
            return Err(DuplicateFormError::NotEncrypted);
        }
        let kind = Kind::of(&public).map_err(|_| DuplicateFormError::NotASigningKey)?;
        let name = public.marshall().ok().and_then(|area| name_of(&area));
        let name = name.ok_or(DuplicateFormError::Damaged { part: "public part" })?;
        Ok(Self {
            public,
            kind,
            name,
            duplicate,
            seed,
        })
    }

    /// TPM2B_PUBLIC, as `tpm2_import -u` takes it.
    pub fn public_part(&self) -> Vec<u8> {
        // What was marshalled once is marshalled again.
        self.public
            .marshall()
            .map_or(Vec::new(), |bytes| with_size(&bytes))
    }

    /// TPM2B_PRIVATE, as `tpm2_import -i` takes it.
    pub fn duplicate_part(&self) -> Vec<u8> {
        with_size(&self.duplicate)
    }

    /// TPM2B_ENCRYPTED_SECRET, as `tpm2_import -s` takes it.
    pub fn seed_part(&self) -> Vec<u8> {
        with_size(&self.seed)
    }

    /// The key's Name, the same in every TPM.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The public key; an RSA key serves two algorithms, so it is named. Until the backup is opened, nothing says that it is that key's.
    pub fn public_key(&self, algorithm: Algorithm) -> Result<PublicKey, KeyBlobError> {
        self.kind.public_key(&self.public, algorithm)
    }

    /// Whether the key leaves its TPM to that parent, with the owner's authorisation, and in no other way.
    pub fn leaves_to(&self, parent: &RecoveryParent) -> bool {
        Exit::by_owner(parent).is_of(&self.public)
    }

    /// Opens the backup in software, without any TPM: first its integrity is checked, then that the private half is that of the public one.
    ///
    /// The auth value that the key had is in it too, and is wiped unread.
    pub fn open(&self, secret: &RecoverySecret) -> Result<OpenedDuplicate, OpenError> {
        self.open_by(&Exit::by_owner(secret.parent()), secret)
    }

    /// The same for a key that leaves in that way.
    pub(crate) fn open_by(&self, exit: &Exit, secret: &RecoverySecret) -> Result<OpenedDuplicate, OpenError> {
        if !exit.is_of(&self.public) {
            return Err(OpenError::OtherParent {
                parent: secret.parent().name(),
            });
        }
        let wrapped = Wrapped {
            object: self.duplicate.clone(),
            seed: self.seed.clone(),
        };
        let area: Option<Zeroizing<Vec<u8>>> = wrapped.open(secret, Purpose::Duplicate, &self.name);
        let sensitive = Sensitive::of(&self.public, self.kind, &area.ok_or(OpenError::Damaged)?)?;
        Ok(OpenedDuplicate {
            public: self.public.clone(),
            kind: self.kind,
            sensitive,
        })
    }
}

impl OpenedDuplicate {
    /// The public key, whose private half this is; an RSA key serves two algorithms, so it is named.
    pub fn public_key(&self, algorithm: Algorithm) -> Result<PublicKey, KeyBlobError> {
        self.kind.public_key(&self.public, algorithm)
    }
}

impl fmt::Debug for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Duplicate({}, {})", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use key_metadata::{KeySpec, SoftwareKey, SoftwareSecret};
    use proptest::prelude::*;
    use sandbox::software_key;
    use tss_esapi::structures::{Digest, EccParameter, EccPoint, PublicKeyRsa};

    use super::*;
    use crate::create::public_area;
    use crate::ek_template::Strength;
    use crate::exit::Origin;
    use crate::import::{ECC, RSA, sensitive_area};
    use crate::public_key::EkPublicKey;

    fn recovery(byte: u8) -> RecoverySecret {
        RecoverySecret::from_bytes(Zeroizing::new(vec![byte; 32])).unwrap()
    }

    /// The public area of a key that leaves to that parent.
    fn public(key: &SoftwareKey, parent: &RecoveryParent) -> Public {
        let public_key = &key.public_key;
        let algorithm = public_key.algorithm().made().unwrap();
        let spec = KeySpec::new(algorithm, Some(public_key.bits())).unwrap();
        let policy = Digest::try_from(Exit::by_owner(parent).policy().as_slice()).unwrap();
        let (modulus, point) = match public_key.rsa_parts() {
            Some((modulus, _)) => (PublicKeyRsa::try_from(modulus).unwrap(), EccPoint::default()),
            None => {
                let (x, y) = public_key.as_dnskey().split_at(public_key.as_dnskey().len() / 2);
                let number = |bytes| EccParameter::try_from(bytes).unwrap();
                (PublicKeyRsa::default(), EccPoint::new(number(x), number(y)))
            }
        };
        public_area(
            spec,
            Exit::attributes(Origin::Tpm).unwrap(),
            policy,
            modulus,
            point,
        )
        .unwrap()
    }

    /// A backup made in software, as whoever has the parent's public half could: that private half with that public one.
    fn backup(public_of: &SoftwareKey, private_of: &SoftwareKey, parent: &RecoveryParent) -> Duplicate {
        let public = public(public_of, parent);
        let (kind, secret) = match &private_of.secret {
            SoftwareSecret::Rsa(rsa) => (RSA, &rsa.prime1),
            SoftwareSecret::Scalar(scalar) => (ECC, scalar),
        };
        let area = sensitive_area(kind, None, &[], secret);
        let name = name_of(&public.marshall().unwrap()).unwrap();
        let to = EkPublicKey::P256(parent.point());
        let wrapped = Wrapped::make(Strength::Standard, Purpose::Duplicate, &to, &name, &area).unwrap();
        Duplicate::new(public, wrapped.object, wrapped.seed).unwrap()
    }

    #[test]
    fn what_is_wrapped_in_software_opens_if_its_halves_belong_together() {
        let recovery = recovery(7);
        for (algorithm, bits, wrong) in [
            (Algorithm::RsaSha256, 2048, SensitiveError::Prime),
            (Algorithm::EcdsaP256Sha256, 256, SensitiveError::Scalar),
            (Algorithm::EcdsaP384Sha384, 384, SensitiveError::Scalar),
        ] {
            let (one, two) = (
                software_key(algorithm, bits).unwrap(),
                software_key(algorithm, bits).unwrap(),
            );
            let opened = backup(&one, &one, recovery.parent()).open(&recovery).unwrap();
            assert_eq!(opened.public_key(algorithm).unwrap(), one.public_key);
            let mixed = backup(&one, &two, recovery.parent()).open(&recovery);
            assert_eq!(mixed.err(), Some(OpenError::NotThatKey(wrong)));
            let other = software_key(Algorithm::EcdsaP384Sha384, 384).unwrap();
            let small = software_key(Algorithm::EcdsaP256Sha256, 256).unwrap();
            let foreign = match algorithm {
                Algorithm::EcdsaP384Sha384 => software_key(Algorithm::RsaSha256, 2048).unwrap(),
                Algorithm::EcdsaP256Sha256 => other,
                Algorithm::RsaSha256 | Algorithm::RsaSha512 | Algorithm::Ed25519 => small,
            };
            let mixed = backup(&one, &foreign, recovery.parent()).open(&recovery);
            let form = Some(OpenError::NotThatKey(SensitiveError::Form));
            assert_eq!(mixed.err(), form, "{algorithm}");
        }
    }

    #[test]
    fn a_seed_that_is_no_point_is_damage() {
        let recovery = recovery(7);
        let key = software_key(Algorithm::EcdsaP256Sha256, 256).unwrap();
        let good = backup(&key, &key, recovery.parent());
        for seed in [
            vec![1],
            [with_size(&[0; 32]), with_size(&[0; 32])].concat(),
            [with_size(&[1; 33]), with_size(&[1; 32])].concat(),
            with_size(&[1; 32]),
        ] {
            let bad = Duplicate { seed, ..good.clone() };
            assert_eq!(bad.open(&recovery).err(), Some(OpenError::Damaged));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            public in proptest::collection::vec(any::<u8>(), 0..100),
            duplicate in proptest::collection::vec(any::<u8>(), 0..100),
            seed in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = Duplicate::from_parts(&public, &duplicate, &seed);
        }
    }
}
