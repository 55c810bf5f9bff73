//! The keys of a zone that sign, by what they sign.

use domain::base::iana::Rtype;
use key_metadata::policy::KskSigns;
use key_metadata::{Algorithm, PublicKey};
use zone::{Node, Records, Set, Standing, WireName};

use crate::queue::QueuedKey;
use crate::sign_error::SignError;
use crate::sign_plan::{Renewal, SignPlan, Valid};
use crate::signing_key::{ZoneKey, dnskey};
use crate::verifier::Verifier;

/// A key that signs.
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    pub(crate) tag: u16,
    pub(crate) public_key: PublicKey,
    pub(crate) verifier: Verifier,
    pub(crate) key: QueuedKey,
    signs_dnskey: bool,
    part: Part,
}

/// What a key signs besides the DNSKEY RRset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    Zone,
    /// The zone, without its DNSKEY there.
    Unpublished,
}

/// An RRset that a key is to sign.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
    /// The place of its first record.
    pub(crate) place: usize,
    /// The place of the signer.
    pub(crate) signer: u16,
    pub(crate) group: Group,
}

/// RRsets by how their signatures are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// DNSKEY, CDS and CDNSKEY of the apex.
    Dnskey,
    /// All others.
    Zone,
}

impl Group {
    /// When a new signature is valid, and when one is renewed.
    pub(crate) const fn term(self, plan: &SignPlan) -> (Valid, Option<Renewal>) {
        match self {
            Self::Dnskey => (plan.dnskey_signatures, plan.dnskey_renewal),
            Self::Zone => (plan.signatures, plan.renewal),
        }
    }
}

/// Those of the keys that sign: where the DNSKEY RRset comes signed, none for that alone.
pub(crate) fn signers(keys: &[ZoneKey], plan: &SignPlan) -> Result<Vec<Signer>, SignError> {
    let ksk_signs = match &plan.signed_keys {
        Some(_) => KskSigns::Offline,
        None => KskSigns::Online,
    };
    let signing = keys.iter().filter(|key| key.record.signs_with_signer(ksk_signs));
    signing.map(|key| Signer::new(key, plan)).collect()
}

impl Signer {
    fn new(key: &ZoneKey, plan: &SignPlan) -> Result<Self, SignError> {
        let record = &key.record;
        let not_at_hand = || SignError::NotAtHand {
            role: record.role,
            tag: record.key_tag(),
        };
        let legacy = || SignError::Legacy {
            role: record.role,
            tag: record.key_tag(),
            algorithm: record.algorithm(),
        };
        let dnskey = dnskey(&record.public_key, key.flags()).ok_or_else(|| SignError::key(record))?;
        Ok(Self {
            algorithm: record.algorithm().made().ok_or_else(legacy)?,
            tag: dnskey.key_tag(),
            public_key: record.public_key.clone(),
            verifier: Verifier::new(&record.public_key),
            key: key.signing.clone().ok_or_else(not_at_hand)?,
            signs_dnskey: record.signs_dnskey() && plan.signed_keys.is_none(),
            part: match (record.signs_unpublished(), record.signs_zone()) {
                (true, _) => Part::Unpublished,
                (false, true) => Part::Zone,
                (false, false) => Part::Nothing,
            },
        })
    }

    /// Whether it signs an RRset. CDS and CDNSKEY are signed like DNSKEY (RFC 7344 4.1). With an algorithm that comes or goes all is signed but the
    /// DNSKEY RRset (RFC 6781 4.1.4).
    fn signs(&self, rtype: Rtype, group: Group) -> bool {
        match (group, rtype) {
            (Group::Dnskey, Rtype::DNSKEY) => self.signs_dnskey,
            (Group::Dnskey, _) => self.signs_dnskey || self.part == Part::Unpublished,
            (Group::Zone, _) => self.part != Part::Nothing,
        }
    }

    /// An RRSIG of it over an RRset, but for the signature: all octets before the signer's name (RFC 4034 3.1).
    pub(crate) fn head(&self, set: Set<'_>, valid: Valid) -> [u8; 18] {
        let mut head = [0; 18];
        let parts: [&[u8]; 7] = [
            &set.rtype().to_int().to_be_bytes(),
            &[self.algorithm.number()],
            &[set.owner().rrsig_labels()],
            &set.ttl().to_be_bytes(),
            &valid.expiration.to_be_bytes(),
            &valid.inception.to_be_bytes(),
            &self.tag.to_be_bytes(),
        ];
        let octets = parts.into_iter().flatten();
        head.iter_mut()
            .zip(octets)
            .for_each(|(place, octet)| *place = *octet);
        head
    }
}

/// What the signers sign at a name: nothing below a zone cut, and at one only DS and NSEC (RFC 4035 2.2).
pub(crate) fn units<'a>(
    records: &'a Records,
    node: &'a Node,
    signers: &'a [Signer],
) -> impl Iterator<Item = Unit> + 'a {
    let apex: WireName<'_> = records.apex();
    let is_signed = |rtype| match node.standing {
        // What came signed has its RRSIG records already.
        Standing::Authoritative | Standing::Nsec3 => rtype != Rtype::RRSIG,
        Standing::Cut => matches!(rtype, Rtype::DS | Rtype::NSEC),
        Standing::BelowCut | Standing::BelowDname | Standing::Outside => false,
    };
    let sets = records.sets(node).filter(move |set| is_signed(set.rtype()));
    sets.flat_map(move |set| {
        let group = match set.rtype() {
            Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY if set.owner() == apex => Group::Dnskey,
            _ => Group::Zone,
        };
        let signing = signers
            .iter()
            .zip(0..)
            .filter(move |(signer, _)| signer.signs(set.rtype(), group));
        signing.map(move |(_, signer)| Unit {
            place: set.places().start,
            signer,
            group,
        })
    })
}
