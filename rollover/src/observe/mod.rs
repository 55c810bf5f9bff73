//! `observe`: what every name server of a zone and of its parent has of DS and DNSKEY, held against the records, and recorded.

mod elsewhere;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cli::{Exit, Failure, JsonList, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{Addresses, Asking, Resolver, ServerList, Servers, Transport, resolvers_of};
use key_metadata::observations::{Added, KEPT};
use key_metadata::{Observation, Server, ServerAddress, SiteFolder, Source, Span, ZoneName};
use rollover::compare::{Finding, Severity, compare};
use serde::Serialize;

use crate::clock;
use elsewhere::Elsewhere;
use tables::{joined, said, shown};

/// Where the system's resolvers are named, resolv.conf(5).
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The options of `observe`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// A name server of the parent, once for each at each of its addresses: these are all. NAME=ADDRESS or NAME=ADDRESS:PORT
    #[arg(long = "parent-server", value_name = "SERVER")]
    parents: Vec<Server>,
    /// The same for the zone itself
    #[arg(long = "child-server", value_name = "SERVER")]
    children: Vec<Server>,
    /// The resolver that finds the name servers; those of the system when absent
    #[arg(long, value_name = "ADDRESS")]
    resolver: Option<ServerAddress>,
    /// Leave the addresses of the other family alone, where this host has no way to them
    #[arg(long, value_name = "FAMILY")]
    only: Option<Family>,
    /// The port of the name servers that the resolver finds, in a laboratory
    #[arg(long, value_name = "PORT", default_value_t = 53, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Ask over TCP from the start: slower, and nobody who is not on the path can forge an answer
    #[arg(long)]
    tcp: bool,
    /// How long an answer is waited for, each time
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    timeout: Span,
    /// How often a server is asked that does not answer
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    tries: u8,
    /// Ask nobody: read what was observed elsewhere, as --json printed it, or what 'TZ=UTC dig +norec +dnssec @SERVER ZONE DS' (and DNSKEY and
    /// SOA) printed for each server; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resolver", "only", "tcp"])]
    from: Option<PathBuf>,
    /// Record nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Family {
    Ipv4,
    Ipv6,
}

