//! monoio 0.2: a thread-per-core runtime that waits in `io_uring_enter` itself.
//!
//! - Owned buffers, one per task for its whole life; `write_at` takes and returns them.
//! - The ring has as many entries as operations can be in flight (at least 256, the library's
//!   minimum), so that one `io_uring_enter` per round submits all that is queued, waits for one
//!   completion and reaps what is there.
//! - The ring's flags are tuned as far as the library's builder lets a user: SINGLE_ISSUER and
//!   DEFER_TASKRUN, which fit a runtime that waits in `io_uring_enter`.
//! - What the API forces per operation: a slab entry, a reference count on the file, a waker; no
//!   allocation. Neither files nor buffers can be registered.

use std::{fs, future::Future, io, os::unix::fs::OpenOptionsExt, path::Path};

use ::monoio::{IoUringDriver, RuntimeBuilder, buf::IoBuf, fs::File};

use crate::{
    buffer::{self, Buffer},
    runtime::{PeerFile, Room, Runtime, no_memory},
};

/// monoio's runtime.
pub(crate) struct Monoio;

impl Runtime for Monoio {
    type File = MonoioFile;

    fn run<P>(room: Room, program: P) -> io::Result<P::Output>
    where
        P: Future + 'static,
        P::Output: 'static,
    {
        let mut ring = io_uring::IoUring::builder();
        ring.setup_single_issuer().setup_defer_taskrun();
        let builder = RuntimeBuilder::<IoUringDriver>::new().uring_builder(ring);
        let mut runtime = builder.with_entries(room.in_flight.next_power_of_two()).build()?;
        Ok(runtime.block_on(program))
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        ::monoio::spawn(task);
    }
}

/// An open file.
pub(crate) struct MonoioFile {
    file: File,
    room: Room,
}

impl PeerFile for MonoioFile {
    type Buffer = Buffer<Vec<u8>>;

    async fn open(path: &Path, room: Room) -> io::Result<Self> {
        // Its own options cannot pass O_DIRECT.
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).custom_flags(room.flags()).open(path)?;
        Ok(Self { file: File::from_std(file)?, room })
    }

    fn buffer(&self) -> io::Result<Self::Buffer> {
        let alignment = self.room.alignment();
        let memory = buffer::memory(self.room.bytes, alignment);
        Ok(Buffer::new(memory, self.room.bytes, alignment))
    }

    fn data(buffer: &mut Self::Buffer) -> &mut [u8] {
        buffer.data()
    }

    async fn write(
        &self,
        buffer: &mut Self::Buffer,
        bytes: usize,
        offset: u64,
    ) -> io::Result<usize> {
        let memory = buffer.take().ok_or_else(no_memory)?;
        let slice = memory.slice(buffer.range(bytes));
        let (result, slice) = self.file.write_at(slice, offset).await;
        buffer.give_back(slice.into_inner());
        result
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().await
    }
}
