//! Names on the wire: not compressed, with the letters as they were written.

use std::cmp::Ordering;
use std::fmt;

use domain::base::Name;

/// The octets of a name, which are one (RFC 1035 3.1): labels, each behind its length, and the root's.
#[derive(Clone, Copy)]
pub struct WireName<'a>(&'a [u8]);

/// A name has at most so many labels beside the root's: each has two octets at least, and all of them 255 at most.
const MOST_LABELS: usize = 127;

impl<'a> WireName<'a> {
    /// The name that octets are, all of them.
    pub fn new(octets: &'a [u8]) -> Option<Self> {
        let name = Self::first_of(octets)?;
        (name.0.len() == octets.len()).then_some(name)
    }

    /// The name that octets begin with.
    pub fn first_of(octets: &'a [u8]) -> Option<Self> {
        let mut at = 0;
        loop {
            match octets.get(at)? {
                0 => break,
                length @ 1..=63 => at += 1 + usize::from(*length),
                64.. => return None,
            }
        }
        let name = octets.get(..=at)?;
        (name.len() <= 255).then_some(Self(name))
    }

    /// Octets that were a name before.
    pub(crate) const fn trusted(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub const fn octets(self) -> &'a [u8] {
        self.0
    }

    /// The labels from left to right, without the root's.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first()?;
            if *length == 0 {
                return None;
            }
            let (label, behind) = behind.split_at_checked(usize::from(*length))?;
            rest = behind;
            Some(label)
        })
    }

    /// How many labels an RRSIG counts: without the root's, and without a leading `*` (RFC 4034 3.1.3).
    pub fn rrsig_labels(self) -> u8 {
        let labels = self.labels().count() as u8;
        labels - u8::from(self.is_wildcard())
    }

    /// Whether it begins with the label `*`.
    pub fn is_wildcard(self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// The name above; nothing above the root.
    pub fn parent(self) -> Option<Self> {
        match self.0.split_first()? {
            (0, _) => None,
            (length, behind) => behind.get(usize::from(*length)..).map(Self),
        }
    }

    /// Its last labels, so many of them.
    pub fn suffix(self, labels: usize) -> Option<Self> {
        let above = self.labels().count().checked_sub(labels)?;
        let mut name = self;
        for _ in 0..above {
            name = name.parent()?;
        }
        Some(name)
    }

    /// Whether it is `above`, or below it.
    pub fn is_within(self, above: Self) -> bool {
        let Some(first) = self.0.len().checked_sub(above.0.len()) else {
            return false;
        };
        if !self.0[first..].eq_ignore_ascii_case(above.0) {
            return false;
        }
        let mut at = 0;
        while at < first {
            at += 1 + usize::from(self.0[at]);
        }
        at == first
    }

    /// How many labels both end with.
    pub(crate) fn shared_labels(self, other: Self) -> usize {
        let (mine, theirs) = (Labels::of(self), Labels::of(other));
        let pairs = mine.reversed().zip(theirs.reversed());
        pairs
            .take_while(|(one, other)| one.eq_ignore_ascii_case(other))
            .count()
    }

    /// The canonical order of names (RFC 4034 6.1): label by label from the right, without regard to case.
    pub fn compare(self, other: Self) -> Ordering {
        let (mine, theirs) = (Labels::of(self), Labels::of(other));
        let mut pairs = mine.reversed().zip(theirs.reversed());
        let differs = pairs.find_map(|(one, other)| {
            let lower = |label: &'a [u8]| label.iter().map(u8::to_ascii_lowercase);
            let order = lower(one).cmp(lower(other));
            order.is_ne().then_some(order)
        });
        differs.map_or_else(|| mine.count.cmp(&theirs.count), |order| order)
    }

    /// The octets with lower-case letters (RFC 4034 6.2). No length is one: they are below 64, and `A` is 65.
    pub fn canonical(self) -> Vec<u8> {
        self.0.to_ascii_lowercase()
    }

    /// The first sixteen octets of what sorts as names below `apex` do: the labels from the right, each with an octet behind it that is less
    /// than any of a label.
    pub(crate) fn order_below(self, apex: Self) -> [u8; 16] {
        let mut order = [0; 16];
        let mut at = 0;
        let mut put = |octet: u8| {
            if let Some(place) = order.get_mut(at) {
                *place = octet;
            }
            at += 1;
        };
        let labels = Labels::of(self);
        for label in labels.reversed().skip(Labels::of(apex).count) {
            for octet in label {
                // Two octets are those that end a label, and the one that escapes them.
                match octet.to_ascii_lowercase() {
                    octet @ (0 | 1) => {
                        put(1);
                        put(octet + 1);
                    }
                    octet => put(octet),
                }
            }
            put(0);
        }
        order
    }
}

