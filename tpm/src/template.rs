//! The public areas that Names depend on: storage root keys that we know, and keys from outside.

use tss_esapi::Error;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{
    EccParameter, EccPoint, EccScheme, KeyDerivationFunctionScheme, Public, PublicBuilder,
    PublicEccParameters, PublicEccParametersBuilder, PublicKeyRsa, PublicRsaParameters,
    PublicRsaParametersBuilder, RsaExponent, RsaScheme, SymmetricDefinitionObject,
};

use crate::authority::ExternalKey;

/// A template that a storage root key is made from: the same one in the same TPM gives the same key until the TPM is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrkTemplate {
    /// The TCG's P-256 template, which we make ours from: TCG TPM v2.0 Provisioning Guidance 1.0, 7.5.1, on template L-2 of the TCG EK
    /// Credential Profile 2.x, B.3.4, with userWithAuth and noDA set, no policy, and a unique field of 32 + 32 zero bytes.
    Tcg,
    /// The same with an empty unique field, as `tpm2_createprimary -G ecc256:aes128cfb` makes it.
    TcgEmptyUnique,
    /// What tpm2-pkcs11 1.9 persists when it finds none: P-256, empty unique field, noDA clear; so in a lockout nothing under it loads.
    Tpm2Pkcs11,
    /// The TCG's RSA-2048 template, on template L-1, with a unique field of 256 zero bytes; other systems on the machine make it.
    TcgRsa,
}

impl SrkTemplate {
    /// Every template, ours first.
    pub const ALL: [Self; 4] = [Self::Tcg, Self::TcgEmptyUnique, Self::Tpm2Pkcs11, Self::TcgRsa];

    fn attributes(self) -> Result<ObjectAttributes, Error> {
        let no_da = match self {
            Self::Tcg | Self::TcgEmptyUnique | Self::TcgRsa => true,
            Self::Tpm2Pkcs11 => false,
        };
        ObjectAttributesBuilder::new()
            .with_fixed_tpm(true)
            .with_fixed_parent(true)
            .with_sensitive_data_origin(true)
            .with_user_with_auth(true)
            .with_no_da(no_da)
            .with_restricted(true)
            .with_decrypt(true)
            .build()
    }

    /// The public area that TPM2_CreatePrimary takes.
    pub(crate) fn public(self) -> Result<Public, Error> {
        let builder = PublicBuilder::new()
            .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
            .with_object_attributes(self.attributes()?);
        let symmetric = SymmetricDefinitionObject::AES_128_CFB;
        let zeros = |length| EccParameter::try_from(vec![0; length]);
        let unique = match self {
            Self::Tcg => EccPoint::new(zeros(32)?, zeros(32)?),
            Self::TcgEmptyUnique | Self::Tpm2Pkcs11 => EccPoint::default(),
            Self::TcgRsa => {
                let parameters = PublicRsaParametersBuilder::new_restricted_decryption_key(
                    symmetric,
                    RsaKeyBits::Rsa2048,
                    RsaExponent::default(),
                );
                return builder
                    .with_public_algorithm(PublicAlgorithm::Rsa)
                    .with_rsa_parameters(parameters.build()?)
                    .with_rsa_unique_identifier(PublicKeyRsa::new_empty_with_size(RsaKeyBits::Rsa2048))
                    .build();
            }
        };
        let parameters =
            PublicEccParametersBuilder::new_restricted_decryption_key(symmetric, EccCurve::NistP256);
        builder
            .with_public_algorithm(PublicAlgorithm::Ecc)
            .with_ecc_parameters(parameters.build()?)
            .with_ecc_unique_identifier(unique)
            .build()
    }

    /// Whether a key of that public area can have been made from this template: all but the key itself is the same.
    pub(crate) fn fits(self, key: &Public) -> bool {
        let Ok(template) = self.public() else { return false };
        match (without_unique(template), without_unique(key.clone())) {
            (Some(template), Some(key)) => template == key,
            (Some(_) | None, _) => false,
        }
    }
}

pub(crate) fn without_unique(public: Public) -> Option<Public> {
    match public {
        Public::Rsa {
            object_attributes,
            name_hashing_algorithm,
            auth_policy,
            parameters,
            ..
        } => {
            let unique = PublicKeyRsa::default();
            Some(Public::Rsa {
                object_attributes,
                name_hashing_algorithm,
                auth_policy,
                parameters,
                unique,
            })
        }
        Public::Ecc {
            object_attributes,
            name_hashing_algorithm,
            auth_policy,
            parameters,
            ..
        } => {
            let unique = EccPoint::default();
            Some(Public::Ecc {
                object_attributes,
                name_hashing_algorithm,
                auth_policy,
                parameters,
                unique,
            })
        }
        Public::KeyedHash { .. } | Public::SymCipher { .. } => None,
    }
}

/// The public area of a key from outside: as `tpm2_loadexternal` and systemd fill it in, so that they give it the same Name. An RSA
/// exponent is written out, though 0 would mean the same key.
pub(crate) fn external_public(key: &ExternalKey) -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_user_with_auth(true)
        .with_decrypt(true)
        .with_sign_encrypt(true)
        .build()?;
    let builder = PublicBuilder::new()
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes);
    let none = SymmetricDefinitionObject::Null;
    match key {
        ExternalKey::P256 { x, y } => builder
            .with_public_algorithm(PublicAlgorithm::Ecc)
            .with_ecc_parameters(PublicEccParameters::new(
                none,
                EccScheme::Null,
                EccCurve::NistP256,
                KeyDerivationFunctionScheme::Null,
            ))
            .with_ecc_unique_identifier(EccPoint::new(
                EccParameter::try_from(x.as_slice())?,
                EccParameter::try_from(y.as_slice())?,
            )),
        ExternalKey::Rsa2048 { modulus } => builder
            .with_public_algorithm(PublicAlgorithm::Rsa)
            .with_rsa_parameters(PublicRsaParameters::new(
                none,
                RsaScheme::Null,
                RsaKeyBits::Rsa2048,
                RsaExponent::create(65_537)?,
            ))
            .with_rsa_unique_identifier(PublicKeyRsa::try_from(modulus.as_slice())?),
    }
    .build()
}
