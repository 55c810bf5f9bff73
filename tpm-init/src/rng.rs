//! `rng`: tests random number generators, and feeds the kernel's pool from a TPM's.

use std::path::PathBuf;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::{SiteFolder, TokenName};
use serde::Serialize;
use tpm_init::random_test::RandomTestName;
use tpm_init::{RandomReport, SampleSize, Verdict};

use crate::feed::{Fed, feed};
use crate::generator::{Generator, Kind, Source};

/// The options of `rng`.
#[derive(Args)]
pub struct Arguments {
    /// Test the generator of this TPM only, by its name in site.yaml
    #[arg(long, value_name = "NAME", conflicts_with_all = ["token", "file"])]
    tpm: Option<TokenName>,
    /// Test the generator of this PKCS#11 token only, by its name in site.yaml
    #[arg(long, value_name = "NAME", conflicts_with_all = ["file", "feed"])]
    token: Option<TokenName>,
    /// Test what a file or a device holds, without a site; - is standard input
    #[arg(long, value_name = "PATH", conflicts_with = "feed")]
    file: Option<PathBuf>,
    /// How much of each to test: bytes, KiB or MiB, 4096 to 16MiB
    #[arg(long, value_name = "SIZE", default_value_t)]
    bytes: SampleSize,
    /// Give 512 more bytes of each TPM that passes to the kernel's pool, credited with 256 bits, or with none if the TPM is in software
    #[arg(long)]
    feed: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    shows: &'static str,
    generators: Vec<Tested>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Tested {
    kind: Kind,
    name: String,
    /// Kind and name, for people.
    #[serde(skip)]
    generator: String,
    verdict: Verdict,
    failed_tests: Vec<RandomTestName>,
    #[serde(flatten)]
    report: RandomReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    fed: Option<Fed>,
}

/// What the table's figures are.
const LEGEND: &str = "\
RUN: equal bytes in a row. COUNT: of one value in 512 bytes. BIT: ones less zeros of one bit. REPEAT: a block of 16 bytes twice.
Behind the slash is the figure that fails: SP 800-90B 4.4.1 and 4.4.2 with H = 8 and alpha = 2^-40; for BIT, Hoeffding's bound.";

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder;
        let generators = match &self.file {
            Some(path) => vec![Generator::File(path)],
            None => {
                folder = site.open()?;
                self.choose(&folder)?
            }
        };
        let (mut tested, mut failures) = (Vec::new(), Vec::new());
        for generator in &generators {
            match self.test(generator, site, &mut failures) {
                Ok(one) => tested.push(one),
                Err(failure) => failures.push(failure.within(format!("{generator} was not tested"))),
            }
        }
        // What a test says comes last, and gives the exit code.
        failures.extend(tested.iter().filter_map(Tested::failure));
        self.show(tested, output)?;
        let last = failures.pop();
        for failure in &failures {
            output.failure(failure);
        }
        last.map_or(Ok(()), Err)
    }

    /// The generator that was named, or all of the site.
    fn choose<'a>(&self, folder: &'a SiteFolder) -> Outcome<Vec<Generator<'a>>> {
        let entries = folder.site().tokens.iter();
        let mut chosen: Vec<_> = entries
            .filter_map(|(name, entry)| Generator::of_site(folder, name, &entry.address))
            .collect();
        let refuse = |text| Err(Failure::new(Exit::Usage, text));
        let named = match (&self.tpm, &self.token) {
            (Some(name), _) => Some((Kind::Tpm, name)),
            (None, Some(name)) => Some((Kind::Token, name)),
            (None, None) => None,
        };
        if let Some((kind, name)) = named {
            chosen.retain(|one| one.kind() == kind);
            let known: Vec<_> = chosen.iter().map(Generator::name).collect();
            chosen.retain(|one| one.name() == name.to_string());
            if chosen.is_empty() {
                let known = known.join(", ");
                return refuse(format!(
                    "the site has no {kind} named '{name}'; there is: {known}"
                ));
            }
        }
        if chosen.is_empty() {
            return refuse("the site has no TPM and no token to test".to_owned());
        }
        if self.feed && chosen.iter().all(|one| one.kind() != Kind::Tpm) {
            return refuse("the site has no TPM to feed the kernel's pool from".to_owned());
        }
        Ok(chosen)
    }

    /// Tests a generator, and feeds the kernel's pool from it if that is asked for and it passed.
    fn test(
        &self,
        generator: &Generator<'_>,
        site: &SiteArguments,
        failures: &mut Vec<Failure>,
    ) -> Outcome<Tested> {
        let mut source = generator.open()?;
        let report = generator.test(&mut source, self.bytes, site)?;
        let failed_tests = report.failed_tests();
        let fed = match &source {
            Source::Tpm(tpm) if self.feed && failed_tests.is_empty() => match feed(tpm) {
                Ok(fed) => Some(fed),
                Err(failure) => {
                    let what = format!("the kernel's pool was not fed from {generator}");
                    failures.push(failure.within(what));
                    None
                }
            },
            Source::Tpm(_) | Source::Token { .. } | Source::File(_) => None,
        };
        Ok(Tested {
            kind: generator.kind(),
            name: generator.name(),
            generator: generator.to_string(),
            verdict: report.finding().verdict,
            failed_tests,
            report,
            fed,
        })
    }

    fn show(&self, generators: Vec<Tested>, output: &mut Output) -> Outcome {
        if self.report.json {
            return output.json(&Report {
                version: 1,
                shows: RandomReport::SHOWS,
                generators,
            });
        }
        if generators.is_empty() {
            return Ok(());
        }
        let heading = ["GENERATOR", "BYTES", "RUN", "COUNT", "BIT", "REPEAT", "VERDICT"];
        output.result(cli::table(heading, generators.iter().map(Tested::row)))?;
        output.line(LEGEND)?;
        output.line(RandomReport::SHOWS)?;
        for one in &generators {
            if let Some(fed) = &one.fed {
                output.line(format!("{}: {fed}", one.generator))?;
            }
        }
        Ok(())
    }
}

impl Tested {
    fn row(&self) -> [String; 7] {
        let report = &self.report;
        let repeat = report
            .repeat
            .map_or("none".to_owned(), |repeat| format!("at {}", repeat.at));
        [
            self.generator.clone(),
            report.bytes.to_string(),
            report.longest_run.to_string(),
            report.largest_count.to_string(),
            report.bit_difference.to_string(),
            repeat,
            self.verdict.to_string(),
        ]
    }

    /// What the user is told of a generator that says no.
    fn failure(&self) -> Option<Failure> {
        let finding = self.report.finding();
        if !finding.verdict.says_no() {
            return None;
        }
        let names: Vec<_> = self.failed_tests.iter().map(ToString::to_string).collect();
        let text = format!(
            "the random bytes of {} fail: {}",
            self.generator,
            names.join(", ")
        );
        Some(Failure::new(Exit::SaysNo, text).hint(finding.remedy))
    }
}
