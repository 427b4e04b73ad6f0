//! The input, cut into lines and these into fragments, through one buffer that never grows.
//!
//! A line is what stands before a newline byte, and what stands behind the last one if that is not
//! nothing. Everything else is payload: carriage returns, zeros, invalid UTF-8. A line longer than
//! [`MAX_PAYLOAD_BYTES`] is handed out in parts, so memory does not depend on the input.
//!
//! The head of a fragment is written into the buffer just before its payload, over bytes that were
//! handed out earlier: no copy is needed to make a fragment.
//!
//! ```text
//! buffer  | 8 spare | handed out … | part | not yet searched … | free |
//!                                  begin                       end
//! ```
//!
//! Invariants: `HEAD_BYTES ≤ part.start ≤ part.end ≤ begin ≤ end ≤ buffer.len()` once a part was
//! found. A part that does not end its line is followed by at least one more byte of it, so no line
//! ends with an empty part unless the whole line is empty.
//!
//! It does not allocate after construction, and never blocks but in [`Lines::refill`].

use std::{
    io::{self, ErrorKind, Read},
    ops::Range,
};

use crate::format::{FRAGMENT_BYTES, HEAD_BYTES, MAX_PAYLOAD_BYTES, Part, Seal, encode_head};

/// Room for several long parts, and half of a common level-2 cache.
pub(crate) const WINDOW_BYTES: usize = 4 * FRAGMENT_BYTES;

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    /// Bytes read.
    pub(crate) byte_count: u64,
    /// CRC32C of all of them.
    pub(crate) crc: u32,
    /// Whether the last of them is a newline.
    pub(crate) ends_with_newline: bool,
}

impl Digest {
    /// `bytes` follow.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.byte_count += bytes.len() as u64;
            self.crc = crc32c::crc32c_append(self.crc, bytes);
            self.ends_with_newline = *last == b'\n';
        }
    }
}

/// Reads lines and hands them out as fragments.
pub(crate) struct Lines<R> {
    source: R,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    part: Part,
    payload: Range<usize>,
    is_at_end: bool,
    digest: Digest,
}

impl<R: Read> Lines<R> {
    /// Lines of `source`, through a buffer of `window_bytes`, or the least that works.
    pub(crate) fn new(source: R, window_bytes: usize) -> Self {
        let buffer_bytes = HEAD_BYTES + window_bytes.max(MAX_PAYLOAD_BYTES + 1);
        Self {
            source,
            buffer: vec![0; buffer_bytes].into_boxed_slice(),
            begin: HEAD_BYTES,
            end: HEAD_BYTES,
            part: Part::Last,
            payload: HEAD_BYTES..HEAD_BYTES,
            is_at_end: false,
            digest: Digest::default(),
        }
    }

    /// Goes on to the next part, if it is in the buffer. Otherwise refill, unless this is the end.
    pub(crate) fn advance(&mut self) -> bool {
        let unread = self.buffer.get(self.begin..self.end).unwrap_or_default();
        let view = unread.get(..=MAX_PAYLOAD_BYTES).unwrap_or(unread);
        let is_first = self.part.ends_record();
        let (byte_count, separator_bytes, is_last) = match find_newline(view) {
            Some(at) => (at, 1, true),
            None if view.len() > MAX_PAYLOAD_BYTES => (MAX_PAYLOAD_BYTES, 0, false),
            None if self.is_at_end && !view.is_empty() => (view.len(), 0, true),
            None => return false,
        };
        self.part = match (is_first, is_last) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        self.payload = self.begin..self.begin + byte_count;
        self.begin += byte_count + separator_bytes;
        true
    }

    /// Which part of its line was found last.
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Bytes of the fragment of the part found last.
    pub(crate) fn fragment_bytes(&self) -> usize {
        HEAD_BYTES + self.payload.len()
    }

    /// The part found last as a fragment, head included, for a segment of this seal. The same bytes
    /// when asked again.
    pub(crate) fn fragment(&mut self, seal: Seal) -> &[u8] {
        let head_at = self.payload.start.saturating_sub(HEAD_BYTES);
        let bytes = self.buffer.get_mut(head_at..self.payload.end).unwrap_or_default();
        if let Some((head, payload)) = bytes.split_first_chunk_mut::<HEAD_BYTES>()
            && let Some(encoded) = encode_head(seal, self.part, payload)
        {
            *head = encoded;
        }
        bytes
    }

    /// Whether everything was read and handed out.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_at_end && self.begin == self.end
    }

    /// Reads once. May block; only for when [`Lines::advance`] found nothing.
    ///
    /// # Errors
    /// Those of the source.
    pub(crate) fn refill(&mut self) -> io::Result<()> {
        if self.begin > HEAD_BYTES {
            self.buffer.copy_within(self.begin..self.end, HEAD_BYTES);
            self.end -= self.begin - HEAD_BYTES;
            self.begin = HEAD_BYTES;
            self.payload = HEAD_BYTES..HEAD_BYTES;
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        if free.is_empty() {
            return Ok(());
        }
        let byte_count = loop {
            match self.source.read(free) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        let news = free.get(..byte_count).unwrap_or_default();
        self.digest.update(news);
        self.end += news.len();
        self.is_at_end = news.is_empty();
        Ok(())
    }

    /// Length and checksum of what was read.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the lines come from.
    pub(crate) fn source(&self) -> &R {
        &self.source
    }

    /// Gives it back.
    pub(crate) fn into_source(self) -> R {
        self.source
    }
}

/// Where the first newline is. Groups of 64 bytes are passed by at memory speed.
fn find_newline(bytes: &[u8]) -> Option<usize> {
    const GROUP_BYTES: usize = 64;
    let (group, bytes) =
        bytes.chunks(GROUP_BYTES).enumerate().find(|(_, bytes)| bytes.contains(&b'\n'))?;
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some(group * GROUP_BYTES + at)
}
