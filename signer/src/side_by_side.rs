//! Several zones at once: each as it has a thread, so that a large one does not hold the others.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, Scope};

use cli::{Exit, Failure, Progress};
use key_metadata::ZoneName;

use crate::files::ZoneFiles;
use crate::one_zone::{Asked, Listener, NotReleased, Prepared, Released, Signing};

/// What became of a zone, and what was heard of it meanwhile.
pub struct Told {
    pub released: Result<Released, NotReleased>,
    pub heard: Heard,
}

/// What was heard of a zone.
#[derive(Default)]
pub struct Heard {
    /// What deserves a look.
    pub warnings: Vec<String>,
    /// The files that it was read from, as they were before.
    pub files: ZoneFiles,
}

/// How bars are made.
type Bar = fn(&str, u64) -> Progress;

/// No bar.
pub const HIDDEN: Bar = |_, _| Progress::hidden();

/// Threads that sign zones, one each at a time. They end when this is dropped.
pub struct Crew<'s, K> {
    waiting: mpsc::Sender<(K, Prepared<'s>)>,
    /// How many there are.
    pub size: usize,
}

/// Listens to one zone.
struct Ear {
    heard: Mutex<Heard>,
    bar: Bar,
}

impl Listener for Ear {
    fn warn(&self, _zone: &ZoneName, text: String) {
        if let Ok(mut heard) = self.heard.lock() {
            heard.warnings.push(text);
        }
    }

    fn progress(&self, what: &str, length: u64) -> Progress {
        (self.bar)(what, length)
    }

    fn opens(&self, file: &Path) {
        if let Ok(mut heard) = self.heard.lock() {
            heard.files.add(file);
        }
    }
}

impl<'s, K: Send + 's> Crew<'s, K> {
    /// Threads of a scope; `done` hears of each zone, from the thread that it had.
    pub fn new<'e>(
        scope: &'s Scope<'s, 'e>,
        asked: Asked,
        bar: Bar,
        done: impl Fn(K, Told) + Clone + Send + 's,
    ) -> Self {
        let (waiting, taken) = mpsc::channel::<(K, Prepared<'s>)>();
        let taken = Arc::new(Mutex::new(taken));
        // With one processor too, a large zone is not to hold a small one.
        let size = thread::available_parallelism().map_or(2, usize::from).max(2);
        for _ in 0..size {
            let (taken, done) = (Arc::clone(&taken), done.clone());
            scope.spawn(move || {
                let next = || taken.lock().ok()?.recv().ok();
                while let Some((key, zone)) = next() {
                    let ear = Ear {
                        heard: Mutex::default(),
                        bar,
                    };
                    // Whoever waits for a zone hears of it, whatever happens.
                    let released = catch_unwind(AssertUnwindSafe(|| zone.release(asked, &ear)))
                        .map_or_else(|_| Err(defect().into()), |released| released);
                    let heard = ear
                        .heard
                        .into_inner()
                        .map_or_else(|poisoned| poisoned.into_inner(), |heard| heard);
                    done(key, Told { released, heard });
                }
            });
        }
        Self { waiting, size }
    }

    /// Has a zone signed.
    pub fn sign(&self, key: K, zone: Prepared<'s>) {
        // The threads end after this.
        let _ = self.waiting.send((key, zone));
    }
}

fn defect() -> Failure {
    Failure::new(Exit::Failed, "a defect of this program ended the work on it")
        .hint("the lines before say where: report them; the last signed zone is as it was".to_owned())
}

/// Signs zones. `each` hears of all, in the order that they are given in. A token is opened before anything is signed.
pub fn release_all(
    signing: &mut Signing<'_>,
    names: &[ZoneName],
    asked: Asked,
    mut each: impl FnMut(&ZoneName, Told),
) {
    let (mut prepared, mut told) = (Vec::new(), BTreeMap::new());
    for (place, name) in names.iter().enumerate() {
        match signing.prepare(name) {
            Ok(zone) => prepared.push((place, zone)),
            Err(not) => {
                let (released, heard) = (Err(not), Heard::default());
                told.insert(place, Told { released, heard });
            }
        }
    }
    // A zone among several has no bar of its own.
    let (bar, own_bar) = match names {
        [_, _, ..] => (Progress::new("signing zones", prepared.len() as u64), HIDDEN),
        [_] | [] => (Progress::hidden(), Progress::new as Bar),
    };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let crew = Crew::new(scope, asked, own_bar, move |place, told| {
            // Who hears of it waits for all.
            let _ = sender.send((place, told));
        });
        for (place, zone) in prepared {
            crew.sign(place, zone);
        }
        drop(crew);
        let mut first = 0;
        for (place, it) in receiver {
            bar.step();
            told.insert(place, it);
            while let Some(it) = told.remove(&first) {
                bar.without(|| each(&names[first], it));
                first += 1;
            }
        }
        for (place, it) in told {
            bar.without(|| each(&names[place], it));
        }
    });
}
