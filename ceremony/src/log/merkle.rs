//! The Merkle tree over the entries (RFC 6962 2.1).

use key_metadata::Digest;

/// The hash of a leaf: an entry's line without its end.
pub fn leaf(line: &[u8]) -> Digest {
    Digest::of(&[&[0][..], line].concat())
}

fn node(left: Digest, right: Digest) -> Digest {
    Digest::of(&[&[1][..], left.bytes(), right.bytes()].concat())
}

/// A tree that grows by one leaf at a time. It keeps the roots of its full subtrees, the largest first.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    subtrees: Vec<(u64, Digest)>,
}

impl Tree {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut grown = (1, leaf);
        while let Some((size, left)) = self.subtrees.pop_if(|(size, _)| *size == grown.0) {
            grown = (2 * size, node(left, grown.1));
        }
        self.subtrees.push(grown);
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.subtrees.iter().map(|(size, _)| size).sum()
    }

    /// The root; that of no leaves is the hash of nothing.
    pub fn root(&self) -> Digest {
        let roots = self.subtrees.iter().rev().map(|(_, root)| *root);
        let root = roots.reduce(|right, left| node(left, right));
        root.map_or_else(|| Digest::of(b""), |root| root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 2.1, word for word.
    fn defined(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [only] => *only,
            more => {
                let half = more.len().next_power_of_two() / 2;
                node(defined(&more[..half]), defined(&more[half..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition() {
        let mut tree = Tree::default();
        let mut leaves = Vec::new();
        for number in 0..70_u8 {
            assert_eq!(tree.root(), defined(&leaves));
            assert_eq!(tree.size(), leaves.len() as u64);
            leaves.push(leaf(&[number]));
            tree.push(leaf(&[number]));
        }
    }

    /// The tree of RFC 6962 implementations' common test: leaves "", 00, 10, 2021, 3031, 40414243, 5051525354555657, 606162..6f.
    #[test]
    fn the_known_roots() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let mut tree = Tree::default();
        for (text, root) in leaves.into_iter().zip([
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]) {
            tree.push(leaf(&hex::decode(text).unwrap()));
            assert_eq!(tree.root().to_string(), root);
        }
    }
}
