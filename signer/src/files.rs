//! The files that a signed zone is made of, and how they were when they were read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use key_metadata::{SiteFolder, ZoneName};

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

    /// Those of a zone that its site tells, as they are now: its keys, its policy, and its unsigned file without what that includes.
    pub fn of(folder: &SiteFolder, zone: &ZoneName) -> Self {
        let mut paths = vec![folder.keys_path(zone), folder.unsigned_path(zone)];
        if let Some(entry) = folder.site().zones.get(zone) {
            paths.push(folder.path(format!("policies/{}.yaml", entry.policy)));
        }
        Self::stamped(paths.iter().map(PathBuf::as_path))
    }

    /// One more, as it is now.
    pub fn add(&mut self, path: &Path) {
        self.0.extend(Self::one(path).0);
    }

    /// The same files as they are now.
    pub fn now(&self) -> Self {
        let now = self.0.keys().map(|path| (path.clone(), Stamp::of(path)));
        Self(now.collect())
    }

    /// These as they were in `before`, where they are among those, and all of `others`.
    pub fn since(mut self, before: &Self, others: Self) -> Self {
        for (path, stamp) in &mut self.0 {
            if let Some(before) = before.0.get(path) {
                *stamp = *before;
            }
        }
        self.0.extend(others.0);
        self
    }

    /// All of these, and of others.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The folders that they are in.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().filter_map(|path| path.parent())
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
    /// Files of a zone, in the place of those that it had.
    pub fn renew(&mut self, zone: &ZoneName, files: &mut ZoneFiles, others: ZoneFiles) {
        self.remove(zone, files);
        *files = others;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_while_it_was_read_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (read, kept) = (folder.path().join("read"), folder.path().join("kept"));
        let one = |path: &Path| ZoneFiles::one(path);
        fs::write(&read, "one").unwrap();
        fs::write(&kept, "one").unwrap();
        let (begun, opened) = (one(&kept), one(&read));
        fs::write(&read, "other").unwrap();
        let files = one(&kept).since(&begun, opened.clone());
        assert_eq!(files.changed(), placed(&read).as_deref());
        assert_eq!(files.now().changed(), None);
        fs::write(&kept, "other").unwrap();
        assert_eq!(
            one(&kept).since(&begun, one(&read)).changed(),
            placed(&kept).as_deref()
        );
        assert_eq!(one(&kept).and(one(&read)).changed(), None);
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
