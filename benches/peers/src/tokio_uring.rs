//! tokio-uring 0.5: a current-thread tokio runtime that watches its ring's descriptor with epoll.
//!
//! - Buffers are registered (`FixedBufRegistry`) and written with `write_fixed_at`, the form its
//!   documentation recommends for repeated writes; each task checks one out and keeps it.
//! - The ring has as many entries as operations can be in flight (a completion queue twice that),
//!   so that nothing is refused and a whole round is submitted with one call.
//! - The library submits when the thread is about to park: one `io_uring_enter` for all tasks that
//!   ran, then `epoll_wait` on the ring. That is two system calls per round, and what it forces.
//! - What the API forces per operation: a slab entry, a reference count on file and buffer, a
//!   waker; no allocation. Files cannot be registered.

use std::{future::Future, io, os::unix::fs::OpenOptionsExt, path::Path};

use ::tokio_uring::{
    buf::{
        BoundedBuf,
        fixed::{FixedBuf, FixedBufRegistry},
    },
    fs::{File, OpenOptions},
};

use crate::{
    buffer::{self, Buffer},
    runtime::{PeerFile, Room, Runtime, no_memory},
};

/// tokio-uring's runtime.
pub(crate) struct TokioUring;

impl Runtime for TokioUring {
    type File = TokioUringFile;

    fn run<P>(room: Room, program: P) -> io::Result<P::Output>
    where
        P: Future + 'static,
        P::Output: 'static,
    {
        Ok(::tokio_uring::builder().entries(room.in_flight.next_power_of_two()).start(program))
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        ::tokio_uring::spawn(task);
    }
}

/// An open file, and the registered buffers.
pub(crate) struct TokioUringFile {
    file: File,
    registry: FixedBufRegistry<Vec<u8>>,
    room: Room,
}

impl PeerFile for TokioUringFile {
    type Buffer = Buffer<FixedBuf>;

    async fn open(path: &Path, room: Room) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).custom_flags(room.flags()).open(path).await?;
        let memory = || buffer::memory(room.bytes, room.alignment());
        let registry = FixedBufRegistry::new(std::iter::repeat_with(memory).take(room.buffers));
        registry.register()?;
        Ok(Self { file, registry, room })
    }

    fn buffer(&self) -> io::Result<Self::Buffer> {
        let memory = (0..self.room.buffers).find_map(|index| self.registry.check_out(index));
        let memory = memory.ok_or_else(no_memory)?;
        Ok(Buffer::new(memory, self.room.bytes, self.room.alignment()))
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
        let (result, slice) = self.file.write_fixed_at(slice, offset).await;
        buffer.give_back(slice.into_inner());
        result
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().await
    }
}
