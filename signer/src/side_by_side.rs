//! Several zones at once: each as it has a thread, so that a large one does not hold the others; told in their order.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};
use std::thread;

use cli::Progress;
use key_metadata::ZoneName;

use crate::one_zone::{Asked, Listener, NotReleased, Released, Signing};

/// What became of a zone, with what deserves a look.
pub type Told = (Result<Released, NotReleased>, Vec<String>);

/// Listens to one zone: what it hears is told with the zone.
struct Ear {
    heard: Mutex<Vec<String>>,
    /// A zone among several has no bar of its own.
    bar: fn(&str, u64) -> Progress,
}

impl Listener for Ear {
    fn warn(&self, _zone: &ZoneName, text: String) {
        if let Ok(mut heard) = self.heard.lock() {
            heard.push(text);
        }
    }

    fn progress(&self, what: &str, length: u64) -> Progress {
        (self.bar)(what, length)
    }
}

/// Signs zones, as many at once as there are processors, as long as `goes_on`. `each` hears of every one that was begun, in the order that they are given
/// in. A token is opened before anything is signed.
pub fn release_all(
    signing: &mut Signing<'_>,
    names: &[ZoneName],
    asked: Asked,
    goes_on: &(dyn Fn() -> bool + Sync),
    mut each: impl FnMut(&ZoneName, Told),
) {
    let (mut prepared, mut told) = (Vec::new(), BTreeMap::new());
    for (place, name) in names.iter().enumerate() {
        match signing.prepare(name) {
            Ok(zone) => prepared.push((place, zone)),
            Err(not) => {
                told.insert(place, (Err(not), Vec::new()));
            }
        }
    }
    let hidden: fn(&str, u64) -> Progress = |_, _| Progress::hidden();
    let (bar, own_bar) = match names {
        [_, _, ..] => (Progress::new("signing zones", prepared.len() as u64), hidden),
        [_] | [] => (Progress::hidden(), Progress::new as fn(&str, u64) -> Progress),
    };
    let threads = thread::available_parallelism()
        .map_or(2, usize::from)
        .min(prepared.len());
    let (signing, bar, waiting) = (&*signing, &bar, &Mutex::new(prepared.into_iter()));
    let next = move || waiting.lock().map_or(None, |mut waiting| waiting.next());
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<(usize, Told)>();
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(move || {
                while goes_on()
                    && let Some((place, zone)) = next()
                {
                    let ear = Ear {
                        heard: Mutex::default(),
                        bar: own_bar,
                    };
                    let released = signing.release(zone, asked, &ear);
                    let told = (
                        released,
                        ear.heard.into_inner().map_or_else(|_| Vec::new(), |heard| heard),
                    );
                    bar.step();
                    // Who hears of it waits for all.
                    let _ = sender.send((place, told));
                }
            });
        }
        drop(sender);
        let mut first = 0;
        for (place, it) in receiver {
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
