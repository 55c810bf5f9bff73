//! Kryoptic, a software token of another make: what leaves one of the two comes back in the other.

use std::error::Error;
use std::path::Path;

use crate::wrapping::{self, KINDS, KWP, NONCE, PAD, is_whole, kek};
use crate::{Body, Outcome, id, probe, ready, softhsm_module};
use key_metadata::{Algorithm, CkaId, Extractability, KeySpec};
use keyrite_pkcs11::{LoadError, Module, Restored, Token, WrapMechanism};

pub const TESTS: &[(&str, Body)] = &[
    ("keys go from SoftHSM to kryoptic", from_softhsm),
    (
        "keys go from kryoptic to SoftHSM, and to another kryoptic",
        from_kryoptic,
    ),
    ("what openssl wrapped is restored to kryoptic", of_openssl),
    ("a probe finds what was measured of kryoptic", probe::kryoptic),
];

pub fn module() -> Result<Module, LoadError> {
    Module::load(Path::new(sandbox::KRYOPTIC_MODULE))
}

/// Makes each kind of key in one token, and takes it into the other.
fn take(from: &Token, by: WrapMechanism, to: &Token, with: WrapMechanism) -> Outcome {
    let kek = kek();
    let (leaves, enters) = (from.wrapping(&kek)?, to.wrapping(&kek)?);
    for (number, (algorithm, bits)) in (1..).zip(KINDS) {
        let (spec, own) = (KeySpec::new(algorithm, bits)?, CkaId::from(id(number)));
        assert_eq!(leaves.prove(spec)?, by, "{spec}");
        let public_key = from.generate(spec, own.clone(), "ksk cr", Extractability::Wrapped)?;
        let wrapped = leaves.wrap(own.clone(), &public_key, by)?;
        let never = Extractability::Never;
        let back = enters.restore(&wrapped, &public_key, own.clone(), "ksk cr", never, NONCE)?;
        assert_eq!(back, Restored::Unwrapped(with), "{spec}");
        is_whole(to, &own, &public_key, never)?;
    }
    Ok(())
}

fn from_softhsm() -> Outcome {
    let (softhsm, kryoptic) = (ready(&softhsm_module()?, "cr")?, ready(&module()?, "spare")?);
    take(&softhsm, PAD, &kryoptic, KWP)
}

fn from_kryoptic() -> Outcome {
    let kryoptic = module()?;
    let from = ready(&kryoptic, "cr")?;
    take(&from, KWP, &ready(&softhsm_module()?, "spare")?, PAD)?;
    for key in from.keys()? {
        from.destroy(key.id.ok_or("no id")?)?;
    }
    take(&from, KWP, &ready(&kryoptic, "another")?, KWP)
}

fn of_openssl() -> Outcome {
    wrapping::takes_of_openssl(&ready(&module()?, "cr")?, KWP)
}

/// With one key in it.
pub fn with_a_key() -> Result<Token, Box<dyn Error>> {
    let token = ready(&module()?, "cr")?;
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    token.generate(spec, id(1), "zsk", Extractability::Never)?;
    Ok(token)
}
