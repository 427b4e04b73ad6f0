//! What the `no_std` program does with an engine, and what must come of it.

use heapless::Vec;
use ringzero_core::{
    Engine, Errno, IoCompletion, IoFd, Registration, RequestId, SliceSink, Storage, StorageIoError,
};

use crate::{
    disk::{Answers, Disk, Honesty},
    handoff,
    tables::{self, LIMITS},
    waker_table,
};

/// What was wrong.
#[derive(Clone, Copy, Debug)]
pub struct Flaw(pub &'static str);

impl From<StorageIoError> for Flaw {
    fn from(error: StorageIoError) -> Self {
        Self(match error {
            StorageIoError::QueueFull => "QueueFull where there is room",
            StorageIoError::BufferExhausted => "BufferExhausted where there is room",
            StorageIoError::BadFd => "BadFd for a good handle",
            StorageIoError::Closed => "Closed before the end",
            StorageIoError::Io(_) => "an error of a file that is sound",
        })
    }
}

type Checked<T = ()> = Result<T, Flaw>;

fn must(is_right: bool, what: &'static str) -> Checked {
    if is_right { Ok(()) } else { Err(Flaw(what)) }
}

/// An engine, its disk, and what was delivered since the last look.
struct Bench<'a, S: Storage> {
    engine: &'a mut Engine<S>,
    disk: Disk,
}

impl<S: Storage> Bench<'_, S> {
    /// Runs until nothing is pending, and returns the results in the order of delivery.
    fn settle(&mut self) -> Checked<Vec<IoCompletion, 32>> {
        let mut delivered = Vec::new();
        while self.engine.pending_count() > 0 {
            let started = self.engine.start(0, &mut self.disk);
            let answered = self.disk.answer(self.engine);
            let continued = self.engine.proceed(0, &mut self.disk);
            let came = self.engine.deliver(&mut delivered);
            must(started + answered + continued + came > 0, "what is pending never ends")?;
        }
        Ok(delivered)
    }

    /// The same, and checks the results.
    fn expect(&mut self, expected: &[(u64, i32)], what: &'static str) -> Checked {
        let delivered = self.settle()?;
        let is_right = |(token, result): &(u64, i32)| {
            delivered.contains(&IoCompletion { token: *token, result: *result })
        };
        must(delivered.len() == expected.len() && expected.iter().all(is_right), what)
    }

    fn holds(&self, at: usize, bytes: &[u8], what: &'static str) -> Checked {
        must(self.disk.bytes.get(at..at + bytes.len()) == Some(bytes), what)
    }
}

/// Everything. `Err` says what was wrong first.
///
/// # Errors
/// What was wrong first.
pub fn play(honesty: Honesty) -> Checked {
    must(handoff::works(), "the queue between two threads")?;
    must(waker_table::works(), "the table of wakers")?;
    let engine = tables::inline_engine().ok_or(Flaw("no engine with inline tables"))?;
    let bench = &mut Bench { engine, disk: Disk::new(honesty, Answers::Later) };
    let (fd, _) = bench.engine.register(Registration::file(0))?;
    appends_and_syncs(bench, fd)?;
    positional_writes(bench, fd)?;
    a_barrier(bench, fd)?;
    short_results(bench, fd)?;
    a_full_disk(bench, fd)?;
    full_queues(bench, fd)?;
    a_failing_sync(bench)?;
    a_file_s_life(bench)?;
    closing(bench, fd)?;

    let mut engine = tables::borrowed_engine().ok_or(Flaw("no engine over slices"))?;
    let disk = Disk::new(Honesty::Honest, Answers::AtOnce);
    execution_inside_the_call(&mut Bench { engine: &mut engine, disk })?;
    blocks_written_again(&mut Bench {
        engine: &mut engine,
        disk: Disk::new(Honesty::Honest, Answers::Later),
    })
}

