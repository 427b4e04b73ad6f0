//! What a caller gets back: [`IoCompletion`], and where it is put: [`CompletionSink`].

/// The outcome of one accepted submission.
///
/// ```
/// use ringzero_core::{Errno, IoCompletion};
///
/// assert_eq!(IoCompletion { token: 1, result: 128 }.outcome(), Ok(128));
/// let full = IoCompletion { token: 2, result: -Errno::NOSPC.number() };
/// assert_eq!(full.outcome(), Err(Errno::NOSPC));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct IoCompletion {
    /// The token that `submit_*` returned.
    pub token: u64,
    /// Bytes written (always all of them), 0 for a sync, or a negative OS error number.
    pub result: i32,
}

// No more than its two fields, as `repr(C)` aligns them: 16 bytes nearly everywhere.
const _: () = assert!(size_of::<IoCompletion>() == 12_usize.next_multiple_of(align_of::<u64>()));

impl IoCompletion {
    /// The result as bytes or error.
    ///
    /// # Errors
    /// The operating-system error with which the operation ended.
    #[inline]
    pub const fn outcome(self) -> Result<u32, crate::Errno> {
        if self.result >= 0 {
            Ok(self.result as u32)
        } else {
            Err(crate::Errno::new(self.result.wrapping_neg()))
        }
    }
}

/// A place for completions: a std `Vec` (feature `alloc`), a `heapless::Vec`, or a [`SliceSink`].
///
/// Completions are offered in batches, so that a trait object costs one call per batch and not one
/// per completion.
///
/// ```
/// use ringzero_core::{CompletionSink, IoCompletion};
///
/// /// Counts, and keeps nothing.
/// #[derive(Default)]
/// struct Tally {
///     succeeded: usize,
///     failed: usize,
/// }
///
/// impl CompletionSink for Tally {
///     fn take(&mut self, batch: &[IoCompletion]) -> usize {
///         let failed = batch.iter().filter(|completion| completion.result < 0).count();
///         self.failed += failed;
///         self.succeeded += batch.len() - failed;
///         batch.len()
///     }
/// }
///
/// let mut tally = Tally::default();
/// tally.take(&[IoCompletion { token: 1, result: 4 }, IoCompletion { token: 2, result: -5 }]);
/// assert_eq!((tally.succeeded, tally.failed), (1, 1));
/// ```
pub trait CompletionSink {
    /// Takes completions from the front of `batch` and returns how many it took.
    ///
    /// What it does not take stays queued in the backend, in order, and is offered again at the
    /// next poll. A number above `batch.len()` counts as `batch.len()`.
    fn take(&mut self, batch: &[IoCompletion]) -> usize;
}

impl<const N: usize> CompletionSink for heapless::Vec<IoCompletion, N> {
    #[inline]
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        let mut taken = 0;
        for completion in batch {
            if self.push(*completion).is_err() {
                break;
            }
            taken += 1;
        }
        taken
    }
}

/// A bounded sink over borrowed memory: a slice and how much of it is filled.
///
/// ```
/// use ringzero_core::{CompletionSink, IoCompletion, SliceSink};
///
/// let mut memory = [IoCompletion::default(); 2];
/// let mut sink = SliceSink::new(&mut memory);
/// let three = [IoCompletion { token: 1, result: 0 }; 3];
/// assert_eq!(sink.take(&three), 2, "the third stays with the backend");
/// assert_eq!(sink.filled().len(), 2);
/// ```
#[derive(Debug)]
pub struct SliceSink<'a> {
    memory: &'a mut [IoCompletion],
    filled_count: usize,
}

impl<'a> SliceSink<'a> {
    /// An empty sink with room for `memory.len()` completions.
    pub const fn new(memory: &'a mut [IoCompletion]) -> Self {
        Self { memory, filled_count: 0 }
    }

    /// The completions taken so far.
    pub fn filled(&self) -> &[IoCompletion] {
        self.memory.get(..self.filled_count).unwrap_or_default()
    }

    /// Forgets the completions taken so far.
    ///
    /// ```
    /// use ringzero_core::{CompletionSink, IoCompletion, SliceSink};
    ///
    /// let mut memory = [IoCompletion::default(); 1];
    /// let mut sink = SliceSink::new(&mut memory);
    /// let one = [IoCompletion { token: 1, result: 0 }];
    /// assert_eq!((sink.take(&one), sink.take(&one)), (1, 0), "full");
    /// sink.clear();
    /// assert_eq!(sink.take(&one), 1);
    /// ```
    pub const fn clear(&mut self) {
        self.filled_count = 0;
    }
}

impl CompletionSink for SliceSink<'_> {
    #[inline]
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        let room = self.memory.get_mut(self.filled_count..).unwrap_or_default();
        let mut taken = 0;
        for (to, from) in room.iter_mut().zip(batch) {
            *to = *from;
            taken += 1;
        }
        self.filled_count += taken;
        taken
    }
}

/// Passes completions on, and keeps an eye out for one.
pub(crate) struct Lookout<'a> {
    pub(crate) token: u64,
    pub(crate) found: Option<IoCompletion>,
    pub(crate) passed_count: usize,
    pub(crate) out: &'a mut dyn CompletionSink,
}

impl CompletionSink for Lookout<'_> {
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        let taken = self.out.take(batch).min(batch.len());
        self.passed_count += taken;
        let mut passed = batch.iter().take(taken);
        if let Some(completion) = passed.find(|completion| completion.token == self.token) {
            self.found = Some(*completion);
        }
        taken
    }
}

#[cfg(test)]
mod tests;
