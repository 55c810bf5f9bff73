//! The templates of endorsement keys (EK), and the policies that they ask for.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384};
use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{
    Digest, EccParameter, EccPoint, Public, PublicBuilder, PublicEccParametersBuilder, PublicKeyRsa,
    PublicRsaParametersBuilder, RsaExponent, SymmetricDefinitionObject,
};

use crate::template::without_unique;

/// A template that an endorsement key is made from: TCG EK Credential Profile for TPM Family 2.0 2.5, B.3 and B.4. The same one in the
/// same TPM gives the same key for the TPM's life.
///
/// P-521, SM2 and RSA-4096 (H-4, H-5, H-7) are left out: no TPM that we can test has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EkTemplate {
    /// L-1: RSA-2048, SHA-256, AES-128.
    Rsa2048,
    /// L-2: P-256, SHA-256, AES-128.
    P256,
    /// H-1: RSA-2048, SHA-256, AES-128.
    Rsa2048High,
    /// H-2: P-256, SHA-256, AES-128.
    P256High,
    /// H-3: P-384, SHA-384, AES-256.
    P384,
    /// H-6: RSA-3072, SHA-384, AES-256.
    Rsa3072,
}

/// What an endorsement key hashes and encrypts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    /// SHA-256 and AES-128.
    Standard,
    /// SHA-384 and AES-256.
    High,
}

/// The two ranges of the profile, 2.2.1.4 and 2.2.1.5.
enum Range {
    /// Used only with the endorsement auth (PolicyA).
    Low,
    /// Also with a policy in an NV index (PolicyB: PolicyA or PolicyC).
    High,
}

/// TPM_CC_PolicySecret, TPM_CC_PolicyOR, and TPM_RH_ENDORSEMENT, which is its own Name (TPM 2.0 part 1, 16).
const POLICY_SECRET: [u8; 4] = [0x00, 0x00, 0x01, 0x51];
const POLICY_OR: [u8; 4] = [0x00, 0x00, 0x01, 0x71];
const ENDORSEMENT: [u8; 4] = [0x40, 0x00, 0x00, 0x0b];

/// PolicyC for SHA-256 and SHA-384 (the profile, B.6.4): TPM2_PolicyAuthorizeNV with the index 0x01c07f01 or 0x01c07f02.
const POLICY_C_SHA256: [u8; 32] = [
    0x37, 0x67, 0xe2, 0xed, 0xd4, 0x3f, 0xf4, 0x5a, 0x3a, 0x7e, 0x1e, 0xae, 0xfc, 0xef, 0x78, 0x64, 0x3d,
    0xca, 0x96, 0x46, 0x32, 0xe7, 0xaa, 0xd8, 0x2c, 0x67, 0x3a, 0x30, 0xd8, 0x63, 0x3f, 0xde,
];
const POLICY_C_SHA384: [u8; 48] = [
    0xd6, 0x03, 0x2c, 0xe6, 0x1f, 0x2f, 0xb3, 0xc2, 0x40, 0xeb, 0x3c, 0xf6, 0xa3, 0x32, 0x37, 0xef, 0x2b,
    0x6a, 0x16, 0xf4, 0x29, 0x3c, 0x22, 0xb4, 0x55, 0xe2, 0x61, 0xcf, 0xfd, 0x21, 0x7a, 0xd5, 0xb4, 0x94,
    0x7c, 0x2d, 0x73, 0xe6, 0x30, 0x05, 0xee, 0xd2, 0xdc, 0x2b, 0x35, 0x93, 0xd1, 0x65,
];

impl EkTemplate {
    /// Every template, the low range first.
    pub const ALL: [Self; 6] = [
        Self::Rsa2048,
        Self::P256,
        Self::Rsa2048High,
        Self::P256High,
        Self::P384,
        Self::Rsa3072,
    ];

