//! Every way to change one record of a signed zone, and whether the zone can show it without a digest of itself (ZONEMD).

use std::collections::BTreeSet;
use std::fmt;

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const DNAME: u16 = 39;
const DS: u16 = 43;
const RRSIG: u16 = 46;
const NSEC: u16 = 47;
const NSEC3: u16 = 50;

/// A record as it is on the wire. It prints as a line of a zone file, in the form of unknown types (RFC 3597 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub owner: Vec<u8>,
    pub ttl: u32,
    pub rtype: u16,
    pub rdata: Vec<u8>,
}

/// A zone that was changed.
pub struct Mutation {
    pub what: String,
    pub lines: Vec<Line>,
    pub effect: Effect,
}

/// What a change comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It breaks what is signed, the chain, or a delegation.
    Seen,
    /// It is of what nobody signs. Only a digest of the whole zone shows it.
    Unsigned,
    /// The zone is the same.
    None,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in labels(&self.owner) {
            for octet in label {
                match octet.is_ascii_alphanumeric() {
                    true => write!(f, "{}", char::from(*octet))?,
                    false => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        if self.owner == [0] {
            f.write_str(".")?;
        }
        let Self {
            ttl, rtype, rdata, ..
        } = self;
        write!(f, " {ttl} IN TYPE{rtype} \\# {} ", rdata.len())?;
        rdata.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The text of a zone file.
pub fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Each record dropped, doubled and changed, and the zone written in other ways.
pub fn mutations(lines: &[Line], apex: &[u8]) -> impl Iterator<Item = Mutation> {
    let before = View::of(lines, apex);
    let judged = move |(what, lines): (String, Vec<Line>)| {
        let after = View::of(&lines, apex);
        let effect = if before != after || !after.is_sound {
            Effect::Seen
        } else {
            Effect::Unsigned
        };
        Mutation { what, lines, effect }
    };
    (0..lines.len())
        .flat_map(move |place| of_record(lines, place))
        .map(judged)
        .chain(rewritten(lines))
}

/// What is done to one record. Two of a type that change their data are told with the first.
fn of_record(lines: &[Line], place: usize) -> Vec<(String, Vec<Line>)> {
    let line = &lines[place];
    let mut made = Vec::new();
    let mut dropped = lines.to_vec();
    dropped.remove(place);
    made.push((format!("without {line}"), dropped));
    let mut doubled = lines.to_vec();
    doubled.push(Line {
        ttl: line.ttl + 1,
        ..line.clone()
    });
    made.push((format!("again with another TTL: {line}"), doubled));
    let mut changed = |what: &str, new: Line| {
        let mut lines = lines.to_vec();
        lines[place] = new.clone();
        made.push((format!("{what}: {line}, now {new}"), lines));
    };
    changed(
        "TTL",
        Line {
            ttl: line.ttl + 1,
            ..line.clone()
        },
    );
    if line.owner != [0] {
        let mut owner = line.owner.clone();
        // `a` becomes `b`, and a digit of a hash one that is another.
        owner[1] = if owner[1] == b'b' { b'c' } else { b'b' };
        changed(
            "owner",
            Line {
                owner,
                ..line.clone()
            },
        );
    }
    for at in places(line) {
        let mut rdata = line.rdata.clone();
        rdata[at] ^= 1;
        changed(
            &format!("octet {at}"),
            Line {
                rdata,
                ..line.clone()
            },
        );
    }
    let is_other = |other: &&Line| other.rtype == line.rtype && other.rdata != line.rdata;
    if let Some(other) = lines[place + 1..].iter().position(|other| is_other(&other)) {
        let other = place + 1 + other;
        let mut swapped = lines.to_vec();
        swapped[place].rdata.clone_from(&lines[other].rdata);
        swapped[other].rdata.clone_from(&line.rdata);
        made.push((format!("swapped: {line} and {}", lines[other]), swapped));
    }
    made
}

/// The octets of RDATA that are changed: one of each field of an RRSIG, and of others the first, the last, and one between. Of a name server's name
/// those that are of a label.
fn places(line: &Line) -> Vec<usize> {
    let last = line.rdata.len().saturating_sub(1);
    let mut places = match line.rtype {
        RRSIG => {
            let signature = 18 + name_length(&line.rdata[18..]);
            // Type, algorithm, labels, original TTL, expiration, inception, key tag, signer.
            let mut places = vec![1, 2, 3, 7, 8, 11, 12, 15, 17, 19];
            places.extend([signature, signature.midpoint(last), last]);
            places
        }
        NS => vec![1],
        _ => vec![0, last / 2, last],
    };
    places.retain(|at| *at < line.rdata.len());
    places.dedup();
    places
}

/// The same zone, written in other ways; and a letter of a name in another case, where case is signed.
fn rewritten(lines: &[Line]) -> Vec<Mutation> {
    let mut made = Vec::new();
    let mut add = |what: String, lines: Vec<Line>, effect| made.push(Mutation { what, lines, effect });
    let backwards: Vec<_> = lines.iter().rev().cloned().collect();
    add("in another order".to_owned(), backwards, Effect::None);
    let twice = [lines, lines].concat();
    add("each record twice".to_owned(), twice, Effect::None);
    let upper = |line: &Line| Line {
        owner: other_case(&line.owner),
        ..line.clone()
    };
    add(
        "owners in upper case".to_owned(),
        lines.iter().map(upper).collect(),
        Effect::None,
    );
    for (place, line) in lines.iter().enumerate() {
        let (names, effect) = match line.rtype {
            NS | CNAME | PTR | DNAME => (0..line.rdata.len(), Effect::None),
            SOA => (0..line.rdata.len() - 20, Effect::None),
            MX => (2..line.rdata.len(), Effect::None),
            SRV => (6..line.rdata.len(), Effect::None),
            RRSIG => (18..18 + name_length(&line.rdata[18..]), Effect::None),
            // Its next name is signed as it is written (RFC 6840 5.1).
            NSEC => (0..name_length(&line.rdata), Effect::Seen),
            _ => continue,
        };
        let mut rdata = line.rdata.clone();
        let other = other_case(&rdata[names.clone()]);
        if other == rdata[names.clone()] {
            continue;
        }
        rdata[names].copy_from_slice(&other);
        let mut changed = lines.to_vec();
        changed[place].rdata = rdata;
        add(format!("names in another case in {line}"), changed, effect);
        let mut changed = lines.to_vec();
        changed[place] = upper(line);
        add(format!("owner in another case of {line}"), changed, Effect::None);
    }
    made
}

/// What of a zone is signed or in its chain: all that it can show by itself.
#[derive(PartialEq, Eq)]
struct View {
    /// The records that are the zone's own, and their signatures.
    own: BTreeSet<(Vec<u8>, u16, u32, Vec<u8>)>,
    /// The zone cuts, but for those that opt-out leaves out of the chain (RFC 5155 section 6): the ones without DS.
    cuts: BTreeSet<Vec<u8>>,
    /// RRsets have one TTL each, and name servers below their own zone cuts an address.
    is_sound: bool,
}

impl View {
    fn of(lines: &[Line], apex: &[u8]) -> Self {
        let lower = |line: &Line| line.owner.to_ascii_lowercase();
        let has_opt_out = lines
            .iter()
            .any(|line| line.rtype == NSEC3 && line.rdata.get(1) == Some(&1));
        let names = |rtype| {
            let of_type = lines.iter().filter(move |line| line.rtype == rtype);
            of_type.map(lower).collect::<BTreeSet<_>>()
        };
        let (mut cuts, secure) = (names(NS), names(DS));
        cuts.remove(apex);
        let is_own = |line: &&Line| {
            let owner = lower(line);
            let is_below = cuts.iter().any(|cut| *cut != owner && is_within(&owner, cut));
            let is_at = cuts.contains(&owner) && !matches!(line.rtype, DS | NSEC | RRSIG);
            !is_below && !is_at
        };
        let own = lines
            .iter()
            .filter(is_own)
            .map(|line| (lower(line), line.rtype, line.ttl, line.rdata.clone()))
            .collect();
        let has_address = |server: &Vec<u8>| {
            let is_its = |line: &Line| matches!(line.rtype, A | AAAA) && lower(line) == *server;
            lines.iter().any(is_its)
        };
        let has_glue = lines.iter().filter(|line| line.rtype == NS).all(|line| {
            let (cut, server) = (lower(line), line.rdata.to_ascii_lowercase());
            cut == apex || !is_within(&server, &cut) || has_address(&server)
        });
        let ttls: BTreeSet<_> = lines
            .iter()
            .filter(|line| line.rtype != RRSIG)
            .map(|line| (lower(line), line.rtype, line.ttl))
            .collect();
        let sets: BTreeSet<_> = ttls.iter().map(|(owner, rtype, _)| (owner, rtype)).collect();
        let is_sound = has_glue && sets.len() == ttls.len();
        if has_opt_out {
            cuts.retain(|cut| secure.contains(cut));
        }
        Self { own, cuts, is_sound }
    }
}

/// The labels of a name, without the root's.
fn labels(name: &[u8]) -> Vec<&[u8]> {
    let (mut labels, mut rest) = (Vec::new(), name);
    while let [length @ 1..=63, behind @ ..] = rest {
        let (label, behind) = behind.split_at(usize::from(*length));
        labels.push(label);
        rest = behind;
    }
    labels
}

/// Whether a name is another, or below it; both in lower case.
fn is_within(name: &[u8], above: &[u8]) -> bool {
    labels(name).ends_with(&labels(above))
}

/// How many octets the name that RDATA begins with has.
fn name_length(rdata: &[u8]) -> usize {
    labels(rdata).iter().map(|label| label.len() + 1).sum::<usize>() + 1
}

/// A name with the case of each letter changed. What says how long a label is is no letter.
fn other_case(name: &[u8]) -> Vec<u8> {
    let other = |octet: &u8| match octet.is_ascii_alphabetic() {
        true => octet ^ 0x20,
        false => *octet,
    };
    name.iter().map(other).collect()
}
