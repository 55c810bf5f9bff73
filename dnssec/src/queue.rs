//! Signatures by tokens: a queue for each token, served by as many threads as the token takes work at once.
//!
//! Who waits for a token sleeps. Zones take turns, so that a large one does not hold a small one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use key_metadata::{Advice, Algorithm};

use crate::signing_key::{KeySignError, SigningKey};
use crate::verifier::Verifier;

/// How often progress is told while signatures are waited for.
const TOLD: Duration = Duration::from_millis(100);

/// The queue of a token. Its threads end when the last key of it is dropped.
pub struct SigningQueue {
    waiting: Arc<Waiting>,
    threads: Vec<JoinHandle<()>>,
}

/// A key that signs through the queues of the tokens that hold it. Clones are the same key.
#[derive(Clone)]
pub struct QueuedKey(Arc<[(Arc<SigningQueue>, Arc<SigningKey>)]>);

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    /// What is to be signed, and the key as this token has it.
    batches: VecDeque<(Arc<Batch>, Arc<SigningKey>)>,
    proof: Proof,
    is_closed: bool,
}

/// Whether the token takes what it was opened with: a TPM says so at the first signature, and counts each wrong one.
#[derive(Default)]
enum Proof {
    /// Nobody has asked.
    #[default]
    None,
    /// Somebody is asking, alone.
    Asked,
    /// It signs.
    Given,
    /// It refused, and is not asked again.
    Refused(Arc<KeySignError>),
}

/// Why a signature is not used.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The token did not sign.
    Sign(Arc<KeySignError>),
    /// What it gave is no signature of the key over the data.
    Unverified,
}

/// Data that one key is to sign.
struct Batch {
    verifier: Verifier,
    algorithm: Algorithm,
    data: Vec<Vec<u8>>,
    /// The first one that nobody has taken.
    next: AtomicUsize,
    done: Mutex<Done>,
    ended: Condvar,
}

#[derive(Default)]
struct Done {
    /// A place and its signature.
    signatures: Vec<(usize, Vec<u8>)>,
    /// How many are signed, or will not be.
    count: usize,
    failure: Option<(usize, Failure)>,
}

/// A batch that was given to tokens; dropped, no more of it is signed.
pub(crate) struct Submitted(Arc<Batch>);

/// A mutex that no panic leaves half-done: what it holds is whole at each moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

impl SigningQueue {
    /// A queue with so many threads: the token's sessions that sign at once.
    pub fn new(depth: usize) -> std::io::Result<Arc<Self>> {
        let waiting = Arc::<Waiting>::default();
        let mut queue = Self {
            waiting: Arc::clone(&waiting),
            threads: Vec::new(),
        };
        for _ in 0..depth.max(1) {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name("signing".to_owned());
            queue.threads.push(thread.spawn(move || waiting.serve())?);
        }
        Ok(Arc::new(queue))
    }

    /// A key in its token.
    pub fn key(self: &Arc<Self>, key: SigningKey) -> QueuedKey {
        QueuedKey(Arc::new([(Arc::clone(self), Arc::new(key))]))
    }
}

