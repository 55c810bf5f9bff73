//! What is really so, whatever the policy has.

use std::fmt;
use std::str::FromStr;

use key_metadata::Span;
use key_metadata::timing::{Figure, Figures};

/// A figure as it is in the world.
#[derive(Clone, Copy, Debug)]
pub struct Really {
    known: &'static Known,
    is: Span,
}

/// A figure that the world has.
#[derive(Debug)]
struct Known {
    /// Its name in RFC 7583.
    name: &'static str,
    /// The policy's field.
    field: &'static str,
    of: fn(&mut Figures) -> &mut Figure,
}

static KNOWN: [Known; 7] = [
    Known {
        name: "TTLds",
        field: "parent.ds-ttl",
        of: |figures| &mut figures.ttl_ds,
    },
    Known {
        name: "TTLkey",
        field: "dnskey-ttl",
        of: |figures| &mut figures.ttl_key,
    },
    Known {
        name: "TTLsig",
        field: "zone.max-ttl",
        of: |figures| &mut figures.ttl_sig,
    },
    Known {
        name: "Dprp",
        field: "zone.propagation-delay",
        of: |figures| &mut figures.dprp,
    },
    Known {
        name: "DprpP",
        field: "parent.propagation-delay",
        of: |figures| &mut figures.dprp_parent,
    },
    Known {
        name: "Dreg",
        field: "parent.registration-delay",
        of: |figures| &mut figures.dreg,
    },
    Known {
        name: "Dsgn",
        field: "signatures.resign",
        of: |figures| &mut figures.dsgn,
    },
];

const YEAR: u32 = 365 * 86_400;

/// A span that a simulation has room for.
pub fn up_to_a_year(text: &str) -> Result<Span, String> {
    let span = text.parse::<Span>().map_err(|error| error.to_string())?;
    match span.seconds() {
        0..=YEAR => Ok(span),
        _ => Err("it is longer than 365d".to_owned()),
    }
}

impl FromStr for Really {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, span) = text.split_once('=').ok_or("write FIGURE=SPAN, as in TTLds=3d")?;
        let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| {
            let names: Vec<_> = KNOWN
                .iter()
                .map(|known| format!("{} ({})", known.name, known.field))
                .collect();
            format!("'{name}' is none of {}", names.join(", "))
        })?;
        Ok(Self {
            known,
            is: up_to_a_year(span)?,
        })
    }
}

impl Really {
    /// So it is among the figures.
    pub fn is_so(&self, figures: &mut Figures) {
        *(self.known.of)(figures) = Figure::given(self.is, format!("--really {self}"));
    }

    /// Whether it is not so among the figures.
    pub fn differs(&self, figures: &Figures) -> bool {
        (self.known.of)(&mut figures.clone()).span != self.is
    }

    /// What a policy would have where it had that.
    pub fn remedy(&self) -> String {
        format!("{}: {}", self.known.field, self.is)
    }
}

impl fmt::Display for Really {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.known.name, self.is)
    }
}
