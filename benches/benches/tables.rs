//! What the smallest steps cost on this machine: a push and a pop between two threads' ends of a
//! queue, and a claim and a release of an operation's record.
//!
//! The tables inside the engine are not public, so the record is claimed the way a caller claims
//! it: by a write of no bytes, which the engine finishes at once, and given back by its delivery.
//! Both ends of the queue are used by one thread: the cost without the transfer between two cores.
//!
//! Wall-clock times, so that they are of one machine and one moment; what must not get worse is
//! guarded by the `instructions` binary.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringzero_core::{
    Boxed, Engine, IoCompletion, Limits, NoMemory, Parts, Registration, SliceSink,
    handoff::SpscQueue,
};

/// Values and records handled per measured round.
const COUNT: usize = 64;

fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(COUNT as u64));
    let (mut producer, mut consumer) = SpscQueue::<u64, _>::boxed(COUNT as u32).split_owned();
    group.bench_function("push and pop", |bencher| {
        bencher.iter(|| {
            for value in 0..COUNT as u64 {
                producer.push(black_box(value)).unwrap();
            }
            while let Some(value) = consumer.pop() {
                black_box(value);
            }
        });
    });
    group.finish();
}

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records");
    group.throughput(Throughput::Elements(COUNT as u64));
    let limits = Limits::default();
    let parts = Parts::boxed(&limits, NoMemory).unwrap();
    let mut engine = Engine::<Boxed<NoMemory>>::new(&limits, parts).unwrap();
    let (fd, _) = engine.register(Registration::file(0)).unwrap();
    let mut memory = [IoCompletion::default(); COUNT];
    group.bench_function("claim and release", |bencher| {
        bencher.iter(|| {
            for _ in 0..COUNT {
                engine.submit_write(fd, black_box(&[]), 0).unwrap();
            }
            engine.deliver(&mut SliceSink::new(black_box(&mut memory)))
        });
    });
    group.finish();
}

criterion_group! {
    name = tables;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = queue, records
}
criterion_main!(tables);
