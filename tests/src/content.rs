//! [`Content`]: which bytes a file may hold, byte by byte.
//!
//! Of each byte it knows the write that *must* have put it there (the latest successful one) and
//! those that *may* have (later ones that failed).

use std::collections::HashMap;

use crate::random::pattern;

/// The bytes of one write: `pattern(id, at)` for each position `at` in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its number; never 0.
    pub id: u64,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl Span {
    fn holds(&self, at: u64) -> bool {
        at >= self.offset && at - self.offset < self.len
    }

    fn positions(&self) -> std::ops::Range<u64> {
        self.offset..self.offset + self.len
    }
}

/// What a file may hold.
#[derive(Debug)]
pub struct Content {
    initial: Vec<u8>,
    /// By position: the latest write that succeeded, 0 for none.
    must: Vec<u64>,
    may: HashMap<u64, Vec<u64>>,
    /// Settled since the last check of the durable image.
    unchecked: Vec<Span>,
}

impl Content {
    /// Of a file that holds `initial`.
    pub fn new(initial: &[u8]) -> Self {
        Self {
            initial: initial.to_vec(),
            must: Vec::new(),
            may: HashMap::new(),
            unchecked: Vec::new(),
        }
    }

    /// The next write, in the order of acceptance, has succeeded or failed.
    pub fn settle(&mut self, span: Span, is_good: bool) {
        if span.len == 0 {
            return;
        }
        self.unchecked.push(span);
        if !is_good {
            for at in span.positions() {
                self.may.entry(at).or_default().push(span.id);
            }
            return;
        }
        let end = (span.offset + span.len) as usize;
        if self.must.len() < end {
            self.must.resize(end, 0);
        }
        self.must[span.offset as usize..end].fill(span.id);
        if !self.may.is_empty() {
            for at in span.positions() {
                self.may.remove(&at);
            }
        }
    }

    /// Whether `byte` (`None`: beyond the end) may be at `at`, `later` being under way.
    fn allows(&self, at: u64, byte: Option<u8>, later: &[Span]) -> bool {
        let must = self.must.get(at as usize).copied().unwrap_or(0);
        let is_right = match byte {
            Some(byte) if must != 0 => byte == pattern(must, at),
            Some(byte) => byte == self.initial.get(at as usize).copied().unwrap_or(0),
            None => must == 0 && at >= self.initial.len() as u64,
        };
        let is_of = |id: u64| byte == Some(pattern(id, at));
        is_right
            || self.may.get(&at).is_some_and(|ids| ids.iter().any(|&id| is_of(id)))
            || later.iter().any(|span| span.holds(at) && is_of(span.id))
    }

    fn check(
        &self,
        mut positions: impl Iterator<Item = u64>,
        image: &[u8],
        later: &[Span],
    ) -> Result<(), String> {
        let is_wrong = |&at: &u64| !self.allows(at, image.get(at as usize).copied(), later);
        match positions.find(is_wrong) {
            None => Ok(()),
            Some(at) => Err(format!(
                "G3, G4, G6: byte {at} of {} is {:?}, and should be of write {:?}",
                image.len(),
                image.get(at as usize),
                self.must.get(at as usize)
            )),
        }
    }

    /// Checks the durable image where something was settled since the last time.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn check_durable(&mut self, image: &[u8], later: &[Span]) -> Result<(), String> {
        let spans = std::mem::take(&mut self.unchecked);
        let positions = spans.iter().flat_map(Span::positions);
        self.check(positions, image, later)
    }

    /// Checks all of the file; nothing is under way.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn check_all(&self, image: &[u8]) -> Result<(), String> {
        let end = image.len().max(self.must.len()).max(self.initial.len());
        self.check(0..end as u64, image, &[])
    }
}
