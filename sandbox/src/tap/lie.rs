//! Answers that are not the TPM's.

use std::io;

/// Bytes of the TPM's answers that are exchanged for others, and how many answers are still to be changed.
#[derive(Default)]
pub struct Lie {
    exchange: Vec<(Vec<u8>, Vec<u8>)>,
    left: usize,
}

impl Lie {
    pub fn new(exchange: Vec<(Vec<u8>, Vec<u8>)>, answers: usize) -> io::Result<Self> {
        let unlike = |(truth, lie): &(Vec<u8>, Vec<u8>)| truth.is_empty() || truth.len() != lie.len();
        if exchange.iter().any(unlike) {
            let problem = "bytes are exchanged for as many others, or the answer's size is wrong";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        Ok(Self {
            exchange,
            left: answers,
        })
    }

    pub fn left(&self) -> usize {
        self.left
    }

    /// Changes what is to be changed in an answer.
    pub fn tell(&mut self, answer: &mut [u8]) {
        if self.left == 0 {
            return;
        }
        let mut told = false;
        for (truth, lie) in &self.exchange {
            let found = answer.windows(truth.len()).position(|window| window == truth);
            if let Some(at) = found {
                answer[at..at + lie.len()].copy_from_slice(lie);
                told = true;
            }
        }
        self.left -= usize::from(told);
    }
}
