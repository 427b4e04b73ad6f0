//! compio 0.19: a completion-based runtime, here on its io_uring driver.
//!
//! - Owned buffers, one per task for its whole life; `write_at` takes and returns them.
//! - The ring has as many entries as operations can be in flight, the completion queue twice that,
//!   with SINGLE_ISSUER and DEFER_TASKRUN. As many tasks run between two looks at the ring as can
//!   be in flight: the default of 61 would enter the kernel once per 61 tasks.
//! - What the API forces per operation: one allocation (the operation with its buffer), an entry in
//!   a hash set of those in flight, a reference count on the file. Buffers for writes cannot be
//!   registered.

use std::{future::Future, io, path::Path};

use ::compio::{
    BufResult,
    buf::{IntoInner, IoBuf},
    driver::{DriverType, ProactorBuilder},
    fs::{File, OpenOptions},
    io::AsyncWriteAt,
    runtime::RuntimeBuilder,
};

use crate::{
    buffer::{self, Buffer},
    runtime::{PeerFile, Room, Runtime, no_memory},
};

/// compio's runtime.
pub(crate) struct Compio;

impl Runtime for Compio {
    type File = CompioFile;

    fn run<P>(room: Room, program: P) -> io::Result<P::Output>
    where
        P: Future + 'static,
        P::Output: 'static,
    {
        // One more for the notifier's poll.
        let entries = (room.in_flight + 1).next_power_of_two();
        let mut driver = ProactorBuilder::new();
        driver.driver_type(DriverType::IoUring).capacity(entries).cqsize(2 * entries);
        driver.single_issuer(true).defer_taskrun(true);
        let mut builder = RuntimeBuilder::new();
        builder.with_proactor(driver).event_interval(room.in_flight as usize + 1);
        builder.local_queue_size(room.in_flight as usize + 1);
        Ok(builder.build()?.block_on(program))
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        ::compio::runtime::spawn(task).detach();
    }
}

/// An open file.
pub(crate) struct CompioFile {
    file: File,
    room: Room,
}

impl PeerFile for CompioFile {
    type Buffer = Buffer<Vec<u8>>;

    async fn open(path: &Path, room: Room) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).custom_flags(room.flags()).open(path).await?;
        Ok(Self { file, room })
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
        let BufResult(result, slice) = (&self.file).write_at(slice, offset).await;
        buffer.give_back(slice.into_inner());
        result
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().await
    }
}