/// Where the labels of a name begin.
struct Labels<'a> {
    name: WireName<'a>,
    starts: [u8; MOST_LABELS],
    count: usize,
}

impl<'a> Labels<'a> {
    fn of(name: WireName<'a>) -> Self {
        let (mut starts, mut count, mut at) = ([0; MOST_LABELS], 0, 0);
        while name.0[at] != 0 {
            starts[count] = at as u8;
            count += 1;
            at += 1 + usize::from(name.0[at]);
        }
        Self { name, starts, count }
    }

    fn reversed(&self) -> impl Iterator<Item = &'a [u8]> {
        let octets = self.name.0;
        self.starts[..self.count].iter().rev().map(move |start| {
            let start = usize::from(*start);
            &octets[start + 1..start + 1 + usize::from(octets[start])]
        })
    }
}

impl PartialEq for WireName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for WireName<'_> {}

impl fmt::Debug for WireName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireName({self})")
    }
}

impl fmt::Display for WireName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Name::from_octets(self.0) {
            Ok(name) => write!(f, "{name}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::base::cmp::CanonicalOrd;
    use domain::base::name::ToName;
    use proptest::prelude::*;

    use super::*;

    fn wire(labels: &[Vec<u8>]) -> Vec<u8> {
        let mut octets = Vec::new();
        for label in labels {
            octets.push(label.len() as u8);
            octets.extend(label);
        }
        octets.push(0);
        octets
    }

    fn names() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop_oneof![
            Just(0u8),
            Just(1),
            Just(2),
            Just(b'a'),
            Just(b'A'),
            Just(b'b'),
            Just(255),
            Just(b'*')
        ];
        let label = proptest::collection::vec(octet, 1..12);
        proptest::collection::vec(label, 0..5).prop_map(|labels| wire(&labels))
    }

    proptest! {
        #[test]
        fn names_are_ordered_as_domain_orders_them(one in names(), other in names()) {
            let name = |octets: &[u8]| Name::<Bytes>::from_octets(Bytes::copy_from_slice(octets)).unwrap();
            let (ours, theirs) = ((WireName::new(&one).unwrap(), WireName::new(&other).unwrap()), (name(&one), name(&other)));
            prop_assert_eq!(ours.0.compare(ours.1), theirs.0.canonical_cmp(&theirs.1));
            prop_assert_eq!(ours.0 == ours.1, theirs.0 == theirs.1);
            prop_assert_eq!(ours.0.is_within(ours.1), theirs.0.ends_with(&theirs.1));
            prop_assert_eq!(ours.0.rrsig_labels(), theirs.0.rrsig_label_count());
        }

        #[test]
        fn the_short_order_never_contradicts_the_long_one(one in names(), other in names()) {
            let apex = b"\x02cr\x00".as_slice();
            let below = |front: &[u8]| [&front[..front.len() - 1], apex].concat();
            let (one, other) = (below(&one), below(&other));
            let (one, other, apex) = (WireName::new(&one).unwrap(), WireName::new(&other).unwrap(), WireName::new(apex).unwrap());
            let short = one.order_below(apex).cmp(&other.order_below(apex));
            prop_assert!(short.is_eq() || short == one.compare(other));
        }
    }

    #[test]
    fn only_names_are_names() {
        for bad in [
            &b""[..],
            b"\x01",
            b"\x01a",
            b"\x40a\x00",
            b"\x01a\x00\x00",
            &[63; 300],
        ] {
            assert!(WireName::new(bad).is_none(), "{bad:?}");
        }
        let longest = [
            &[63u8][..],
            &[b'a'; 63],
            &[63],
            &[b'b'; 63],
            &[63],
            &[b'c'; 63],
            &[61],
            &[b'd'; 61],
            &[0],
        ]
        .concat();
        assert_eq!(longest.len(), 255);
        assert_eq!(WireName::new(&longest).unwrap().labels().count(), 4);
    }
}
