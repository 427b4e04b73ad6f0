//! A backend in somebody else's event loop: `prepare_wait`, then poll(2) on `wait_handle`.
//!
//! | test | shows |
//! |---|---|
//! | `no_wake_up_is_lost` | whoever is told to sleep is woken, whenever the answer comes |
//! | `an_arming_signals_once` | one signal for an arming and an answer, none of a second one |
//! | `who_does_not_sleep_is_not_signalled` | a handle that is not armed stays as it is |
//! | `an_idle_backend_lets_its_loop_sleep` | nothing pending: the handle is quiet |
//! | `what_is_flushed_under_an_arming_wakes` | submissions after `prepare_wait` |
//! | `a_sleeper_on_another_thread_is_woken` | a backend that moves with work in flight |
//!
//! A lost wake-up shows as a poll(2) that ends at its deadline, which is long enough for any
//! machine. Pauses of random length, about as long as an answer takes, go between the steps, so
//! that answers come at each moment: before the flush, between the look and the arming, after it.
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | the driver does not look again after arming | `no_wake_up_is_lost` of `uring` |
//! | io_uring: the eventfd stays disabled | all but `a_sleeper_on_another_thread_..` of `bound` |
//! | worker: whoever rings makes nothing readable | all |
//! | sync: a flush makes nothing readable | `an_idle_backend_..`, `what_is_flushed_..` |
//! | a poll does not disarm | `who_does_not_sleep_..` of io_uring, `an_arming_..` of `bound` |
//! | thread-bound: no enter after arming | nothing: the flag was looked at a moment before |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]
#![allow(unsafe_code, reason = "poll(2) and read(2) on a descriptor that is borrowed")]

use std::{
    fs::File,
    hint, io,
    os::fd::{AsRawFd, RawFd},
    thread,
    time::{Duration, Instant},
};

use ringzero::EventSource;
use ringzero_core::{IoFd, StorageIo, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Setup},
    random::{Random, number_from_env},
    session::{PATIENCE, Session},
};

/// A machine that took so long for a third of the rounds is let off the others.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// Whether the descriptor is readable, at once or after at most `patience`.
fn is_readable(descriptor: RawFd, patience: Duration) -> bool {
    let begin = Instant::now();
    loop {
        let left = patience.saturating_sub(begin.elapsed());
        let mut source = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(left.as_millis()).unwrap();
        // SAFETY: the array has one element.
        match unsafe { libc::poll(&raw mut source, 1, milliseconds) } {
            1 => return true,
            0 if left < Duration::from_millis(1) => return false,
            0 => {}
            _ => assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted),
        }
    }
}

/// How often an eventfd was signalled since it was last read.
fn signals(descriptor: RawFd) -> u64 {
    let mut count = 0_u64;
    // SAFETY: `count` has the eight bytes that an eventfd gives.
    let read = unsafe { libc::read(descriptor, (&raw mut count).cast(), 8) };
    if read == 8 { count } else { 0 }
}

/// Computes for a random time, often none: up to about what a request takes.
fn pause(random: &mut Random) {
    let turns = match random.below(4) {
        0 => 0,
        1 => random.below(200),
        2 => random.below(5_000),
        _ => random.below(60_000),
    };
    (0..turns).for_each(|_| hint::spin_loop());
}

/// A backend, its handle, and how it went.
struct Loop<F: Fixture> {
    session: Session<F>,
    descriptor: RawFd,
    armings: u64,
    signals: u64,
}

impl<F: Fixture<File = File, Backend: EventSource>> Loop<F> {
    fn new(place: Place) -> Option<Self> {
        let mut session = Session::<F>::at(place, &Setup::default())?;
        let descriptor = session.io.wait_handle().expect("a handle").as_raw_fd();
        Some(Self { session, descriptor, armings: 0, signals: 0 })
    }

