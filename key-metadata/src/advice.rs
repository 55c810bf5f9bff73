//! What an error tells its user beyond its text.

/// An error that knows what its user can do, and whether trying again is dangerous. Each crate implements it for its errors; the command
/// line turns it into a hint and an exit code.
pub trait Advice: std::error::Error {
    /// What the user can do about it.
    fn hint(&self) -> Option<String>;

    /// Whether a token is absent or refused the credential: a script must not try again, since tokens lock.
    fn is_credential(&self) -> bool;

    /// Whether the token is merely not there, or not any more: whoever stays may try again later, since no credential was refused.
    fn is_absence(&self) -> bool {
        false
    }
}
