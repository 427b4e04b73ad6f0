//! Floor 1: tables that take their memory when built and never grow.
//!
//! | file | noun |
//! |---|---|
//! | `records` | records in slots, read and written by index without a panic |
//! | `list` | doubly linked list over records: a record is on one list at a time |
//! | `slab` | which records are free, and how many each file may still take |
//! | `cursor` | index arithmetic of a ring, apart from its memory |
//! | `fifo` | bounded queue of small values |
//! | `fd_table` | handles with generations → file slots |
//! | `buffer_ring` | fixed blocks of stable memory, open block per file, shares |
//! | `piece_table` | arrays of pieces at stable addresses, for vectored requests |
//! | `tail_blocks` | one aligned block of stable memory per file, for the end of its stream |
//! | `range_index` | hash index: which ranges of a file in flight begin near here? |
//! | `completion_queue` | finished operations, in order, until delivered |

pub(crate) mod buffer_ring;
#[cfg(test)]
mod card;
pub(crate) mod completion_queue;
pub(crate) mod cursor;
pub(crate) mod fd_table;
pub(crate) mod fifo;
pub(crate) mod list;
pub(crate) mod piece_table;
pub(crate) mod range_index;
pub(crate) mod records;
pub(crate) mod slab;
pub(crate) mod tail_blocks;
