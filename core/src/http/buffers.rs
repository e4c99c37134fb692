//! The buffers of a connection, as ureq wants them.

use std::io::IoSlice;

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

/// Room for the head of a request (a URL of 2 KB, a key of 512 bytes and what is fixed), and what
/// ureq takes to be handed on at once. Bodies are sent from where they lie, so that most of this is
/// never written to, nor given memory by the system.
const OUTPUT: usize = 64 * 1024;
/// Where the input buffer begins; it grows to [`MAX_INPUT`] for long header blocks.
const INPUT: usize = 8 * 1024;
/// A little more than the longest header block.
const MAX_INPUT: usize = super::MAX_HEAD + INPUT;

/// Buffers that are no larger than they have to be.
#[derive(Default)]
pub(super) struct ConnBuffers {
    input: Vec<u8>,
    begin: usize,
    end: usize,
    output: Vec<u8>,
    /// How much of the output is a head that was not sent yet.
    held: usize,
    progress: bool,
}

impl ConnBuffers {
    /// Keeps the first `amount` bytes of the output, to be sent with the body.
    pub(super) fn hold(&mut self, amount: usize) {
        self.held = amount;
    }

    /// What is held.
    pub(super) fn held(&self) -> &[u8] {
        &self.output[..self.held]
    }

    /// Overwrites what is held and holds it no longer.
    pub(super) fn wipe_held(&mut self) {
        self.output[..self.held].zeroize();
        self.held = 0;
    }

    /// Drops bytes that ureq need not see.
    pub(super) fn skip(&mut self, n: usize) {
        self.begin += n;
    }

    /// Gives back what a long header block took. The rest stays: every request needs it.
    pub(super) fn trim(&mut self) {
        if self.begin == self.end && self.input.len() > INPUT {
            self.input = Vec::new();
            (self.begin, self.end) = (0, 0);
        }
    }
}

impl Drop for ConnBuffers {
    fn drop(&mut self) {
        self.wipe_held();
    }
}

impl Buffers for ConnBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output = vec![0; OUTPUT];
        }
        &mut self.output[self.held..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.begin..self.end]
    }

    /// Never empty before [`MAX_INPUT`] bytes wait to be used: reading into nothing would look
    /// like the end of the connection.
    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
        }
        if self.end == self.input.len() {
            self.input.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            let wanted = (self.end * 2).clamp(INPUT, MAX_INPUT);
            if wanted > self.input.len() {
                self.input.resize(wanted, 0);
            }
        }
        &mut self.input[self.end..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.end += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.begin += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        // Only chunked bodies go through the first; ours never are.
        (&mut [], self.output())
    }

    fn can_use_input(&self) -> bool {
        self.begin < self.end && self.progress
    }
}

/// What comes after the first `done` bytes, `most` bytes of it: so many slices of the array.
pub(super) fn after(
    mut done: usize,
    parts: [&[u8]; 4],
    mut most: usize,
) -> ([IoSlice<'_>; 4], usize) {
    let mut rest = [IoSlice::new(&[]); 4];
    let mut count = 0;
    for part in parts {
        let skipped = done.min(part.len());
        done -= skipped;
        let taken = (part.len() - skipped).min(most);
        most -= taken;
        if taken > 0 {
            rest[count] = IoSlice::new(&part[skipped..skipped + taken]);
            count += 1;
        }
    }
    (rest, count)
}
