//! A plugin encrypts: the state machine `recipient-v1`.

use std::collections::HashSet;

use age_core::format::{FileKey, Stanza as HeaderStanza};
use secrecy::ExposeSecret;

use super::connection::{Answer, Connection, Machine};
use super::error::PluginError;
use super::stanza::Stanza;
use super::{PluginName, Plugins};
use crate::encrypt::within_age;

/// A recipient that a plugin knows.
pub(crate) struct PluginRecipient<'p> {
    name: PluginName,
    recipient: String,
    plugins: &'p Plugins,
}

/// What an age file's header gets, and the labels of recipients that may be with it.
type Wrapped = (Vec<HeaderStanza>, HashSet<String>);

impl<'p> PluginRecipient<'p> {
    /// The recipient `age1name1...`; `None` where it is not of that form.
    pub(crate) fn read(recipient: &str, plugins: &'p Plugins) -> Option<Self> {
        let name = PluginName::of_recipient(recipient)?;
        Some(Self {
            name,
            recipient: recipient.to_owned(),
            plugins,
        })
    }

    /// That its plugin is there.
    pub(crate) fn find(&self) -> Result<(), PluginError> {
        self.plugins.find(&self.name).map(drop)
    }

    fn wrap(&self, file_key: &FileKey) -> Result<Wrapped, PluginError> {
        let mut connection = Connection::open(&self.name, Machine::Recipient, self.plugins)?;
        connection.send("add-recipient", &[&self.recipient], &[])?;
        connection.send("extension-labels", &[], &[])?;
        connection.send("wrap-file-key", &[], file_key.expose_secret())?;
        let mut stanzas = Vec::new();
        let mut labels = None;
        let nothing = connection.broken("it gave neither a stanza nor an error");
        connection.converse(|stanza| match stanza.tag.as_str() {
            "recipient-stanza" => take(stanza, &mut stanzas),
            "labels" if labels.is_some() => Answer::Broken("it gave labels twice"),
            "labels" => {
                let set: HashSet<String> = stanza.arguments.iter().cloned().collect();
                if set.len() < stanza.arguments.len() {
                    return Answer::Broken("it gave a label twice");
                }
                labels = Some(set);
                Answer::Ok
            }
            _ => Answer::Unknown,
        })?;
        if stanzas.is_empty() {
            return Err(nothing);
        }
        Ok((stanzas, labels.map_or_else(HashSet::new, |labels| labels)))
    }
}

/// `recipient-stanza 0 TAG ARGUMENT...`, for the one file.
fn take(stanza: &mut Stanza, stanzas: &mut Vec<HeaderStanza>) -> Answer {
    match stanza.arguments.as_slice() {
        [file, tag, arguments @ ..] if file == "0" => {
            stanzas.push(HeaderStanza {
                tag: tag.clone(),
                args: arguments.to_vec(),
                body: stanza.body.to_vec(),
            });
            Answer::Ok
        }
        _ => Answer::Broken("a stanza is for no file that it was given"),
    }
}

impl age::Recipient for PluginRecipient<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<Wrapped, age::EncryptError> {
        self.wrap(file_key).map_err(|error| within_age(error).into())
    }
}
