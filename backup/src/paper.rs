//! `paper`: a share for a printer.

use backup::{BundleFolder, shares};
use clap::{Args, ValueEnum};
use cli::{Exit, Failure, Outcome, Output, SiteArguments};

use crate::given::OneShare;
use crate::named::{BundleArgument, site_if_there};
use crate::paper_sheet::{html, text};

/// The options of `paper`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArgument,
    #[command(flatten)]
    share: OneShare,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Plain text of 80 columns
    Text,
    /// A page for a browser
    Html,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        // The words in a file are a share that nobody guards; a printer's spool is one too, so the printer is to be named by its device.
        if output.is_to_a_file() {
            let failure = Failure::new(Exit::Failed, "a share is not written into a file");
            return Err(failure.hint("pipe it to the printer's device, such as | tee /dev/usb/lp0 >/dev/null, or read it from the terminal".to_owned()));
        }
        let folder = site_if_there(site)?;
        let bundle: BundleFolder = self.bundle.open(folder.as_ref())?;
        let given = self.share.read()?;
        let number = shares::number_of(&bundle.manifest, &given.share).ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                format!(
                    "the share from {} is none of bundle {}'s",
                    given.from,
                    bundle.id()
                ),
            )
        })?;
        let sheet = match self.format {
            Form::Text => text(&bundle, number, &given.share.mnemonic()),
            Form::Html => html(&bundle, number, &given.share.mnemonic()),
        };
        output.result(sheet.as_str())
    }
}
