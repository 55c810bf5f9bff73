//! What was observed elsewhere, from a file.

use std::path::Path;

use cli::{Exit, Failure, Outcome};
use dnssec::{DigText, Servers};
use key_metadata::version::Version1;
use key_metadata::{Observation, Source, Time, ZoneName, yaml};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::document::Document;

/// What `--json` prints, read.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Given {
    #[serde(rename = "version")]
    _version: Version1,
    observations: Vec<GivenLine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct GivenLine {
    zone: ZoneName,
    observation: Observation,
    #[serde(rename = "complete")]
    _complete: IgnoredAny,
    #[serde(rename = "findings")]
    _findings: IgnoredAny,
    #[serde(rename = "recorded")]
    _recorded: IgnoredAny,
}

/// A file of observations.
pub struct Elsewhere(Document);

impl Elsewhere {
    /// Reads the file, or standard input where it is `-`.
    pub fn read(path: &Path) -> Outcome<Self> {
        Document::read(path).map(Self)
    }

    /// What it has of a zone. `servers` are those that the user says there are, and `who` is operator and tool, of what `dig` printed.
    pub fn of(
        &self,
        zone: &ZoneName,
        servers: &Servers,
        who: (String, String),
        now: Time,
    ) -> Outcome<Vec<Observation>> {
        let name = &self.0.name;
        let observations = match self.0.text.trim_start().starts_with('{') {
            true => self.json(zone, servers)?,
            false => self.dig(zone, servers, who)?,
        };
        for observation in &observations {
            observation.check().map_err(|error| {
                Failure::of(Exit::Failed, &error).within(format!("{name} is no observation"))
            })?;
            if observation.at > now {
                let problem = format!(
                    "{name} is of {}, which is still to come: is the clock right?",
                    observation.at
                );
                return Err(Failure::new(Exit::Failed, problem));
            }
        }
        match observations.is_empty() {
            true => Err(Failure::new(
                Exit::Failed,
                format!("{name} has no observation of {zone}"),
            )),
            false => Ok(observations),
        }
    }

    fn json(&self, zone: &ZoneName, servers: &Servers) -> Outcome<Vec<Observation>> {
        let name = &self.0.name;
        if servers.parent.is_some() || servers.child.is_some() {
            let problem = format!("{name} says itself which servers were asked");
            let hint = "leave out --parent-server and --child-server".to_owned();
            return Err(Failure::new(Exit::Usage, problem).hint(hint));
        }
        // JSON is YAML, and this reader tells line, column and field.
        let given: Given = yaml::parse(&self.0.text)
            .map_err(|error| Failure::of(Exit::Failed, &error).within(format!("{name} is no observation")))?;
        let of_zone = given.observations.into_iter().filter(|line| line.zone == *zone);
        Ok(of_zone.map(|line| line.observation).collect())
    }

    fn dig(
        &self,
        zone: &ZoneName,
        servers: &Servers,
        (operator, tool): (String, String),
    ) -> Outcome<Vec<Observation>> {
        let problem = || format!("{} is nothing that dig printed of {zone}", self.0.name);
        let dig =
            DigText::parse(zone, &self.0.text).map_err(|error| Failure::from(error).within(problem()))?;
        let answers = dig.answers(servers);
        let observation = dig.times().map(|(began, at)| Observation {
            at,
            began,
            operator,
            tool,
            source: Source::Dig,
            parent_zone: None,
            parent: answers.parent,
            child: answers.child,
        });
        Ok(observation.into_iter().collect())
    }
}