fn appends_and_syncs<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let one = bench.engine.submit_append(fd, b"one ")?;
    let two = bench.engine.submit_append(fd, b"two ")?;
    let synced = bench.engine.submit_datasync(fd)?;
    let shared = bench.engine.submit_datasync(fd)?;
    must(bench.engine.tail(fd)? == 8, "the tail is behind what was accepted")?;
    must(bench.engine.start(0, &mut bench.disk) == 1, "both appends leave as one request")?;
    must(bench.disk.sync_count == 0, "a sync overtook its appends")?;
    bench.expect(&[(one, 4), (two, 4), (synced, 0), (shared, 0)], "appends and syncs")?;
    must(bench.disk.sync_count == 1, "two syncs share one call")?;
    bench.holds(0, b"one two \0", "the bytes of the appends")
}

fn positional_writes<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let left = bench.engine.submit_write(fd, b"left", 100)?;
    let right = bench.engine.submit_write(fd, b"right", 104)?;
    let apart = bench.engine.submit_write(fd, b"apart", 200)?;
    let over = bench.engine.submit_write(fd, b"LAPS", 102)?;
    must(bench.engine.start(0, &mut bench.disk) == 2, "neighbours merge, an overlap waits")?;
    bench.expect(&[(left, 4), (right, 5), (apart, 5), (over, 4)], "positional writes")?;
    bench.holds(100, b"leLAPSght", "the bytes of overlapping writes")?;
    must(bench.engine.stats().merged_records >= 1, "a merged record is counted")?;
    must(bench.engine.tail(fd)? == 205, "a write beyond the end moves the tail")
}

fn a_barrier<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let left = bench.engine.submit_write(fd, b"l", 10)?;
    let right = bench.engine.submit_write(fd, b"r", 20)?;
    let synced = bench.engine.submit_datasync(fd)?;
    let sync_count = bench.disk.sync_count;
    bench.engine.start(0, &mut bench.disk);
    must(bench.disk.answer_youngest(bench.engine) == 2, "both writes are on their way")?;
    bench.engine.proceed(0, &mut bench.disk);
    must(bench.disk.sync_count == sync_count, "a sync overtook a write")?;
    bench.expect(&[(left, 1), (right, 1), (synced, 0)], "a sync behind two writes")?;
    must(bench.disk.sync_count == sync_count + 1, "a sync whose barrier is open goes")
}

fn short_results<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let long = [b'x'; 1_300];
    bench.disk.next_write = Some(Ok(700));
    let token = bench.engine.submit_write(fd, &long, 300)?;
    bench.expect(&[(token, 1_300)], "a write over three blocks that is cut short")?;
    bench.holds(300, &long, "the bytes of a continued write")?;
    bench.disk.next_write = Some(Err(Errno::INTR));
    let token = bench.engine.submit_write(fd, b"again", 10)?;
    bench.expect(&[(token, 5)], "an interrupted write")?;
    must(bench.engine.stats().short_results == 1, "one short result")?;
    must(bench.engine.stats().retries == 1, "one retry")
}

fn a_full_disk<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let full = StorageIoError::Io(Errno::NOSPC);
    let (no_space, cancelled) = (-Errno::NOSPC.number(), -Errno::CANCELED.number());
    let tail = bench.engine.tail(fd)?;
    bench.disk.next_write = Some(Err(Errno::NOSPC));
    let failed = bench.engine.submit_append(fd, b"does not fit")?;
    bench.engine.start(0, &mut bench.disk);
    let behind = bench.engine.submit_append(fd, b"nor this")?;
    let synced = bench.engine.submit_datasync(fd)?;
    let ends = [(failed, no_space), (behind, cancelled), (synced, no_space)];
    bench.expect(&ends, "an append without space, the one behind it, the sync that covers it")?;
    must(bench.engine.submit_append(fd, b"later") == Err(full), "appends are refused")?;
    must(bench.engine.can_accept(fd, 5) == Err(full), "and that can be asked")?;
    must(bench.engine.resume_append(fd)? == tail, "the tail is where the failed append began")?;
    let token = bench.engine.submit_append(fd, b"fits")?;
    let synced = bench.engine.submit_datasync(fd)?;
    bench.expect(&[(token, 4), (synced, 0)], "an append after resuming")?;
    bench.holds(tail as usize, b"fits", "the bytes of an append after resuming")
}

