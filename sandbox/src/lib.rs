//! Real tokens without hardware: a software TPM (swtpm), its resource manager (tpm2-abrmd), a SoftHSM store, kryoptic, and opencryptoki with
//! a token in software or under a TPM 1.2, each in a folder of the caller's and gone when dropped; TPMs with a maker's certificates,
//! genuine or not, and in failure mode; somebody at the line between a program and its TPM; and a name server (Knot DNS) with
//! signed zones.
//!
//! Nothing outlives the thread that started it: each daemon is started under `setpriv --pdeathsig`, so even a `kill -9` of the run leaves
//! no process behind.

mod abrmd;
mod daemon;
mod ek_ca;
mod failed;
mod knotd;
mod kryoptic;
mod loopback;
mod manufactured;
mod opencryptoki;
mod private;
mod signed_zone;
mod softhsm;
mod software_key;
mod swtpm;
mod tap;

pub use abrmd::Abrmd;
pub use ek_ca::EkCa;
pub use knotd::{Knotd, ServedZone};
pub use kryoptic::Kryoptic;
pub use opencryptoki::Opencryptoki;
pub use signed_zone::SignedZone;
pub use softhsm::{SoftHsm, TokenRecords};
pub use software_key::{software_key, wrapped_key};
pub use swtpm::Swtpm;
pub use tap::{Cut, Ended, Tap};

/// SoftHSM's module, of Debian's package softhsm2.
pub const SOFTHSM_MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Kryoptic's module, which `scripts/kryoptic` builds: Debian has none.
pub const KRYOPTIC_MODULE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/kryoptic/libkryoptic_pkcs11-1.5.4.so"
);

/// The module of tpm2-pkcs11, of Debian's package libtpm2-pkcs11-1 (amd64 and arm64 keep it in their own folder).
pub fn tpm2_pkcs11_module() -> String {
    format!(
        "/usr/lib/{}-linux-gnu/pkcs11/libtpm2_pkcs11.so",
        std::env::consts::ARCH
    )
}

/// opencryptoki's module, of Debian's package opencryptoki (amd64 and arm64 keep it in their own folder).
pub fn opencryptoki_module() -> String {
    format!(
        "/usr/lib/{}-linux-gnu/pkcs11/libopencryptoki.so",
        std::env::consts::ARCH
    )
}
