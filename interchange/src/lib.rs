//! Keys as other DNSSEC software writes them: read with a list of all that was not kept, and written so that it is accepted there.
//!
//! | module | reads | writes |
//! |---|---|---|
//! | [`bind`] | `K*.key`, `K*.private`, `K*.state` | the same, with the token's URI in place of a private key |
//! | [`knot`] | `keymgr -j ZONE list` with `keymgr ZONE dnskey TAG` | `keymgr ZONE import-...` commands |
//! | [`opendnssec`] | `ods-enforcer key list` with `key export` | `ods-enforcer key import` commands |
//! | [`dnst`] | the state of `dnst keyset` | the same |
//!
//! Each format has types of its own that keep what its files say; all of them lead to [`ForeignKey`]. No token, network or clock is touched,
//! and files only by [`bind::read_folder`], [`bind::read_key`], [`bind::KeyFiles::write`] and [`dnst::read`]. A private key is only ever read,
//! but for a laboratory's ([`bind::SoftwareFiles`]).

pub mod bind;
mod command;
pub mod dnst;
mod error;
mod fields;
mod files;
mod json;
mod key;
pub mod knot;
mod life;
pub mod opendnssec;
mod quote;
pub mod records;
mod report;
mod states;
mod times;
mod token_key;

pub use command::Command;
pub use error::{ExportError, FieldError, Place, ReadError};
pub use key::{ForeignKey, PrivatePart, Revocation};
pub use life::Life;
pub use quote::Quote;
pub use report::{Exposed, Import, Lost, Reason};
pub use states::{RecordChange, RecordState, RecordStates};
pub use times::{Event, Times};
pub use token_key::{LabelError, TokenKey};