fn full_queues<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let too_long = [0; LIMITS.max_write() + 1];
    let refused = bench.engine.submit_append(fd, &too_long);
    must(refused == Err(StorageIoError::Io(Errno::MSGSIZE)), "longer than can ever fit")?;
    let mut accepted = 0;
    let refused = loop {
        match bench.engine.submit_write(fd, b".", 0) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    must(refused == StorageIoError::QueueFull, "operations run out first")?;
    must(accepted == LIMITS.operations_per_file + LIMITS.operations_common, "after its share")?;
    must(bench.settle()?.len() == accepted as usize, "and all of them end")?;
    let all = [1; LIMITS.max_write()];
    let token = bench.engine.submit_write(fd, &all, 0)?;
    let refused = bench.engine.submit_write(fd, b".", 0);
    must(refused == Err(StorageIoError::BufferExhausted), "blocks run out")?;
    bench.expect(&[(token, all.len() as i32)], "the longest write")
}

fn a_failing_sync<S: Storage>(bench: &mut Bench<'_, S>) -> Checked {
    let error = StorageIoError::Io(Errno::IO);
    let (fd, slot) = bench.engine.register(Registration::segment(3_000, 3_100)?)?;
    must(bench.engine.room(fd)? == 100, "a segment has a limit")?;
    bench.disk.next_sync = Some(Errno::IO);
    let written = bench.engine.submit_append(fd, b"lost")?;
    let synced = bench.engine.submit_datasync(fd)?;
    bench.expect(&[(written, 4), (synced, -Errno::IO.number())], "a sync that fails")?;
    must(bench.engine.submit_write(fd, b".", 3_000) == Err(error), "the file is failed")?;
    must(bench.engine.submit_datasync(fd) == Err(error), "and never synced again")?;
    must(bench.engine.status(fd, 0)?.failed == Some(Errno::IO), "and says why")?;
    must(bench.engine.begin_close(fd)? == slot, "the slot of the file")?;
    must(bench.engine.is_idle(slot), "nothing is left of it")?;
    must(bench.engine.finish_close(slot).is_none(), "a failed file is not cut back")
}

fn a_file_s_life<S: Storage>(bench: &mut Bench<'_, S>) -> Checked {
    let (fd, slot) = bench.engine.register(Registration::file(2_000))?;
    let reserved = bench.engine.submit_allocate(fd, 2_000, 100)?;
    let written = bench.engine.submit_append(fd, b"kept and cut off")?;
    bench.expect(&[(reserved, 0), (written, 16)], "an allocation")?;
    let punched = bench.engine.submit_punch(fd, 2_000, 2)?;
    let refused = bench.engine.submit_append(fd, b".");
    must(refused == Err(StorageIoError::QueueFull), "an append beside a punch")?;
    let synced = bench.engine.submit_fsync(fd)?;
    bench.expect(&[(punched, 0), (synced, 0)], "a hole, and its sync")?;
    bench.holds(2_000, b"\0\0pt", "the bytes beside a hole")?;
    let truncated = bench.engine.submit_truncate(fd, 2_004)?;
    bench.expect(&[(truncated, 0)], "a truncation")?;
    must(bench.engine.tail(fd)? == 2_004, "it moves the tail")?;
    let closed = bench.engine.submit_close(fd)?;
    must(bench.engine.tail(fd) == Err(StorageIoError::BadFd), "a dead handle")?;
    bench.expect(&[(closed, 0)], "a close")?;
    must(bench.engine.next_idle_closing() == Some(slot), "which leaves its slot")?;
    must(bench.engine.was_closed(slot), "and was the executor's")?;
    must(bench.engine.finish_close(slot).is_none(), "nothing is to be cut back")
}

