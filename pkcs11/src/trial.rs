//! The operations of a probe, one after the other.

use cryptoki::error::{Error, Result};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use key_metadata::{Algorithm, Extractability, KeySpec, PublicKey};

use crate::call::CallError;
use crate::material::Material;
use crate::mechanism::Mechanism;
use crate::pair::Pair;
use crate::probe::{KeyProbe, Lie, ProbeVerdict, WrapProbe};
use crate::raw::Raw;
use crate::sign::signs_as;
use crate::throwaway::{Storage, Throwaway};
use crate::wrap::WrapMechanism;

/// What the keys of a probe sign.
pub(crate) const DATA: &[u8] = b"a probe of Keyrite";

/// The key that wraps and the one that takes back: of AES the same, of RSA the two halves.
#[derive(Clone, Copy)]
struct Wrapping {
    wraps: ObjectHandle,
    takes_back: ObjectHandle,
}

/// One session in which everything is tried.
pub(crate) struct Trial<'a> {
    session: &'a Session,
    mechanisms: &'a [Mechanism],
    raw: &'a Raw,
    claimed: &'a [KeySpec],
    storage: Storage,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(
        session: &'a Session,
        mechanisms: &'a [Mechanism],
        raw: &'a Raw,
        claimed: &'a [KeySpec],
    ) -> Self {
        let storage = storage(session, claimed);
        Self {
            session,
            mechanisms,
            raw,
            claimed,
            storage,
        }
    }

    pub(crate) const fn storage(&self) -> Storage {
        self.storage
    }

    /// Every claimed pair. RSA pairs of one size sign for both algorithms, and are made once.
    pub(crate) fn keys(&self) -> Result<Vec<KeyProbe>> {
        let mut probes: Vec<KeyProbe> = Vec::new();
        for spec in self.claimed {
            if !probes.iter().any(|probe| probe.spec == *spec) {
                self.pair(*spec, &mut probes)?;
            }
        }
        probes.sort_by_key(|probe| (probe.spec.algorithm(), probe.spec.bits()));
        Ok(probes)
    }

    fn pair(&self, spec: KeySpec, probes: &mut Vec<KeyProbe>) -> Result<()> {
        let mut throwaway = Throwaway::new(self.session, self.storage);
        let pair = match throwaway.pair(spec, Extractability::Never) {
            Ok(pair) => pair,
            Err(error) => {
                let verdict = refused(error)?;
                probes.push(KeyProbe { spec, verdict });
                return Ok(());
            }
        };
        for spec in self.claimed.iter().filter(|other| same_pair(**other, spec)) {
            let verdict = self.pair_signs(pair, *spec)?;
            probes.push(KeyProbe { spec: *spec, verdict });
        }
        throwaway.destroy()
    }

    fn pair_signs(&self, pair: Pair, spec: KeySpec) -> Result<ProbeVerdict> {
        let Some(public) = public_key(self.session, pair, spec)? else {
            return Ok(ProbeVerdict::Lies(Lie::NoPublicKey));
        };
        match self.signs(pair.private, &public) {
            Ok(true) => Ok(ProbeVerdict::Works),
            Ok(false) => Ok(ProbeVerdict::Lies(Lie::BadSignature)),
            Err(error) => refused(error),
        }
    }

    /// Every way to wrap, on the cheapest key of each family that the token claims.
    pub(crate) fn wraps(&self) -> Result<Vec<WrapProbe>> {
        let wrapped: Vec<KeySpec> = [
            Algorithm::EcdsaP256Sha256,
            Algorithm::RsaSha256,
            Algorithm::Ed25519,
        ]
        .into_iter()
        .filter_map(|algorithm| self.claimed.iter().find(|spec| spec.algorithm() == algorithm))
        .copied()
        .collect();
        let mut probes = Vec::new();
        for mechanism in WrapMechanism::ALL {
            let tried =
                self.with_wrapping(mechanism, |wrapping| self.wraps_by(mechanism, wrapping, &wrapped))?;
            match tried {
                Ok(tried) => probes.extend(tried),
                Err(verdict) => probes.push(WrapProbe {
                    mechanism,
                    spec: None,
                    verdict,
                }),
            }
        }
        Ok(probes)
    }

    /// Runs `work` with what wraps and what takes back, new for each mechanism; or tells why the token makes no such keys.
    fn with_wrapping<T>(
        &self,
        mechanism: WrapMechanism,
        work: impl FnOnce(Wrapping) -> Result<T>,
    ) -> Result<std::result::Result<T, ProbeVerdict>> {
        let mut throwaway = Throwaway::new(self.session, self.storage);
        let wrapping = match mechanism {
            WrapMechanism::AesKeyWrapKwp | WrapMechanism::AesKeyWrapPad | WrapMechanism::AesCbcPad => {
                throwaway.wrapping_key().map(|key| (key, key))
            }
            WrapMechanism::RsaAesKeyWrap => throwaway.wrapping_pair().map(|pair| (pair.public, pair.private)),
        };
        let done = match wrapping {
            Ok((wraps, takes_back)) => Ok(work(Wrapping { wraps, takes_back })?),
            Err(error) => Err(refused(error)?),
        };
        throwaway.destroy()?;
        Ok(done)
    }

    fn wraps_by(
        &self,
        mechanism: WrapMechanism,
        wrapping: Wrapping,
        wrapped: &[KeySpec],
    ) -> Result<Vec<WrapProbe>> {
        let mut probes = Vec::new();
        for spec in wrapped {
            let verdict = self.wrap_new(mechanism, wrapping, *spec)?;
            // What the token does not have at all it need not refuse for every key.
            let absent = matches!(&verdict, ProbeVerdict::Refused(call) if call.is_not_offered());
            let spec = (!absent).then_some(*spec);
            probes.push(WrapProbe {
                mechanism,
                spec,
                verdict,
            });
            if absent {
                break;
            }
        }
        Ok(probes)
    }

    fn wrap_new(&self, mechanism: WrapMechanism, wrapping: Wrapping, spec: KeySpec) -> Result<ProbeVerdict> {
        let mut throwaway = Throwaway::new(self.session, self.storage);
        let pair = match throwaway.pair(spec, Extractability::Wrapped) {
            Ok(pair) => pair,
            Err(error) => return refused(error),
        };
        let Some(public) = public_key(self.session, pair, spec)? else {
            return Ok(ProbeVerdict::Lies(Lie::NoPublicKey));
        };
        let verdict = self.wrap(mechanism, wrapping, pair, &public, spec)?;
        throwaway.destroy()?;
        Ok(verdict)
    }

    fn wrap(
        &self,
        mechanism: WrapMechanism,
        Wrapping { wraps, takes_back }: Wrapping,
        pair: Pair,
        public: &PublicKey,
        spec: KeySpec,
    ) -> Result<ProbeVerdict> {
        let mut throwaway = Throwaway::new(self.session, self.storage);
        let wrapped = match self.raw.wrap(self.session, mechanism, wraps, pair.private) {
            Ok(wrapped) => wrapped,
            Err(error) => return refused(error),
        };
        let verdict = throwaway
            .taken_back(spec, |template| {
                self.raw
                    .take_back(self.session, mechanism, takes_back, &wrapped, template)
            })
            .and_then(|key| self.signs(key, public));
        throwaway.destroy()?;
        match verdict {
            Ok(true) => Ok(ProbeVerdict::Works),
            Ok(false) => Ok(ProbeVerdict::Lies(Lie::OtherKey)),
            Err(error) => told(error).map(|call| ProbeVerdict::Lies(Lie::NotGivenBack(call))),
        }
    }

    /// Whether the private key makes signatures of that public key.
    fn signs(&self, private: ObjectHandle, public: &PublicKey) -> Result<bool> {
        signs_as(self.session, self.mechanisms, private, public, DATA)
    }
}