    /// The NV index of its certificate: the profile, 2.2.1.4 and 2.2.1.5.
    pub const fn certificate_index(self) -> u32 {
        match self {
            Self::Rsa2048 => 0x01c0_0002,
            Self::P256 => 0x01c0_000a,
            Self::Rsa2048High => 0x01c0_0012,
            Self::P256High => 0x01c0_0014,
            Self::P384 => 0x01c0_0016,
            Self::Rsa3072 => 0x01c0_001c,
        }
    }

    /// The template of the key that the certificate at that NV index is for; `None` where we have none.
    pub fn of_certificate(index: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|template| template.certificate_index() == index)
    }

    pub(crate) const fn strength(self) -> Strength {
        match self {
            Self::Rsa2048 | Self::P256 | Self::Rsa2048High | Self::P256High => Strength::Standard,
            Self::P384 | Self::Rsa3072 => Strength::High,
        }
    }

    const fn range(self) -> Range {
        match self {
            Self::Rsa2048 | Self::P256 => Range::Low,
            Self::Rsa2048High | Self::P256High | Self::P384 | Self::Rsa3072 => Range::High,
        }
    }

    /// The branches of its policy, in order; empty where it has one only, PolicyA.
    pub(crate) fn branches(self) -> Vec<Vec<u8>> {
        match self.range() {
            Range::Low => Vec::new(),
            Range::High => vec![self.strength().policy_a(), self.strength().policy_c()],
        }
    }

    fn policy(self) -> Vec<u8> {
        match self.range() {
            Range::Low => self.strength().policy_a(),
            Range::High => self.strength().policy_b(),
        }
    }

    /// The public area that TPM2_CreatePrimary takes.
    pub(crate) fn public(self) -> Result<Public, Error> {
        let (user_with_auth, filled) = match self.range() {
            Range::Low => (false, true),
            Range::High => (true, false),
        };
        let attributes = ObjectAttributesBuilder::new()
            .with_fixed_tpm(true)
            .with_fixed_parent(true)
            .with_sensitive_data_origin(true)
            .with_user_with_auth(user_with_auth)
            .with_admin_with_policy(true)
            .with_restricted(true)
            .with_decrypt(true)
            .build()?;
        let builder = PublicBuilder::new()
            .with_name_hashing_algorithm(self.strength().hash())
            .with_object_attributes(attributes)
            .with_auth_policy(Digest::try_from(self.policy())?);
        let symmetric = self.strength().symmetric();
        match self {
            Self::Rsa2048 | Self::Rsa2048High | Self::Rsa3072 => {
                let bits = match self.strength() {
                    Strength::Standard => RsaKeyBits::Rsa2048,
                    Strength::High => RsaKeyBits::Rsa3072,
                };
                let exponent = RsaExponent::default();
                let parameters =
                    PublicRsaParametersBuilder::new_restricted_decryption_key(symmetric, bits, exponent);
                let unique = if filled {
                    PublicKeyRsa::new_empty_with_size(bits)
                } else {
                    PublicKeyRsa::default()
                };
                builder
                    .with_public_algorithm(PublicAlgorithm::Rsa)
                    .with_rsa_parameters(parameters.build()?)
                    .with_rsa_unique_identifier(unique)
            }
            Self::P256 | Self::P256High | Self::P384 => {
                let curve = match self.strength() {
                    Strength::Standard => EccCurve::NistP256,
                    Strength::High => EccCurve::NistP384,
                };
                let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(symmetric, curve);
                let unique = if filled {
                    EccPoint::new(
                        EccParameter::try_from(vec![0; 32])?,
                        EccParameter::try_from(vec![0; 32])?,
                    )
                } else {
                    EccPoint::default()
                };
                builder
                    .with_public_algorithm(PublicAlgorithm::Ecc)
                    .with_ecc_parameters(parameters.build()?)
                    .with_ecc_unique_identifier(unique)
            }
        }
        .build()
    }

    /// Whether a key of that public area can have been made from this template: all but the key itself is the same.
    pub(crate) fn fits(self, key: &Public) -> bool {
        let template = self.public().ok().and_then(without_unique);
        template.is_some() && template == without_unique(key.clone())
    }
}

