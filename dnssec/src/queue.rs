//! Signatures by tokens: a queue for each token, served by as many threads as the token takes work at once.
//!
//! Who waits for a token sleeps. Zones take turns, so that a large one does not hold a small one.

use std::collections::VecDeque;
use std::fmt;
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
pub struct QueuedKey(Vec<(Arc<SigningQueue>, Arc<SigningKey>)>);

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    /// What is to be signed, and the place of this token among those that hold the key.
    batches: VecDeque<(Arc<Batch>, usize)>,
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

/// Data that one key is to sign, wherever it is held.
struct Batch {
    verifier: Verifier,
    algorithm: Algorithm,
    data: Vec<Vec<u8>>,
    holders: Vec<(Arc<Waiting>, Arc<SigningKey>)>,
    work: Mutex<Work>,
    ended: Condvar,
}

struct Work {
    /// The first one that nobody has taken.
    next: usize,
    /// Those that a token gave back.
    again: Vec<usize>,
    /// Whether each holder still signs.
    signs: Vec<bool>,
    /// A place and its signature.
    signatures: Vec<(usize, Vec<u8>)>,
    /// How many each holder made.
    made: Vec<usize>,
    missed: Vec<Missed>,
    /// Whether nobody is left to sign, or nobody waits.
    is_given_up: bool,
}

/// A holder of a key that did not sign, and is asked for nothing more of the batch.
#[derive(Debug)]
pub(crate) struct Missed {
    /// Its place among those that hold the key.
    pub(crate) holder: usize,
    /// The place of what it did not sign.
    pub(crate) place: usize,
    pub(crate) failure: Failure,
}

/// What came of a batch.
pub(crate) struct Signatures {
    /// In the order of the data.
    pub(crate) signatures: Vec<Vec<u8>>,
    /// How many each holder made.
    pub(crate) made: Vec<usize>,
    /// Holders whose work others did.
    pub(crate) missed: Vec<Missed>,
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
        QueuedKey(vec![(Arc::clone(self), Arc::new(key))])
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
        while let Some((batch, holder, place)) = self.next() {
            batch.sign(holder, place, |key, data| {
                if let Proof::Refused(error) = &locked(&self.queue).proof {
                    return Err(Arc::clone(error));
                }
                let signed = key.sign(batch.algorithm, data).map_err(Arc::new);
                self.note(&signed);
                signed
            });
        }
    }

    /// Something that this token is to sign.
    fn add(&self, batch: &Arc<Batch>, holder: usize) {
        locked(&self.queue).batches.push_back((Arc::clone(batch), holder));
        self.more.notify_all();
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
    fn next(&self) -> Option<(Arc<Batch>, usize, usize)> {
        let mut queue = locked(&self.queue);
        loop {
            while !matches!(queue.proof, Proof::Asked)
                && let Some((batch, holder)) = queue.batches.pop_front()
            {
                let (place, is_more) = batch.take(holder);
                if is_more {
                    queue.batches.push_back((Arc::clone(&batch), holder));
                }
                if let Some(place) = place {
                    if matches!(queue.proof, Proof::None) {
                        queue.proof = Proof::Asked;
                    }
                    return Some((batch, holder, place));
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
    /// The same key, in the tokens of the other too.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Has data signed: RFC 4034 3.1.8.1. Each signature is verified in software, so that a token with another key is found by the first one.
    pub(crate) fn submit(&self, verifier: &Verifier, algorithm: Algorithm, data: Vec<Vec<u8>>) -> Submitted {
        let holders: Vec<_> = self
            .0
            .iter()
            .map(|(queue, key)| (Arc::clone(&queue.waiting), Arc::clone(key)))
            .collect();
        let batch = Arc::new(Batch {
            verifier: verifier.clone(),
            algorithm,
            data,
            work: Mutex::new(Work {
                next: 0,
                again: Vec::new(),
                signs: vec![true; holders.len()],
                signatures: Vec::new(),
                made: vec![0; holders.len()],
                missed: Vec::new(),
                is_given_up: false,
            }),
            holders,
            ended: Condvar::new(),
        });
        for (holder, (waiting, _)) in batch.holders.iter().enumerate() {
            waiting.add(&batch, holder);
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
    /// What a holder is to sign, and whether there is more.
    fn take(&self, holder: usize) -> (Option<usize>, bool) {
        let mut work = locked(&self.work);
        if work.is_given_up || !work.signs[holder] {
            return (None, false);
        }
        let place = work.again.pop().or_else(|| {
            let place = work.next;
            work.next = (place + 1).min(self.data.len());
            (place < self.data.len()).then_some(place)
        });
        (place, work.next < self.data.len() || !work.again.is_empty())
    }

    fn sign(
        self: &Arc<Self>,
        holder: usize,
        place: usize,
        by: impl FnOnce(&SigningKey, &[u8]) -> Result<Vec<u8>, Arc<KeySignError>>,
    ) {
        let data = &self.data[place];
        let signed = by(&self.holders[holder].1, data).map_err(Failure::Sign);
        let verified = signed.and_then(|signature| match self.verifier.verifies(data, &signature) {
            true => Ok(signature),
            false => Err(Failure::Unverified),
        });
        let failure = match verified {
            Ok(signature) => {
                let mut work = locked(&self.work);
                work.signatures.push((place, signature));
                work.made[holder] += 1;
                if work.signatures.len() == self.data.len() {
                    self.ended.notify_all();
                }
                return;
            }
            Err(failure) => failure,
        };
        let mut work = locked(&self.work);
        work.signs[holder] = false;
        work.again.push(place);
        // Others of the token's threads may have found so already.
        if work.missed.iter().all(|missed| missed.holder != holder) {
            work.missed.push(Missed {
                holder,
                place,
                failure,
            });
        }
        let others = work.signs.clone();
        work.is_given_up |= !others.contains(&true);
        if work.is_given_up {
            self.ended.notify_all();
        }
        drop(work);
        for (holder, (waiting, _)) in self.holders.iter().enumerate() {
            if others[holder] {
                waiting.add(self, holder);
            }
        }
    }
}

impl Submitted {
    /// What was to be signed.
    pub(crate) fn data(&self) -> &[Vec<u8>] {
        &self.0.data
    }

    /// Waits for all signatures, or for the last holder of the key to fail. `progress` hears of each.
    pub(crate) fn wait(&self, progress: &dyn Fn(u64)) -> Result<Signatures, Missed> {
        let batch = &self.0;
        let mut told = 0;
        let mut work = locked(&batch.work);
        while work.signatures.len() < batch.data.len() && !work.is_given_up {
            work = match batch.ended.wait_timeout(work, TOLD) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
            progress((work.signatures.len() - told) as u64);
            told = work.signatures.len();
        }
        let mut missed = std::mem::take(&mut work.missed);
        if work.is_given_up
            && let Some(last) = missed.pop()
        {
            return Err(last);
        }
        let (mut signatures, made) = (
            std::mem::take(&mut work.signatures),
            std::mem::take(&mut work.made),
        );
        drop(work);
        progress((batch.data.len() - told) as u64);
        signatures.sort_unstable_by_key(|(place, _)| *place);
        Ok(Signatures {
            signatures: signatures.into_iter().map(|(_, signature)| signature).collect(),
            made,
            missed,
        })
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        locked(&self.0.work).is_given_up = true;
    }
}
