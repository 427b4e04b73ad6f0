//! What a zone does with an offence: [`Action`].

/// What a zone does with an offence, beyond counting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the cheapest, for totals and benches.
    Count,
    /// Keep the first [`OFFENCE_CAPACITY`](crate::OFFENCE_CAPACITY) with size, kind and stack.
    Report,
    /// Print size, place and stack to standard error and abort the process, before a block is freed
    /// and after one was allocated. For finding the one offender under a debugger or in a child
    /// process. Code inside must not resolve symbols with the `backtrace` crate.
    Abort,
}
