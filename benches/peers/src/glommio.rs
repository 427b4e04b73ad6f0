//! glommio 0.9: a thread-per-core runtime with three rings (main, latency, polled).
//!
//! - Through the page cache: `BufferedFile::write_at`, which consumes its `Vec<u8>`; so every write
//!   pays for one allocation and one copy into it, and the task keeps its own buffer.
//! - With O_DIRECT, its native form: `DmaFile::write_rc_at` on buffers from its registered memory
//!   (`io_memory` is made large enough for all), one per task for its whole life. It polls for
//!   completions where the device can.
//! - The rings are 1,024 deep, or as deep as operations can be in flight if that is more. To spin
//!   before it parks (its option, 20 and 100 µs) gained nothing. Its rings' flags cannot be set, so
//!   each completion interrupts the thread: what COOP_TASKRUN spares the other three.
//! - What the API forces per operation: an allocation of its `Source`, a queue entry outside of the
//!   ring, a waker. Files cannot be registered.
//! - It wants RLIMIT_MEMLOCK of at least 512 KiB per executor; the child raises its own limit.

use std::{future::Future, io, path::Path, rc::Rc};

use ::glommio::{
    GlommioError, LocalExecutorBuilder, Placement,
    io::{BufferedFile, DmaBuffer, DmaFile, OpenOptions},
};

use ringzero_benches::compare::job::Access;

use crate::runtime::{PeerFile, Room, Runtime, no_memory};

/// What its registered memory holds beside the buffers: its minimum.
const SPARE_BYTES: usize = 1 << 20;

/// Entries of each ring at least: commits gain over its default of 128, and it panics with one.
const RING_DEPTH: usize = 1024;

/// glommio's executor.
pub(crate) struct Glommio;

impl Runtime for Glommio {
    type File = GlommioFile;

    fn run<P>(room: Room, program: P) -> io::Result<P::Output>
    where
        P: Future + 'static,
        P::Output: 'static,
    {
        // Best effort: with CAP_IPC_LOCK the limit does not count, and else glommio says so.
        let _ = rlimit::setrlimit(rlimit::Resource::MEMLOCK, rlimit::INFINITY, rlimit::INFINITY);
        let registered = match room.access {
            Access::Buffered => 0,
            Access::Direct => 2 * room.buffers * room.bytes,
        };
        let builder = LocalExecutorBuilder::new(Placement::Unbound)
            .io_memory(registered + SPARE_BYTES)
            .ring_depth(RING_DEPTH.max(room.in_flight as usize).next_power_of_two());
        Ok(builder.make().map_err(error)?.run(program))
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        ::glommio::spawn_local(task).detach();
    }
}

/// An open file of either kind.
pub(crate) struct GlommioFile {
    kind: Kind,
    room: Room,
}

enum Kind {
    Buffered(BufferedFile),
    Direct(DmaFile),
}

/// Memory of either kind.
pub(crate) enum GlommioBuffer {
    /// Of the task; every write takes a copy.
    Buffered(Vec<u8>),
    /// Registered; shared with the kernel while a write is in flight.
    Direct(Rc<DmaBuffer>),
}

impl PeerFile for GlommioFile {
    type Buffer = GlommioBuffer;

    async fn open(path: &Path, room: Room) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let options = options.write(true);
        let kind = match room.access {
            Access::Buffered => Kind::Buffered(options.buffered_open(path).await.map_err(error)?),
            Access::Direct => Kind::Direct(options.dma_open(path).await.map_err(error)?),
        };
        Ok(Self { kind, room })
    }

    fn buffer(&self) -> io::Result<Self::Buffer> {
        Ok(match &self.kind {
            Kind::Buffered(_) => GlommioBuffer::Buffered(vec![0; self.room.bytes]),
            Kind::Direct(file) => {
                GlommioBuffer::Direct(Rc::new(file.alloc_dma_buffer(self.room.bytes)))
            }
        })
    }

    fn data(buffer: &mut Self::Buffer) -> &mut [u8] {
        match buffer {
            GlommioBuffer::Buffered(memory) => memory,
            GlommioBuffer::Direct(memory) => {
                Rc::get_mut(memory).map(DmaBuffer::as_bytes_mut).unwrap_or_default()
            }
        }
    }

    async fn write(
        &self,
        buffer: &mut Self::Buffer,
        bytes: usize,
        offset: u64,
    ) -> io::Result<usize> {
        match (&self.kind, buffer) {
            (Kind::Buffered(file), GlommioBuffer::Buffered(memory)) => {
                let data = memory.get(..bytes).ok_or_else(no_memory)?;
                file.write_at(data.to_vec(), offset).await.map_err(error)
            }
            (Kind::Direct(file), GlommioBuffer::Direct(memory)) => {
                file.write_rc_at(Rc::clone(memory), offset).await.map_err(error)
            }
            _ => Err(no_memory()),
        }
    }

    async fn sync_data(&self) -> io::Result<()> {
        match &self.kind {
            Kind::Buffered(file) => file.fdatasync().await.map_err(error),
            Kind::Direct(file) => file.fdatasync().await.map_err(error),
        }
    }
}

fn error(error: GlommioError<()>) -> io::Error {
    io::Error::from(error)
}
