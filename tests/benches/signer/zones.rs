//! Zones as registries have them, made anew each time and always the same: delegations, a fifth of them with DS, some with glue.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ring::digest::{SHA256, digest};

/// The eight zones with as many delegations as a small registry has.
pub const SET: [(&str, usize); 8] = [
    ("cr", 7000),
    ("fi.cr", 60),
    ("go.cr", 350),
    ("ac.cr", 140),
    ("or.cr", 450),
    ("sa.cr", 60),
    ("co.cr", 12_000),
    ("ed.cr", 300),
];

const CONSONANTS: &[u8] = b"bcdfglmnprstvz";
const VOWELS: &[u8] = b"aeiou";

/// Numbers that look random, and follow from what they are for.
struct Numbers {
    what: String,
    block: u32,
    left: Vec<u8>,
}

impl Numbers {
    fn of(what: String) -> Self {
        let (block, left) = (0, Vec::new());
        Self { what, block, left }
    }

    fn next(&mut self) -> usize {
        if self.left.len() < 2 {
            let block = format!("{}/{}", self.what, self.block);
            self.left = digest(&SHA256, block.as_bytes()).as_ref().to_vec();
            self.block += 1;
        }
        let pair: Vec<u8> = self.left.drain(..2).collect();
        usize::from(pair[0]) << 8 | usize::from(pair[1])
    }

    fn below(&mut self, end: usize) -> usize {
        match end {
            ..=60_000 => self.next() % end,
            _ => (self.next() << 16 | self.next()) % end,
        }
    }
}

/// Writes a zone with so many delegations. Of a later one, `changed` have other name servers, and so many went and others came.
pub fn write(file: &Path, zone: &str, delegations: usize, changed: usize) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let serial = 2_026_010_101 + u32::from(changed > 0);
    writeln!(out, "$ORIGIN {zone}.\n$TTL 86400")?;
    writeln!(out, "@\tIN\tSOA\tns1 hostmaster {serial} 7200 3600 1209600 3600")?;
    for server in 1..=3 {
        writeln!(
            out,
            "@\tIN\tNS\tns{server}\n@\tIN\tNS\tns{server}.anycast.example."
        )?;
        writeln!(out, "ns{server}\tIN\tA\t192.0.2.{server}")?;
        writeln!(out, "ns{server}\tIN\tAAAA\t2001:db8::{server}")?;
    }
    writeln!(out, "@\tIN\tMX\t10 mail\nmail\tIN\tA\t192.0.2.200")?;
    writeln!(out, "@\tIN\tTXT\t\"v=spf1 mx -all\"\nwww\tIN\tA\t192.0.2.80")?;
    for number in changed..delegations + changed {
        let version = usize::from((changed..2 * changed).contains(&number));
        delegation(&mut out, zone, number, delegations, version)?;
    }
    out.flush()
}

fn label(zone: &str, number: usize) -> String {
    let mut numbers = Numbers::of(format!("label/{zone}/{number}"));
    let mut label = String::new();
    for _ in 0..2 + numbers.below(4) {
        label.push(char::from(CONSONANTS[numbers.below(CONSONANTS.len())]));
        label.push(char::from(VOWELS[numbers.below(VOWELS.len())]));
    }
    format!("{label}{number:x}")
}

fn delegation(
    out: &mut impl Write,
    zone: &str,
    number: usize,
    delegations: usize,
    version: usize,
) -> io::Result<()> {
    let name = label(zone, number);
    let mut numbers = Numbers::of(format!("delegation/{zone}/{number}/{version}"));
    let has_ds = numbers.below(100) < 20;
    match numbers.below(100) {
        0..70 => {
            let host = numbers.below(400);
            let top = ["com", "net", "org", "example"][host % 4];
            for server in 1..=2 {
                writeln!(out, "{name}\tIN\tNS\tns{server}.hosting{host}.{top}.")?;
            }
        }
        70..88 => {
            let other = label("shared", numbers.below(delegations));
            for server in 1..=2 {
                writeln!(out, "{name}\tIN\tNS\tns{server}.{other}.example.")?;
            }
        }
        _ => {
            for server in 1..=2 {
                writeln!(out, "{name}\tIN\tNS\tns{server}.{name}")?;
                let (third, fourth) = (numbers.below(256), 1 + numbers.below(254));
                writeln!(out, "ns{server}.{name}\tIN\tA\t198.51.{third}.{fourth}")?;
                if numbers.below(2) == 0 {
                    let (seventh, eighth) = (numbers.next(), numbers.next());
                    writeln!(
                        out,
                        "ns{server}.{name}\tIN\tAAAA\t2001:db8::{seventh:x}:{eighth:x}"
                    )?;
                }
            }
        }
    }
    if has_ds {
        let (tag, algorithm) = (numbers.next(), [8, 13, 13][numbers.below(3)]);
        let digest = hex::encode(digest(&SHA256, format!("{name}.{zone}/{version}").as_bytes()));
        writeln!(out, "{name}\tIN\tDS\t{tag} {algorithm} 2 {digest}")?;
    }
    Ok(())
}
