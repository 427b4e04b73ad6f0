//! [`Content`]: which bytes a file, or a part of one, may hold, byte by byte.
//!
//! Of each byte it knows the change that *must* have put it there (the latest successful one) and
//! those that *may* have (later writes that failed). An alteration that failed changed nothing.

use std::{collections::HashMap, ops::Range};

use crate::random::pattern;

/// In place of the number of a write: a zero that was punched.
const ZERO: u64 = u64::MAX;

/// The bytes of one write: `pattern(id, at)` for each position `at` in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its number; neither 0 nor `u64::MAX`.
    pub id: u64,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// What an operation does to the bytes of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts them there.
    Write(Span),
    /// Makes the file this long; what is added is zeros.
    Truncate(u64),
    /// Makes zeros of what the file has from the first position to before the second.
    Punch(u64, u64),
    /// Nothing.
    Nothing,
}

impl Change {
    /// Whether it may change what the file has at a position of `range`.
    pub fn touches(&self, range: &Range<u64>) -> bool {
        let (begin, end) = match *self {
            Self::Write(span) => (span.offset, span.offset + span.len),
            Self::Truncate(end) => (end, u64::MAX),
            Self::Punch(begin, end) => (begin, end),
            Self::Nothing => return false,
        };
        begin.max(range.start) < end.min(range.end)
    }

    /// Whether it may leave `byte` (`None`: nothing) at `at`.
    pub fn may_leave(&self, at: u64, byte: Option<u8>) -> bool {
        self.touches(&(at..at + 1))
            && match self {
                Self::Write(span) => byte == Some(pattern(span.id, at)),
                Self::Truncate(_) => byte.is_none_or(|byte| byte == 0),
                Self::Punch(..) => byte == Some(0),
                Self::Nothing => false,
            }
    }
}

/// What a file, or a part of it, may hold.
#[derive(Debug)]
pub struct Content {
    /// The positions that it speaks of.
    part: Range<u64>,
    initial: Vec<u8>,
    /// By position: the latest write that succeeded, 0 for none.
    must: Vec<u64>,
    may: HashMap<u64, Vec<u64>>,
    /// The file has at least so many bytes.
    least_end: u64,
    /// Changed since the last check of the durable image.
    unchecked: Vec<Range<u64>>,
}

impl Content {
    /// Of a file that holds `initial`.
    pub fn new(initial: &[u8]) -> Self {
        Self::of_part(initial, 0..u64::MAX)
    }

    /// Of a part of a file that holds `initial`.
    pub fn of_part(initial: &[u8], part: Range<u64>) -> Self {
        let len = initial.len() as u64;
        let known = part.start.min(len) as usize..part.end.min(len) as usize;
        Self {
            initial: initial.get(known).unwrap_or_default().to_vec(),
            part,
            must: Vec::new(),
            may: HashMap::new(),
            least_end: len,
            unchecked: Vec::new(),
        }
    }

    /// The file has at least so many bytes.
    pub const fn least_end(&self) -> u64 {
        self.least_end
    }

    /// The positions of a range that it speaks of.
    fn positions(&self, begin: u64, end: u64) -> Range<u64> {
        begin.max(self.part.start)..end.min(self.part.end)
    }

    fn index(&self, at: u64) -> usize {
        at.saturating_sub(self.part.start) as usize
    }

    /// The next change, in the order of acceptance, has succeeded or failed.
    pub fn settle(&mut self, change: Change, is_good: bool) {
        match change {
            Change::Write(span) if span.len > 0 => self.settle_write(span, is_good),
            Change::Truncate(end) if is_good => self.truncate(end),
            Change::Punch(begin, end) if is_good => self.punch(begin, end),
            _ => {}
        }
    }

    fn settle_write(&mut self, span: Span, is_good: bool) {
        let end = span.offset + span.len;
        let positions = self.positions(span.offset, end);
        self.unchecked.push(positions.clone());
        if !is_good {
            for at in positions {
                self.may.entry(at).or_default().push(span.id);
            }
            return;
        }
        self.least_end = self.least_end.max(end);
        self.set(positions, span.id);
    }

    /// Every byte of a range must be of this write.
    fn set(&mut self, positions: Range<u64>, id: u64) {
        if positions.is_empty() {
            return;
        }
        let range = self.index(positions.start)..self.index(positions.end);
        if self.must.len() < range.end {
            self.must.resize(range.end, 0);
        }
        self.must[range].fill(id);
        if !self.may.is_empty() {
            for at in positions {
                self.may.remove(&at);
            }
        }
    }

    fn truncate(&mut self, end: u64) {
        let (low, high) = (end.min(self.least_end), end.max(self.least_end));
        self.unchecked.push(self.positions(low, high));
        self.least_end = end;
        let end = self.positions(0, end).end;
        self.must.truncate(self.index(end));
        self.initial.resize(self.index(end), 0);
        self.may.retain(|at, _| *at < end);
    }

    fn punch(&mut self, begin: u64, end: u64) {
        let positions = self.positions(begin, end);
        self.unchecked.push(positions.clone());
        for at in positions.clone() {
            self.may.remove(&at);
        }
        self.set(positions.start..positions.end.min(self.least_end), ZERO);
    }

    /// Whether `byte` (`None`: beyond the end) may be at `at`, `later` being under way.
    fn allows(&self, at: u64, byte: Option<u8>, later: &[Change]) -> bool {
        let index = self.index(at);
        let is_right = match (byte, self.must.get(index).copied().unwrap_or(0)) {
            (None, _) => at >= self.least_end,
            (Some(byte), 0) => byte == self.initial.get(index).copied().unwrap_or(0),
            (Some(byte), ZERO) => byte == 0,
            (Some(byte), id) => byte == pattern(id, at),
        };
        let is_of = |id: u64| byte == Some(pattern(id, at));
        is_right
            || self.may.get(&at).is_some_and(|ids| ids.iter().any(|&id| is_of(id)))
            || later.iter().any(|change| change.may_leave(at, byte))
    }

    fn check(
        &self,
        mut positions: impl Iterator<Item = u64>,
        image: &[u8],
        later: &[Change],
    ) -> Result<(), String> {
        let byte = |at: u64| image.get(self.index(at)).copied();
        match positions.find(|&at| !self.allows(at, byte(at), later)) {
            None => Ok(()),
            Some(at) => Err(format!(
                "G3, G4, G6: byte {at} of {} is {:?}, and should be of write {:?}",
                image.len(),
                byte(at),
                self.must.get(self.index(at))
            )),
        }
    }

    /// Checks the durable image where something was settled since the last time.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn check_durable(&mut self, image: &[u8], later: &[Change]) -> Result<(), String> {
        let unchecked = std::mem::take(&mut self.unchecked);
        self.check(unchecked.into_iter().flatten(), image, later)
    }

    /// Checks all of a file that a power cut left, `later` having been accepted since the changes
    /// that are settled here became durable.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn check_cut(&self, image: &[u8], later: &[Change]) -> Result<(), String> {
        self.check(0..self.least_end.max(image.len() as u64), image, later)
    }

    /// Checks all of the file; nothing is under way.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn check_all(&self, image: &[u8]) -> Result<(), String> {
        self.check_cut(image, &[])
    }

    /// Checks bytes from where the part begins on; nothing is under way.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), String> {
        let begin = self.part.start;
        self.check(begin..begin + bytes.len() as u64, bytes, &[])
    }
}