    /// Prepares, and sleeps if that is the answer, `between` those two.
    fn sleep(&mut self, between: impl FnOnce()) {
        if !self.session.io.prepare_wait().expect("prepared") {
            return;
        }
        self.armings += 1;
        between();
        let (name, stats) = (F::NAME, self.session.io.stats());
        let is_woken = is_readable(self.descriptor, PATIENCE);
        assert!(is_woken, "{name}: a lost wake-up at arming {}: {stats:?}", self.armings);
    }

    /// Sleeps and polls until nothing is owed.
    fn finish(&mut self, random: &mut Random) {
        while self.session.io.pending_count() > 0 {
            pause(random);
            self.sleep(|| pause(random));
            self.session.poll();
            self.signals += signals(self.descriptor);
        }
    }
}

fn no_wake_up_is_lost<F: Fixture<File = File, Backend: EventSource>>() {
    for (place, rounds) in [(Place::Memory, 3_000), (Place::Disk, 500)] {
        let Some(mut l) = Loop::<F>::new(place) else { return };
        let seed = number_from_env("RINGZERO_SEED", 1);
        let mut random = Random::new(seed);
        let files = [l.session.open("log", &[]), l.session.open("table", &[])];
        let begin = Instant::now();
        let is_slow = || begin.elapsed() > LONG_ENOUGH;
        let mut round = 0;
        while round < rounds && !(round >= rounds / 3 && is_slow()) {
            round += 1;
            for _ in 0..=random.below(3) {
                let fd = files[random.below(2) as usize];
                for _ in 0..random.below(4) {
                    l.session.append(fd, &[7; 100]).expect("accepted");
                }
                if random.below(3) > 0 {
                    l.session.sync(fd).expect("accepted");
                }
                l.session.write(files[0], &[9; 64], 0).ok();
            }
            l.finish(&mut random);
        }
        let Loop { session, armings, signals, .. } = l;
        println!("{}: {armings} sleeps, {signals} signals in {round} rounds", F::NAME);
        let failed = session.results.values().filter(|result| **result < 0).count();
        assert_eq!(failed, 0);
        assert_eq!(armings > round / 100, F::HAS_EXECUTOR, "control: it slept, seed {seed}");
    }
}

/// One append of one byte, waited for: afterwards the thread that answered what came before it does
/// nothing for that any more.
fn settle<F: Fixture<File = File, Backend: EventSource>>(l: &mut Loop<F>, fd: IoFd) -> u64 {
    l.session.append(fd, b".").expect("accepted");
    l.session.drain();
    signals(l.descriptor)
}

fn an_arming_signals_once<F: Fixture<File = File, Backend: EventSource>>() {
    let Some(mut l) = Loop::<F>::new(Place::Disk) else { return };
    let fd = l.session.open("file", &[]);
    let (mut sleeps, mut woken_by) = (0_u64, 0);
    for round in 0..500 {
        l.session.append(fd, &[1; 100]).expect("accepted");
        if round % 2 == 0 {
            l.session.sync(fd).expect("accepted");
        }
        while l.session.io.pending_count() > 0 {
            let before = l.armings;
            l.sleep(|| {});
            l.session.poll();
            // What is looked for and found under an arming may have signalled: nobody slept.
            let count = signals(l.descriptor);
            if l.armings > before {
                sleeps += 1;
                woken_by += count;
                assert!(count <= 1, "{}: {count} signals of one request", F::NAME);
            }
        }
    }
    println!("{}: {sleeps} sleeps, {woken_by} signals", F::NAME);
    assert_eq!(sleeps > 0, F::HAS_EXECUTOR, "control: it slept");
}

