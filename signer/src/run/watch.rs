//! What changes in the folders of a site, as the system tells it (inotify).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use super::schedule::Touch;

/// Folders that are watched.
pub struct Watch {
    inotify: OwnedFd,
    folders: BTreeMap<i32, PathBuf>,
}

/// What was told.
#[derive(Debug, Default)]
pub struct Told {
    /// Files that were touched, in the order of it.
    pub files: Vec<(PathBuf, Touch)>,
    /// Some events were lost, or a folder is another now: everything may have changed.
    pub is_lost: bool,
}

impl Watch {
    /// Of no folder yet.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self {
            inotify: init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?,
            folders: BTreeMap::new(),
        })
    }

    /// Watches these folders too. One that was replaced meanwhile is another, and is watched anew; one that is not there is passed over. Tells whether
    /// there is a new one.
    pub fn add<'f>(&mut self, folders: impl IntoIterator<Item = &'f Path>) -> Result<bool, Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut any = false;
        for folder in folders.into_iter().collect::<BTreeSet<_>>() {
            match add_watch(&self.inotify, folder, flags) {
                Ok(number) => {
                    any |= self.folders.insert(number, folder.to_owned()).is_none();
                }
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(any)
    }

    /// What was told since the last time; it does not wait.
    pub fn told(&mut self) -> Result<Told, Errno> {
        let mut told = Told::default();
        let mut buffer = [MaybeUninit::uninit(); 1 << 14];
        let mut events = Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(told),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            let what = event.events();
            if what.intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF) {
                told.is_lost = true;
            }
            if what.contains(ReadFlags::IGNORED) {
                self.folders.remove(&event.wd());
                continue;
            }
            let (Some(folder), Some(name)) = (self.folders.get(&event.wd()), event.file_name()) else {
                continue;
            };
            let path = folder.join(OsStr::from_bytes(name.to_bytes()));
            let touch = match what.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) {
                true => Touch::Closed,
                false => Touch::Written,
            };
            told.files.push((path, touch));
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn writing_closing_and_renaming_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut watch = Watch::new().unwrap();
        assert!(watch.add([folder.path(), Path::new("/nowhere/at/all")]).unwrap());
        assert!(!watch.add([folder.path()]).unwrap(), "it is watched already");
        fs::write(path("a"), "1").unwrap();
        fs::rename(path("a"), path("b")).unwrap();
        let files = watch.told().unwrap().files;
        assert_eq!(files.last(), Some(&(path("b"), Touch::Closed)));
        let of_a: Vec<_> = files.iter().filter(|(file, _)| *file == path("a")).collect();
        assert_eq!(of_a[0].1, Touch::Written);
        assert_eq!(of_a.last().unwrap().1, Touch::Closed);
        assert!(watch.told().unwrap().files.is_empty());
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(watch.told().unwrap().is_lost);
        fs::create_dir(folder.path()).unwrap();
        assert!(watch.add([folder.path()]).unwrap(), "it is another folder");
    }
}