/// What `--json` prints of a zone.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    zone: &'a ZoneName,
    /// Whether every server answered.
    complete: bool,
    observation: &'a Observation,
    findings: &'a [Finding],
    /// Whether it was put into the site's file.
    recorded: bool,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zones = self.zones.zones(&folder)?;
        let servers_given = !self.parents.is_empty() || !self.children.is_empty();
        if servers_given && zones.len() != 1 {
            let problem = "--parent-server and --child-server are of one zone";
            return Err(Failure::new(Exit::Usage, problem).hint("name it with --zone".to_owned()));
        }
        let elsewhere = self.from.as_deref().map(Elsewhere::read).transpose()?;
        let (mut list, mut failures) = (JsonList::new("observations"), Vec::new());
        for zone in &zones {
            let observations = match &elsewhere {
                None => self.ask(zone, &folder, site).map(|observation| vec![observation]),
                Some(elsewhere) => elsewhere.of(zone, &self.given(), who(site), cli::now()),
            };
            let seen = observations.and_then(|observations| {
                let mut worst = Ok(());
                for observation in observations {
                    worst = self
                        .tell(zone, &observation, &folder, &mut list, output)
                        .and(worst);
                }
                worst
            });
            failures.extend(seen.err());
            if output.is_over() {
                break;
            }
        }
        if self.report.json {
            list.end(output)?;
        }
        output.last_of(failures).map_or(Ok(()), Err)
    }

    /// Asks every server.
    fn ask(&self, zone: &ZoneName, folder: &SiteFolder, site: &SiteArguments) -> Outcome<Observation> {
        let last = folder.observations(zone)?.newest().map(|seen| seen.at);
        clock::is_after([(folder.observations_path(zone), last)], cli::now())?;
        let asking = Asking {
            tries: self.tries,
            wait: Duration::from_secs(u64::from(self.timeout.seconds()).max(1)),
            transport: match self.tcp {
                true => Transport::Tcp,
                false => Transport::UdpThenTcp,
            },
        };
        let servers = self.find(zone, asking)?;
        let progress = Progress::new(&format!("asking for {zone}"), servers.len() as u64);
        let began = cli::now();
        let answers = servers.ask(zone, &asking, began, &|| progress.step())?;
        let (operator, tool) = who(site);
        Ok(Observation {
            at: cli::now(),
            began,
            operator,
            tool,
            source: Source::Network,
            parent_zone: servers.parent_zone,
            parent: answers.parent,
            child: answers.child,
        })
    }

    /// The servers that were given, and the others by a resolver.
    fn find(&self, zone: &ZoneName, asking: Asking) -> Outcome<Servers> {
        let mut servers = self.given();
        if servers.parent.is_some() && servers.child.is_some() {
            return Ok(servers);
        }
        let addresses = match self.resolver {
            Some(address) => vec![address],
            None => fs::read_to_string(RESOLV_CONF).map_or_else(|_| Vec::new(), |text| resolvers_of(&text)),
        };
        let which = match self.only {
            None => Addresses::All,
            Some(Family::Ipv4) => Addresses::Ipv4,
            Some(Family::Ipv6) => Addresses::Ipv6,
        };
        let resolver = Resolver {
            addresses,
            asking,
            which,
            port: self.port,
        };
        if servers.parent.is_none()
            && let Some(parent) = resolver.parent_of(zone)?
        {
            servers.parent = Some(resolver.servers_of_parent(&parent)?);
            servers.parent_zone = Some(parent);
        }
        if servers.child.is_none() {
            servers.child = Some(resolver.servers_of(zone, servers.parent.as_ref())?);
        }
        Ok(servers)
    }

    fn given(&self) -> Servers {
        let list = |servers: &[Server]| (!servers.is_empty()).then(|| ServerList::given(servers.to_vec()));
        Servers {
            parent_zone: None,
            parent: list(&self.parents),
            child: list(&self.children),
        }
    }

    /// Records and shows it; a failure where it is not as it should be everywhere.
    fn tell(
        &self,
        zone: &ZoneName,
        observation: &Observation,
        folder: &SiteFolder,
        list: &mut JsonList,
        output: &mut Output,
    ) -> Outcome {
        let keys = folder.keys(zone)?;
        let findings = compare(zone, keys.keys(), observation);
        let added = match self.dry_run {
            true => None,
            false => Some(record(zone, observation, folder)?),
        };
        if self.report.json {
            let line = Line {
                zone,
                complete: observation.is_complete(),
                observation,
                findings: &findings,
                recorded: added.is_some(),
            };
            list.item(&line, output)?;
        } else {
            output.result(shown(zone, observation))?;
            for finding in &findings {
                output.line(said(finding))?;
            }
        }
        let path = folder.observations_path(zone);
        let path = path.display();
        output.say(match added {
            None => format!("would be recorded in {path}"),
            Some(Added::Kept) => format!("recorded in {path}"),
            Some(Added::Known) => format!("{path} has it already"),
            Some(Added::Displaced(at)) => {
                format!("recorded in {path}, which keeps {KEPT}: the one of {at} is gone")
            }
        });
        verdict(zone, observation, &findings)
    }
}

fn who(site: &SiteArguments) -> (String, String) {
    (cli::operator(site.operator.as_deref()), cli::tool!().0.to_owned())
}

fn record(zone: &ZoneName, observation: &Observation, folder: &SiteFolder) -> Outcome<Added> {
    let lock = folder.lock_observations(zone)?;
    let mut observations = folder.observations(zone)?;
    let added = observations.add(observation.clone()).map_err(|error| {
        Failure::of(Exit::Failed, &error).within("what was seen cannot be recorded".to_owned())
    })?;
    if added != Added::Known {
        folder.write_observations(&observations, &lock)?;
    }
    Ok(added)
}

/// A failure where servers disagree, or not all answered, or anything else is not as the records say.
fn verdict(zone: &ZoneName, observation: &Observation, findings: &[Finding]) -> Outcome {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let (red, differs, unknown) = (
        count(Severity::Red),
        count(Severity::Differs),
        count(Severity::NotKnown),
    );
    let problem = match (red, differs, unknown) {
        (0, 0, 0) => return Ok(()),
        (0, 0, _) => format!("zone {zone} was not seen at every server"),
        (0, _, _) => format!("zone {zone} is not at every server as it should be"),
        (_, _, _) => format!("zone {zone} does not validate at every server"),
    };
    let worst = findings.iter().map(|finding| finding.severity).min();
    let concerned = findings.iter().filter(|finding| Some(finding.severity) == worst);
    let servers: BTreeSet<_> = concerned.flat_map(|finding| &finding.servers).collect();
    let hint = match (servers.is_empty(), observation.is_complete()) {
        (false, _) => Some(format!("look at {}", joined(servers.into_iter()))),
        (true, false) => {
            Some("say which servers there are, with --parent-server and --child-server".to_owned())
        }
        (true, true) => None,
    };
    Err(Failure::new(Exit::SaysNo, problem).hint(hint))
}
