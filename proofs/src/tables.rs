//! Two engines in static memory: one with its tables inline, one over slices.

use core::{hint::black_box, mem::MaybeUninit};

use ringzero_core::{
    Block, Borrowed, Engine, Inline, Limits, OpenFile, Operation, Parts, StaticMemory,
};

use crate::embedded::once::Once;

/// Two files, 16 operations, 6 blocks of 512 bytes.
pub const LIMITS: Limits = Limits {
    files: 2,
    operations_per_file: 6,
    operations_common: 4,
    blocks_per_file: 2,
    blocks_common: 2,
    block_bytes: 512,
};

const FILES: usize = LIMITS.files as usize;
const QUEUE: usize = LIMITS.queue_count() as usize;
const OPERATIONS: usize = LIMITS.operation_count() as usize;
const RANGES: usize = LIMITS.range_count() as usize;
const BLOCKS: usize = LIMITS.block_count() as usize;
// The engine aligns what it is given.
const MEMORY_BYTES: usize = LIMITS.memory_bytes() + 7;

/// Everything inside the engine.
pub type InlineTables = Inline<FILES, QUEUE, OPERATIONS, RANGES, BLOCKS>;

/// The engine with inline tables. `None` at the second call.
pub fn inline_engine() -> Option<&'static mut Engine<InlineTables>> {
    static ENGINE: Once<MaybeUninit<Engine<InlineTables>>> = Once::new(MaybeUninit::uninit());
    static MEMORY: Once<[u8; MEMORY_BYTES]> = Once::new([0; MEMORY_BYTES]);

    let engine = Engine::new(black_box(&LIMITS), Parts::inline(MEMORY.take()?)).ok()?;
    Some(ENGINE.take()?.write(engine))
}

/// The engine over slices. `None` at the second call.
pub fn borrowed_engine() -> Option<Engine<Borrowed<'static>>> {
    static OPERATION_SLOTS: Once<[Operation; OPERATIONS]> =
        Once::new([Operation::EMPTY; OPERATIONS]);
    static FILE_SLOTS: Once<[OpenFile; FILES]> = Once::new([OpenFile::EMPTY; FILES]);
    static BLOCK_SLOTS: Once<[Block; BLOCKS]> = Once::new([Block::EMPTY; BLOCKS]);
    static RANGE_SLOTS: Once<[u32; RANGES]> = Once::new([0; RANGES]);
    static READY: Once<[u16; QUEUE]> = Once::new([0; QUEUE]);
    static URGENT: Once<[u16; QUEUE]> = Once::new([0; QUEUE]);
    static MEMORY: Once<[u8; MEMORY_BYTES]> = Once::new([0; MEMORY_BYTES]);

    let parts = Parts {
        operations: OPERATION_SLOTS.take()?.as_mut_slice(),
        files: FILE_SLOTS.take()?.as_mut_slice(),
        blocks: BLOCK_SLOTS.take()?.as_mut_slice(),
        ranges: RANGE_SLOTS.take()?.as_mut_slice(),
        ready: READY.take()?.as_mut_slice(),
        urgent: URGENT.take()?.as_mut_slice(),
        memory: StaticMemory::new(MEMORY.take()?),
    };
    Engine::new(black_box(&LIMITS), parts).ok()
}
