//! What was heard.

use std::sync::{Arc, Mutex};

use super::locked;

/// The bytes of one direction of one connection.
#[derive(Clone, Default)]
pub struct Track(Arc<Mutex<Vec<u8>>>);

impl Track {
    pub fn add(&self, bytes: &[u8]) {
        locked(&self.0).extend_from_slice(bytes);
    }
}

/// All of them. Each direction has its own, or an answer could stand in the middle of what is looked for.
#[derive(Default)]
pub struct Recording(Mutex<Vec<Track>>);

impl Recording {
    pub fn track(&self) -> Track {
        let track = Track::default();
        locked(&self.0).push(track.clone());
        track
    }

    /// Whether `bytes` went by, in one direction and in one piece; of no bytes it cannot be said.
    pub fn has(&self, bytes: &[u8]) -> bool {
        let within = |track: &Track| {
            locked(&track.0)
                .windows(bytes.len())
                .any(|window| window == bytes)
        };
        !bytes.is_empty() && locked(&self.0).iter().any(within)
    }

    pub fn clear(&self) {
        let mut tracks = locked(&self.0);
        // Those of connections that are gone are held here only.
        tracks.retain(|track| Arc::strong_count(&track.0) > 1);
        for track in tracks.iter() {
            locked(&track.0).clear();
        }
    }
}