/// Whether the token keeps session objects: where it makes no pair as one, and makes it as a token object, it does not.
fn storage(session: &Session, claimed: &[KeySpec]) -> Storage {
    let cheapest = claimed
        .iter()
        .find(|spec| spec.algorithm() == Algorithm::EcdsaP256Sha256)
        .or_else(|| claimed.first());
    let makes = |storage| {
        cheapest.is_none_or(|spec| {
            let mut throwaway = Throwaway::new(session, storage);
            throwaway.pair(*spec, Extractability::Never).is_ok()
        })
    };
    match makes(Storage::Session) || !makes(Storage::Token) {
        true => Storage::Session,
        false => Storage::Token,
    }
}

/// The public half of a new pair; `None` where it is none of that kind.
pub(crate) fn public_key(session: &Session, pair: Pair, spec: KeySpec) -> Result<Option<PublicKey>> {
    let material = Material::read(session, pair.public)?;
    let public = material.or(Material::read(session, pair.private)?);
    Ok(public
        .public_key(spec.algorithm())
        .filter(|key| key.bits() == spec.bits()))
}

/// Whether one pair signs for both.
fn same_pair(one: KeySpec, other: KeySpec) -> bool {
    let is_rsa = |spec: KeySpec| matches!(spec.algorithm(), Algorithm::RsaSha256 | Algorithm::RsaSha512);
    one == other || (is_rsa(one) && is_rsa(other) && one.bits() == other.bits())
}

pub(crate) fn refused(error: Error) -> Result<ProbeVerdict> {
    told(error).map(ProbeVerdict::Refused)
}

/// The token's answer, where it is one about the operation and not that it has gone away.
pub(crate) fn told(error: Error) -> Result<CallError> {
    match CallError::of(error) {
        call if call.is_about_the_operation() => Ok(call),
        call => Err(call.into_error()),
    }
}
