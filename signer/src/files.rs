//! The files that a signed zone is made of, and how they were when they were read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use key_metadata::{SiteFolder, ZoneName};

/// So deep may files include each other, as in reading them.
const MOST_INCLUDED: usize = 8;

/// Files by their paths, without symbolic links in the folders, and what a file is known by; none where there is no file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFiles(BTreeMap<PathBuf, Option<Stamp>>);

/// What a file is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    octets: u64,
    changed: (i64, i64),
}

impl ZoneFiles {
    /// None.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// One file as it is now.
    pub fn one(path: &Path) -> Self {
        Self::stamped([path])
    }

    /// Those of a zone as they are now: its unsigned file with what that includes, its keys, and its policy.
    pub fn of(folder: &SiteFolder, zone: &ZoneName) -> Self {
        let unsigned = folder.unsigned_path(zone);
        let mut paths = BTreeSet::from([folder.keys_path(zone)]);
        if let Some(entry) = folder.site().zones.get(zone) {
            paths.insert(folder.path(format!("policies/{}.yaml", entry.policy)));
        }
        add_included(&unsigned, MOST_INCLUDED, &mut paths);
        paths.insert(unsigned);
        Self::stamped(paths.iter().map(PathBuf::as_path))
    }

    fn stamped<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        // Where a symbolic link leads is written to, and the link itself replaced.
        let both = paths
            .into_iter()
            .flat_map(|path| [placed(path), fs::canonicalize(path).ok()]);
        let stamped = both.flatten().map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        Self(stamped.collect())
    }

    /// One that is not as it was.
    pub fn changed(&self) -> Option<&Path> {
        let mut all = self.0.iter();
        let changed = all.find(|(path, stamp)| Stamp::of(path) != **stamp)?;
        Some(changed.0)
    }
}

/// Which zones a file is of.
#[derive(Debug, Default)]
pub struct Index(BTreeMap<PathBuf, BTreeSet<ZoneName>>);

impl Index {
    /// The files of a zone as they are now, in the place of those that it had.
    pub fn renew(&mut self, zone: &ZoneName, files: &mut ZoneFiles, folder: &SiteFolder) {
        self.remove(zone, files);
        *files = ZoneFiles::of(folder, zone);
        self.add(zone, files);
    }

    /// These files are of the zone.
    fn add(&mut self, zone: &ZoneName, files: &ZoneFiles) {
        for path in files.0.keys() {
            self.0.entry(path.clone()).or_default().insert(zone.clone());
        }
    }

    /// These are its files no more.
    pub fn remove(&mut self, zone: &ZoneName, files: &ZoneFiles) {
        for path in files.0.keys() {
            if let Some(zones) = self.0.get_mut(path) {
                zones.remove(zone);
                if zones.is_empty() {
                    self.0.remove(path);
                }
            }
        }
    }

    /// The zones that a file is of.
    pub fn zones(&self, path: &Path) -> impl Iterator<Item = &ZoneName> {
        self.0.get(path).into_iter().flatten()
    }

    /// All files.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::symlink_metadata(path).ok()?;
        Some(Self {
            inode: (file.dev(), file.ino()),
            octets: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// A path whose folder has no symbolic links in it, by which the system's events are compared.
pub fn placed(path: &Path) -> Option<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return None,
    };
    // A folder may come later.
    let folder = fs::canonicalize(folder).ok().or_else(|| placed(folder))?;
    Some(folder.join(path.file_name()?))
}

/// The files that a zone file includes (RFC 1035 5.1). One too many is only watched for nothing.
fn add_included(file: &Path, deep: usize, paths: &mut BTreeSet<PathBuf>) {
    let Some(deeper) = deep.checked_sub(1) else {
        return;
    };
    let Ok(open) = File::open(file) else {
        return;
    };
    let mut text = BufReader::with_capacity(1 << 20, open);
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if let Some(name) = included(&line) {
            let path = file
                .parent()
                .map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
            if paths.insert(path.clone()) {
                add_included(&path, deeper, paths);
            }
        }
        line.clear();
    }
}

/// The file that a line includes.
fn included(line: &[u8]) -> Option<String> {
    const DIRECTIVE: &[u8] = b"$INCLUDE";
    let (directive, rest) = line.split_at_checked(DIRECTIVE.len())?;
    if !directive.eq_ignore_ascii_case(DIRECTIVE) || !rest.first()?.is_ascii_whitespace() {
        return None;
    }
    let rest = std::str::from_utf8(rest).ok()?.trim_start();
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest
            .split(|letter: char| letter.is_whitespace() || letter == ';')
            .next()?,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_included_count() {
        for (line, name) in [
            ("$INCLUDE hosts ; all", Some("hosts")),
            ("$include \"my hosts\" fi.cr.\n", Some("my hosts")),
            ("$INCLUDED hosts", None),
            (" $INCLUDE hosts", None),
            ("$INCLUDE", None),
            ("$INCLUDE  ", None),
        ] {
            assert_eq!(included(line.as_bytes()).as_deref(), name, "{line}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("more")).unwrap();
        fs::write(path("a"), "$INCLUDE more/b\n").unwrap();
        fs::write(path("more/b"), "$INCLUDE c\n$INCLUDE ../a\n").unwrap();
        let mut paths = BTreeSet::new();
        add_included(&path("a"), MOST_INCLUDED, &mut paths);
        let names = [
            path("more/../a"),
            path("more/b"),
            path("more/c"),
            path("more/../more/b"),
        ];
        assert!(names[..3].iter().all(|name| paths.contains(name)), "{paths:?}");
    }

    #[test]
    fn a_file_is_another_once_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = placed(&folder.path().join("a")).unwrap();
        let files = ZoneFiles(BTreeMap::from([(path.clone(), None)]));
        assert_eq!(files.changed(), None);
        fs::write(&path, "one").unwrap();
        assert_eq!(files.changed(), Some(&*path));
        let files = ZoneFiles(BTreeMap::from([(path.clone(), Stamp::of(&path))]));
        assert_eq!(files.changed(), None);
        let (one, other) = ("cr".parse().unwrap(), "fi.cr".parse().unwrap());
        let mut index = Index::default();
        index.add(&one, &files);
        index.add(&other, &files);
        assert_eq!(index.zones(&path).collect::<Vec<_>>(), [&one, &other]);
        index.remove(&one, &files);
        assert_eq!(index.zones(&path).collect::<Vec<_>>(), [&other]);
        index.remove(&other, &files);
        assert_eq!(index.paths().count(), 0);
        fs::write(folder.path().join("b"), "two").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert_eq!(files.changed(), Some(&*path));
    }
}