fn who_does_not_sleep_is_not_signalled<F: Fixture<File = File, Backend: EventSource>>() {
    let Some(mut l) = Loop::<F>::new(Place::Disk) else { return };
    let fd = l.session.open("file", &[]);
    for is_after_sleeps in [false, true] {
        for _ in 0..100 {
            l.session.append(fd, &[1; 100]).expect("accepted");
            l.session.sync(fd).expect("accepted");
            l.session.io.flush().expect("flushed");
            while l.session.io.pending_count() > 0 {
                l.session.poll();
                thread::yield_now();
            }
        }
        assert_eq!(signals(l.descriptor), 0, "{}, after sleeps: {is_after_sleeps}", F::NAME);
        let mut signalled = 0;
        for _ in 0..100 {
            l.session.append(fd, &[1; 100]).expect("accepted");
            l.session.sync(fd).expect("accepted");
            l.finish(&mut Random::new(1));
            signalled += l.signals;
        }
        assert_eq!(signalled > 0, F::HAS_EXECUTOR, "control: {} signals those who sleep", F::NAME);
        settle(&mut l, fd);
    }
}

fn an_idle_backend_lets_its_loop_sleep<F: Fixture<File = File, Backend: EventSource>>() {
    let Some(mut l) = Loop::<F>::new(Place::Disk) else { return };
    assert_eq!(l.session.io.prepare_wait(), Ok(true));
    assert!(!is_readable(l.descriptor, Duration::ZERO));
    let fd = l.session.open("file", &[]);
    for _ in 0..100 {
        l.session.append(fd, &[1; 100]).expect("accepted");
        l.sleep(|| {});
        // Nobody reads the handle here.
        l.session.drain();
        l.session.append(fd, b".").expect("accepted");
        l.session.drain();
        assert_eq!(l.session.io.prepare_wait(), Ok(true));
        assert!(!is_readable(l.descriptor, Duration::ZERO), "{}: nothing is there", F::NAME);
        // What the handle says is taken back by the next call, and by no other.
        l.session.append(fd, &[1; 100]).expect("accepted");
        l.session.io.flush().expect("flushed");
        assert!((0..3).all(|_| is_readable(l.descriptor, PATIENCE)), "{}", F::NAME);
        l.session.drain();
        settle(&mut l, fd);
    }
}

fn what_is_flushed_under_an_arming_wakes<F: Fixture<File = File, Backend: EventSource>>() {
    let Some(mut l) = Loop::<F>::new(Place::Memory) else { return };
    let mut random = Random::new(number_from_env("RINGZERO_SEED", 1));
    let fd = l.session.open("file", &[]);
    for round in 0..500 {
        assert_eq!(l.session.io.prepare_wait(), Ok(true), "nothing is pending");
        l.session.append(fd, &[1; 100]).expect("accepted");
        l.session.sync(fd).expect("accepted");
        pause(&mut random);
        l.session.io.flush().expect("flushed");
        pause(&mut random);
        assert!(is_readable(l.descriptor, PATIENCE), "{}: round {round}", F::NAME);
        l.finish(&mut random);
    }
}

fn a_sleeper_on_another_thread_is_woken<F>()
where
    F: Fixture<File = File, Backend: EventSource + Send> + Send,
{
    let Some(mut l) = Loop::<F>::new(Place::Disk) else { return };
    if F::NAME == "uring, thread-bound" {
        println!("{} stays where it is", F::NAME);
        return;
    }
    let fd = l.session.open("file", &[]);
    for round in 0..200 {
        l.session.append(fd, &[1; 100]).expect("accepted");
        l.session.sync(fd).expect("accepted");
        l.session.io.flush().expect("flushed");
        let random = &mut Random::new(round);
        thread::scope(|scope| scope.spawn(|| l.finish(random)).join().expect("did not panic"));
    }
    assert_eq!(l.armings > 0, F::HAS_EXECUTOR, "control: it slept");
}

conformance!(
    @real
    no_wake_up_is_lost,
    an_arming_signals_once,
    who_does_not_sleep_is_not_signalled,
    an_idle_backend_lets_its_loop_sleep,
    what_is_flushed_under_an_arming_wakes,
    a_sleeper_on_another_thread_is_woken,
);
