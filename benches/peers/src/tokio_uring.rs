//! tokio-uring 0.5: a current-thread tokio runtime that watches its ring's descriptor with epoll.
//!
//! - Owned buffers, one per task for its whole life. With O_DIRECT they are registered
//!   (`FixedBufRegistry`, `write_fixed_at`), which saves the kernel pinning their pages; through
//!   the page cache that gained nothing, and it registers 1,024 buffers at most.
//! - The ring has as many entries as operations can be in flight (a completion queue twice that),
//!   so that nothing is refused and a whole round is submitted with one call.
//! - COOP_TASKRUN, which its builder lets a user set: three times the appends of the default. It
//!   sleeps on the ring's descriptor, which DEFER_TASKRUN would not wake.
//! - The library submits when the thread is about to park: one `io_uring_enter` for all tasks that
//!   ran, then `epoll_wait` on the ring. That is two system calls per round, and what it forces.
//! - What the API forces per operation: a slab entry, a reference count on file and buffer, a
//!   waker; no allocation. Files cannot be registered.

use std::{future::Future, io, iter, os::unix::fs::OpenOptionsExt, path::Path};

use ::tokio_uring::{
    buf::{
        BoundedBuf,
        fixed::{FixedBuf, FixedBufRegistry},
    },
    fs::{File, OpenOptions},
};

use ringzero_benches::compare::job::Access;

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
        let mut ring = ::tokio_uring::uring_builder();
        ring.setup_coop_taskrun();
        let mut builder = ::tokio_uring::builder();
        builder.uring_builder(&ring).entries(room.in_flight.next_power_of_two());
        Ok(builder.start(program))
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        ::tokio_uring::spawn(task);
    }
}

/// An open file, and the buffers that are registered for it.
pub(crate) struct TokioUringFile {
    file: File,
    registered: Option<FixedBufRegistry<Vec<u8>>>,
    room: Room,
}

/// Memory of either kind.
pub(crate) enum TokioUringBuffer {
    /// Of the task.
    Owned(Buffer<Vec<u8>>),
    /// Checked out from those that are registered.
    Registered(Buffer<FixedBuf>),
}

impl PeerFile for TokioUringFile {
    type Buffer = TokioUringBuffer;

    async fn open(path: &Path, room: Room) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).custom_flags(room.flags()).open(path).await?;
        let registered = match room.access {
            Access::Buffered => None,
            Access::Direct => {
                let memory = || buffer::memory(room.bytes, room.alignment());
                let buffers = iter::repeat_with(memory).take(room.buffers);
                let registry = FixedBufRegistry::new(buffers);
                registry.register()?;
                Some(registry)
            }
        };
        Ok(Self { file, registered, room })
    }

    fn buffer(&self) -> io::Result<Self::Buffer> {
        let (bytes, alignment) = (self.room.bytes, self.room.alignment());
        let Some(registered) = &self.registered else {
            let memory = buffer::memory(bytes, alignment);
            return Ok(TokioUringBuffer::Owned(Buffer::new(memory, bytes, alignment)));
        };
        let memory = (0..self.room.buffers).find_map(|index| registered.check_out(index));
        let memory = memory.ok_or_else(no_memory)?;
        Ok(TokioUringBuffer::Registered(Buffer::new(memory, bytes, alignment)))
    }

    fn data(buffer: &mut Self::Buffer) -> &mut [u8] {
        match buffer {
            TokioUringBuffer::Owned(buffer) => buffer.data(),
            TokioUringBuffer::Registered(buffer) => buffer.data(),
        }
    }

    async fn write(
        &self,
        buffer: &mut Self::Buffer,
        bytes: usize,
        offset: u64,
    ) -> io::Result<usize> {
        match buffer {
            TokioUringBuffer::Owned(buffer) => {
                let memory = buffer.take().ok_or_else(no_memory)?;
                let slice = memory.slice(buffer.range(bytes));
                let (result, slice) = self.file.write_at(slice, offset).submit().await;
                buffer.give_back(slice.into_inner());
                result
            }
            TokioUringBuffer::Registered(buffer) => {
                let memory = buffer.take().ok_or_else(no_memory)?;
                let slice = memory.slice(buffer.range(bytes));
                let (result, slice) = self.file.write_fixed_at(slice, offset).await;
                buffer.give_back(slice.into_inner());
                result
            }
        }
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().await
    }
}
