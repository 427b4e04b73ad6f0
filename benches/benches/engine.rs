//! The engine alone, without a kernel: submit → start → complete → deliver, at 1, 32 and 1,024
//! operations in flight.
//!
//! The executor of this bench keeps what it is handed and answers all of it later, in the order it
//! came, with success. So a round is what a driver with an infinitely fast disk would see:
//!
//! - *write*: 64 bytes each, 128 bytes apart, nothing merges: one request per write;
//! - *append*: 128 bytes each, packed: one request for all of them;
//! - *commit*: the appends, and one datasync that waits for them.
//!
//! The throughput is in operations. Wall-clock times, so that they are of one machine and one
//! moment; what must not get worse is guarded by the `instructions` binary.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringzero_core::{
    Boxed, Engine, Executor, FileSlot, IoCompletion, IoFd, Limits, Outcome, Parts, Pieces,
    Registration, RequestId, SliceSink, StaticMemory, SyncKind, WriteKind,
};

const IN_FLIGHT: [usize; 3] = [1, 32, 1_024];
const STRIDE: u64 = 128;

/// Keeps every request with the answer that it will get.
#[derive(Default)]
struct Later(Vec<(RequestId, u32)>);

impl Executor for Later {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn write(
        &mut self,
        id: RequestId,
        _: FileSlot,
        pieces: Pieces<'_>,
        _: u64,
        _: WriteKind,
    ) -> Option<Outcome> {
        self.0.push((id, pieces.byte_count()));
        None
    }

    fn sync(&mut self, id: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
        self.0.push((id, 0));
        None
    }
}

/// An engine with one file, and what a driver has around it.
struct Bench {
    engine: Engine<Boxed<StaticMemory>>,
    fd: IoFd,
    executor: Later,
    completions: Vec<IoCompletion>,
    offset: u64,
}

impl Bench {
    fn new() -> Self {
        let limits = Limits::default();
        let memory = Box::leak(vec![0; limits.memory_bytes() + 7].into_boxed_slice());
        let parts = Parts::boxed(&limits, StaticMemory::new(memory)).unwrap();
        let mut engine = Engine::new(&limits, parts).unwrap();
        let (fd, _) = engine.register(Registration::file(0)).unwrap();
        let completions = vec![IoCompletion::default(); 2 * 1_024];
        Self { engine, fd, executor: Later::default(), completions, offset: 0 }
    }

    fn write(&mut self) {
        self.engine.submit_write(self.fd, black_box(&[0x5A; 64]), self.offset).unwrap();
        self.offset += STRIDE;
    }

    fn append(&mut self) {
        self.engine.submit_append(self.fd, black_box(&[0x5A; 128])).unwrap();
    }

    /// Everything that was submitted is started, answered and delivered.
    fn finish(&mut self, expected: usize) {
        self.engine.start(0, &mut self.executor);
        while self.engine.in_flight() > 0 {
            for (id, byte_count) in self.executor.0.drain(..) {
                self.engine.complete(id, Ok(byte_count));
            }
            self.engine.proceed(0, &mut self.executor);
            self.engine.start(0, &mut self.executor);
        }
        let mut sink = SliceSink::new(&mut self.completions);
        assert_eq!(self.engine.deliver(&mut sink), expected);
    }
}

fn in_flight(criterion: &mut Criterion, name: &str, round: fn(&mut Bench, usize)) {
    let mut group = criterion.benchmark_group(name);
    for count in IN_FLIGHT {
        let mut bench = Bench::new();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| round(&mut bench, count));
        });
    }
    group.finish();
}

fn engine(criterion: &mut Criterion) {
    in_flight(criterion, "write", |bench, count| {
        (0..count).for_each(|_| bench.write());
        bench.finish(count);
    });
    in_flight(criterion, "append", |bench, count| {
        (0..count).for_each(|_| bench.append());
        bench.finish(count);
    });
    in_flight(criterion, "commit", |bench, count| {
        (0..count).for_each(|_| bench.append());
        bench.engine.submit_datasync(bench.fd).unwrap();
        bench.finish(count + 1);
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = engine
}
criterion_main!(benches);