impl Drop for SigningQueue {
    fn drop(&mut self) {
        locked(&self.waiting.queue).is_closed = true;
        self.waiting.more.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Waiting {
    fn serve(&self) {
        while let Some((batch, key, place)) = self.next() {
            batch.sign(place, |data| {
                if let Proof::Refused(error) = &locked(&self.queue).proof {
                    return Err(Arc::clone(error));
                }
                let signed = key.sign(batch.algorithm, data).map_err(Arc::new);
                self.note(&signed);
                signed
            });
        }
    }

    /// Notes what the first answer says of the token, and any refusal.
    fn note(&self, signed: &Result<Vec<u8>, Arc<KeySignError>>) {
        let mut queue = locked(&self.queue);
        let proof = match (signed, &queue.proof) {
            (Err(error), _) if error.is_credential() => Proof::Refused(Arc::clone(error)),
            (Ok(_), Proof::Asked) => Proof::Given,
            (Err(_), Proof::Asked) => Proof::None,
            (Ok(_) | Err(_), Proof::None | Proof::Given | Proof::Refused(_)) => return,
        };
        queue.proof = proof;
        drop(queue);
        self.more.notify_all();
    }

    /// The next thing to sign: of the batch that has waited longest since its last turn.
    fn next(&self) -> Option<(Arc<Batch>, Arc<SigningKey>, usize)> {
        let mut queue = locked(&self.queue);
        loop {
            while !matches!(queue.proof, Proof::Asked)
                && let Some((batch, key)) = queue.batches.pop_front()
            {
                let place = batch.next.fetch_add(1, Ordering::Relaxed);
                if place + 1 < batch.data.len() {
                    queue.batches.push_back((Arc::clone(&batch), Arc::clone(&key)));
                }
                if place < batch.data.len() {
                    if matches!(queue.proof, Proof::None) {
                        queue.proof = Proof::Asked;
                    }
                    return Some((batch, key, place));
                }
            }
            if queue.is_closed && queue.batches.is_empty() {
                return None;
            }
            queue = match self.more.wait(queue) {
                Ok(guard) => guard,
                Err(poisoned) => poisoned.into_inner(),
            };
        }
    }
}

impl QueuedKey {
    /// Has data signed: RFC 4034 3.1.8.1. Each signature is verified in software.
    pub(crate) fn submit(&self, verifier: &Verifier, algorithm: Algorithm, data: Vec<Vec<u8>>) -> Submitted {
        let batch = Arc::new(Batch {
            verifier: verifier.clone(),
            algorithm,
            data,
            next: AtomicUsize::new(0),
            done: Mutex::default(),
            ended: Condvar::new(),
        });
        for (queue, key) in self.0.iter() {
            locked(&queue.waiting.queue)
                .batches
                .push_back((Arc::clone(&batch), Arc::clone(key)));
            queue.waiting.more.notify_all();
        }
        Submitted(batch)
    }
}

impl fmt::Debug for QueuedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, key)| key)).finish()
    }
}

impl Batch {
    fn sign(&self, place: usize, by: impl FnOnce(&[u8]) -> Result<Vec<u8>, Arc<KeySignError>>) {
        let data = &self.data[place];
        let signed = by(data).map_err(Failure::Sign);
        let verified = signed.and_then(|signature| match self.verifier.verifies(data, &signature) {
            true => Ok(signature),
            false => Err(Failure::Unverified),
        });
        let given_up = match verified {
            Ok(_) => 0,
            Err(_) => self.give_up(),
        };
        let mut done = locked(&self.done);
        done.count += 1 + given_up;
        match verified {
            Ok(signature) => done.signatures.push((place, signature)),
            Err(failure) => {
                done.failure.get_or_insert((place, failure));
            }
        }
        if done.count == self.data.len() {
            self.ended.notify_all();
        }
    }

    /// Nobody takes more of it; how many were left.
    fn give_up(&self) -> usize {
        let taken = self.next.swap(self.data.len(), Ordering::Relaxed);
        self.data.len().saturating_sub(taken)
    }
}

impl Submitted {
    /// What was to be signed.
    pub(crate) fn data(&self) -> &[Vec<u8>] {
        &self.0.data
    }

    /// Waits for all signatures, in the order of the data, or for the first failure with its place. `progress` hears of each.
    pub(crate) fn wait(&self, progress: &dyn Fn(u64)) -> Result<Vec<Vec<u8>>, (usize, Failure)> {
        let batch = &self.0;
        let mut told = 0;
        let mut done = locked(&batch.done);
        while done.count < batch.data.len() {
            done = match batch.ended.wait_timeout(done, TOLD) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
            progress((done.count - told) as u64);
            told = done.count;
        }
        if let Some(failure) = done.failure.take() {
            return Err(failure);
        }
        let mut signatures = std::mem::take(&mut done.signatures);
        drop(done);
        progress((batch.data.len() - told) as u64);
        signatures.sort_unstable_by_key(|(place, _)| *place);
        Ok(signatures.into_iter().map(|(_, signature)| signature).collect())
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