impl Strength {
    pub(crate) const fn hash(self) -> HashingAlgorithm {
        match self {
            Self::Standard => HashingAlgorithm::Sha256,
            Self::High => HashingAlgorithm::Sha384,
        }
    }

    fn symmetric(self) -> SymmetricDefinitionObject {
        match self {
            Self::Standard => SymmetricDefinitionObject::AES_128_CFB,
            Self::High => SymmetricDefinitionObject::AES_256_CFB,
        }
    }

    pub(crate) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Standard => Sha256::digest(parts.concat()).to_vec(),
            Self::High => Sha384::digest(parts.concat()).to_vec(),
        }
    }

    /// The length of a digest, in bytes.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::Standard => 32,
            Self::High => 48,
        }
    }

    /// TPM2_PolicySecret with the endorsement hierarchy and an empty policyRef (TPM 2.0 part 3, 23.4).
    fn policy_a(self) -> Vec<u8> {
        let start = vec![0; self.length()];
        let named = self.digest(&[&start, &POLICY_SECRET, &ENDORSEMENT]);
        self.digest(&[&named])
    }

    fn policy_b(self) -> Vec<u8> {
        let start = vec![0; self.length()];
        self.digest(&[&start, &POLICY_OR, &self.policy_a(), &self.policy_c()])
    }

    fn policy_c(self) -> Vec<u8> {
        match self {
            Self::Standard => POLICY_C_SHA256.to_vec(),
            Self::High => POLICY_C_SHA384.to_vec(),
        }
    }
}

impl fmt::Display for EkTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa2048 => "RSA-2048 (L-1)",
            Self::P256 => "P-256 (L-2)",
            Self::Rsa2048High => "RSA-2048 (H-1)",
            Self::P256High => "P-256 (H-2)",
            Self::P384 => "P-384 (H-3)",
            Self::Rsa3072 => "RSA-3072 (H-6)",
        })
    }
}

#[cfg(test)]
mod tests {
    use tss_esapi::abstraction::AsymmetricAlgorithmSelection as Selection;
    use tss_esapi::abstraction::ek::create_ek_public_from_default_template_2;

    use super::*;

    /// PolicyA and PolicyB as the profile prints them (B.6).
    #[test]
    fn policies_are_the_published_ones() {
        assert_eq!(
            hex::encode(Strength::Standard.policy_a()),
            "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
        );
        assert_eq!(
            hex::encode(Strength::Standard.policy_b()),
            "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0"
        );
    }

    /// tss-esapi has four of the six; it is the referee.
    #[test]
    fn public_areas_are_those_of_tss_esapi() {
        let referee = [
            (EkTemplate::Rsa2048, Selection::Rsa(RsaKeyBits::Rsa2048)),
            (EkTemplate::P256, Selection::Ecc(EccCurve::NistP256)),
            (EkTemplate::P384, Selection::Ecc(EccCurve::NistP384)),
            (EkTemplate::Rsa3072, Selection::Rsa(RsaKeyBits::Rsa3072)),
        ];
        for (template, selection) in referee {
            let theirs = create_ek_public_from_default_template_2(selection, None).unwrap();
            assert_eq!(template.public().unwrap(), theirs, "{template}");
            for other in EkTemplate::ALL {
                assert_eq!(other.fits(&theirs), other == template);
            }
        }
    }

    #[test]
    fn every_template_has_its_own_index() {
        for template in EkTemplate::ALL {
            assert_eq!(
                EkTemplate::of_certificate(template.certificate_index()),
                Some(template)
            );
        }
        assert_eq!(EkTemplate::of_certificate(0x01c0_0018), None);
    }
}