fn closing<S: Storage>(bench: &mut Bench<'_, S>, fd: IoFd) -> Checked {
    let token = bench.engine.submit_append(fd, b"last")?;
    bench.engine.start(0, &mut bench.disk);
    let slot = bench.engine.begin_close(fd)?;
    must(bench.engine.submit_append(fd, b".") == Err(StorageIoError::BadFd), "a dead handle")?;
    must(!bench.engine.is_idle(slot), "with I/O on its way")?;
    bench.disk.answer(bench.engine);
    must(bench.engine.next_idle_closing() == Some(slot), "which ends")?;
    bench.engine.finish_close(slot);
    let mut memory = [IoCompletion::default(); 2];
    let mut sink = SliceSink::new(&mut memory);
    bench.engine.deliver(&mut sink);
    must(sink.filled() == [IoCompletion { token, result: 4 }], "and is delivered")?;

    bench.engine.complete(RequestId::from_u64(RequestId::NONE), Ok(0));
    must(bench.engine.stats().stale_answers == 1, "a stale answer is dropped")?;

    let (fd, _) = bench.engine.register(Registration::device())?;
    let token = bench.engine.submit_write(fd, b"cut off", 0)?;
    bench.engine.close_admission();
    must(bench.engine.submit_datasync(fd) == Err(StorageIoError::Closed), "after shutdown")?;
    bench.engine.abandon();
    bench.expect(&[(token, -Errno::TIMEDOUT.number())], "what shutdown cut off")
}

fn execution_inside_the_call<S: Storage>(bench: &mut Bench<'_, S>) -> Checked {
    let Bench { engine, disk } = bench;
    let (fd, _) = engine.register(Registration::file(0))?;
    let appended = engine.append_inline(fd, b"append", disk)?;
    let written = engine.write_inline(fd, b"write", 50, disk)?;
    disk.next_write = Some(Err(Errno::NOSPC));
    let failed = engine.append_inline(fd, b"fails", disk)?;
    let synced = engine.datasync_inline(fd, disk)?;
    let no_space = -Errno::NOSPC.number();
    let ends = [(appended, 6), (written, 5), (failed, no_space), (synced, no_space)];
    bench.expect(&ends, "execution inside the call")?;
    bench.holds(0, b"append", "the bytes of an inline append")?;
    bench.holds(50, b"write", "the bytes of an inline write")
}

/// Appends to a file that is written 8 bytes at a time.
fn blocks_written_again<S: Storage>(bench: &mut Bench<'_, S>) -> Checked {
    let registration = Registration::segment(1_003, 1_200)?.aligned(8)?;
    must(registration.lead() == (1_000..1_003), "the bytes before the tail in its block")?;
    let (fd, _) = bench.engine.register_behind(registration, b"abc")?;
    must(bench.engine.alignment(fd)? == 8, "the alignment")?;
    let error = StorageIoError::Io(Errno::INVAL);
    must(bench.engine.submit_write(fd, b"7 bytes", 0) == Err(error), "no whole block")?;
    must(bench.engine.append_inline(fd, b"x", &mut bench.disk) == Err(error), "not inline")?;
    let one = bench.engine.submit_append(fd, b"defghi")?;
    bench.engine.start(0, &mut bench.disk);
    let two = bench.engine.submit_append(fd, b"jk")?;
    must(bench.engine.start(0, &mut bench.disk) == 0, "its block is on its way")?;
    bench.expect(&[(one, 6), (two, 2)], "appends inside a block")?;
    bench.holds(1_000, b"abcdefghijk\0\0\0\0\0", "the bytes of blocks written again")
}
