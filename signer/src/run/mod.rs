//! `run`: a signer that stays. It signs each zone when it is due and when its files change, until it is told to end.

mod backoff;
mod log;
mod metrics;
mod schedule;
mod service;
mod signals;
mod tokens;
mod told;
mod watch;

use std::path::PathBuf;

use clap::Args;
use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::Span;
use key_metadata::store::StoreError;

use log::{Form, Log};
use service::Service;
use signals::Signals;

/// The options of `run`.
#[derive(Args)]
pub struct Arguments {
    /// Sign each zone that often; half of its policy's signatures.resign when absent
    #[arg(long, value_name = "SPAN")]
    every: Option<Span>,
    /// Write figures for a monitor into this file, as node_exporter's textfile collector reads them (NAME.prom)
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Write the log as JSON, an object a line
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments) -> Outcome {
        let folder = site.open()?;
        let _lock = folder.lock_run().map_err(|error| match error {
            StoreError::Locked { .. } => Failure::new(
                Exit::Failed,
                "another 'keyrite-signer run' is at work on this site",
            )
            .hint("it signs every zone of the site: two would do the same work twice".to_owned()),
            error => error.into(),
        })?;
        let signals = Signals::new()
            .map_err(|error| Failure::of(Exit::Failed, &error).within("signals cannot be taken"))?;
        let log = Log::new(match self.json {
            true => Form::Json,
            false => Form::Text,
        });
        let mut service = Service::new(self, site, folder, log)?;
        service.serve(&signals)
    }
}
