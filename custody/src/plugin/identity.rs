//! A plugin decrypts: the state machine `identity-v1`.

use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza as HeaderStanza};
use secrecy::{ExposeSecret, SecretString};

use super::connection::{Answer, Connection, Machine};
use super::error::PluginError;
use super::{PluginName, Plugins};
use crate::encrypt::within_age;

/// An identity that a plugin knows; some have the secret in them.
pub(crate) struct PluginIdentity {
    name: PluginName,
    identity: SecretString,
}

/// An identity, with what its plugin needs.
pub(crate) struct WithPlugins<'i> {
    identity: &'i PluginIdentity,
    plugins: &'i Plugins,
}

impl PluginIdentity {
    /// The identity `AGE-PLUGIN-NAME-1...`; `None` where it is not of that form.
    pub(crate) fn read(identity: &str) -> Option<Self> {
        let name = PluginName::of_identity(identity)?;
        Some(Self {
            name,
            identity: identity.into(),
        })
    }

    /// As the crate age takes it.
    pub(crate) fn with<'i>(&'i self, plugins: &'i Plugins) -> WithPlugins<'i> {
        WithPlugins {
            identity: self,
            plugins,
        }
    }
}

impl WithPlugins<'_> {
    /// The file key, if it is the identity's.
    fn file_key(&self, stanzas: &[HeaderStanza]) -> Result<Option<FileKey>, PluginError> {
        let mut connection = Connection::open(&self.identity.name, Machine::Identity, self.plugins)?;
        connection.send("add-identity", &[self.identity.identity.expose_secret()], &[])?;
        for stanza in stanzas {
            let arguments = ["0", &stanza.tag].into_iter();
            let arguments: Vec<&str> = arguments.chain(stanza.args.iter().map(String::as_str)).collect();
            connection.send("recipient-stanza", &arguments, &stanza.body)?;
        }
        let mut file_key = None;
        connection.converse(|stanza| match stanza.tag.as_str() {
            "file-key" if file_key.is_some() => Answer::Broken("it gave two file keys"),
            "file-key" if stanza.arguments != ["0"] => {
                Answer::Broken("a file key is for no file that it was given")
            }
            "file-key" => match <&[u8; FILE_KEY_BYTES]>::try_from(stanza.body.as_slice()) {
                Ok(key) => {
                    file_key = Some(FileKey::init_with_mut(|place| place.copy_from_slice(key)));
                    Answer::Ok
                }
                Err(_) => Answer::Broken("a file key has not 16 bytes"),
            },
            _ => Answer::Unknown,
        })?;
        Ok(file_key)
    }
}

impl age::Identity for WithPlugins<'_> {
    fn unwrap_stanza(&self, stanza: &HeaderStanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    /// Asked once for all of them: each time could be a touch.
    fn unwrap_stanzas(&self, stanzas: &[HeaderStanza]) -> Option<Result<FileKey, age::DecryptError>> {
        match self.file_key(stanzas) {
            Ok(file_key) => file_key.map(Ok),
            Err(error) => Some(Err(within_age(error).into())),
        }
    }
}
