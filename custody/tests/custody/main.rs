//! Files for custodians, with Debian's age as the referee: what we write it opens, what it writes we open.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod desk;
mod passphrase;
mod people;
mod plugin;
mod tampered;
mod terminal;
