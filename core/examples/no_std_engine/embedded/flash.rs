//! [`Flash`]: a flash chip on a slow bus, as an executor that answers later.
//!
//! It has one page buffer. What it is handed goes there, and each tick moves some of it into the
//! cells; when all of it is there, [`Flash::tick`] says so, as an interrupt would. A request that
//! is longer than the rest of its page is answered short: the engine hands over what is left.
//!
//! Programming only clears bits, so a cell that is programmed twice keeps neither value.

use ringzero_core::{Errno, Executor, FileSlot, Outcome, Pieces, RequestId, SyncKind, WriteKind};

/// How many bytes it has.
pub const FLASH_BYTES: usize = 16 << 10;
const PAGE_BYTES: usize = 256;
const ERASED: u8 = 0xFF;
/// Bytes that one tick programs.
const BYTES_PER_TICK: usize = 64;
/// Ticks until the chip reports that nothing is under way any more.
const TICKS_PER_SYNC: u32 = 3;

/// What the chip is doing. One thing at a time.
#[derive(Debug)]
enum Work {
    Nothing,
    /// Of the page buffer, `done..end` is still to be programmed, to `base` and further.
    Program {
        id: RequestId,
        base: usize,
        done: usize,
        end: usize,
    },
    Settle {
        id: RequestId,
        ticks_left: u32,
    },
}

/// The chip.
#[derive(Debug)]
pub struct Flash {
    cells: [u8; FLASH_BYTES],
    page: [u8; PAGE_BYTES],
    work: Work,
}

impl Flash {
    /// An erased chip.
    pub const fn erased() -> Self {
        Self { cells: [ERASED; FLASH_BYTES], page: [0; PAGE_BYTES], work: Work::Nothing }
    }

    /// What it holds.
    pub const fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// A moment passes. `Some`: this request has ended, and is to be told to the engine.
    pub fn tick(&mut self) -> Option<(RequestId, Outcome)> {
        let answer = match &mut self.work {
            Work::Nothing => return None,
            Work::Program { id, base, done, end } => {
                let upto = (*done + BYTES_PER_TICK).min(*end);
                let cells = self.cells.iter_mut().skip(*base + *done);
                let bytes = self.page.iter().take(upto).skip(*done);
                cells.zip(bytes).for_each(|(cell, byte)| *cell &= byte);
                *done = upto;
                if done < end {
                    return None;
                }
                (*id, Ok(*end as u32))
            }
            Work::Settle { id, ticks_left } => {
                *ticks_left -= 1;
                if *ticks_left > 0 {
                    return None;
                }
                (*id, Ok(0))
            }
        };
        self.work = Work::Nothing;
        Some(answer)
    }
}

impl Executor for Flash {
    /// The engine asks before each request, so nothing comes while the chip is busy.
    fn room(&self) -> usize {
        usize::from(matches!(self.work, Work::Nothing))
    }

    fn write(
        &mut self,
        id: RequestId,
        _: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        _: WriteKind,
    ) -> Option<Outcome> {
        let Some(base) = usize::try_from(offset).ok().filter(|base| *base < FLASH_BYTES) else {
            // What is known at once may be said at once.
            return Some(Err(Errno::NOSPC));
        };
        // The bytes are copied before this returns. A chip with DMA would keep the addresses
        // (`Pieces::as_raw`), which stay valid until the request is answered.
        let room = PAGE_BYTES - base % PAGE_BYTES;
        let page = self.page.iter_mut().take(room);
        let copied = page.zip(pieces.iter().flatten()).map(|(to, from)| *to = *from).count();
        self.work = Work::Program { id, base, done: 0, end: copied };
        None
    }

    fn sync(&mut self, id: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
        self.work = Work::Settle { id, ticks_left: TICKS_PER_SYNC };
        None
    }
}
