//! Guarantee 12, as the kernel sees it: the hot path (`submit_*`, `flush`, `poll_completions`,
//! `pending_count`, and the questions of a hot loop) makes no system call but those that hand work
//! over, and none that waits.
//!
//! | backend | allowed |
//! |---|---|
//! | io_uring | io_uring_enter with min_complete 0 |
//! | ", thread-bound | also io_uring_register, to enable the ring: in the first call, never again |
//! | ", SQPOLL | io_uring_enter with min_complete 0 and IORING_ENTER_SQ_WAKEUP |
//! | worker | futex, to wake one thread of this process; none while that thread is busy |
//! | sync | pwrite64, pwritev2, preadv, fdatasync, fsync: it executes inside the call |
//! | ", until flush | also pwritev, for what is in several blocks |
//!
//! clock_gettime(2) is read without a call (vdso(7)); where it were one, these tests would say so.
//!
//! The list is a filter on the thread that runs the load (seccomp(2)); what it does not name is
//! recorded. Three controls show that it is: a call of the test's own, a wait, and a list without
//! entries, which counts.
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | io_uring: a poll hands over with min_complete 1 | `the_hot_path_makes_no_other_system_call` |
//! | io_uring: a poll yields; a flush prints (`--nocapture`) | the same, and the other three |
//! | io_uring: the clock is read with a system call | the same, and the other three |
//! | sync: a write asks for the size first | the same, and two others |
//! | worker: a poll sleeps for a moment | the same, and the other three but `a_wait_is_caught` |
//! | worker: a futex per flush, whether it sleeps or not | `a_busy_worker_is_not_woken_..` |
//! | worker: it is unparked whether it sleeps or not | nothing: std's unpark makes no call then |
//! | io_uring: enters with nothing queued | not here: `uring_enters` of the package `ringzero` |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]
#![allow(unsafe_code)]

mod load;

use std::{
    collections::BTreeMap,
    fs::File,
    io, thread,
    time::{Duration, Instant},
};

use load::{Load, Tally};
use ringzero_core::{StorageIo, StorageIoExt};
use ringzero_tests::{
    confine::{
        volume::{FileSystem, Volume},
        watch::{Allowed, Call, Watch, all, argument},
    },
    conformance,
    fixture::{Fixture, Setup},
    real::{Mode, Real, Worker, WorkerFew},
    session::{PATIENCE, Session},
    skip::skip,
};

const ACCEPTED: u64 = 8_000;
const WHOLE: u64 = 0xFFFF_FFFF;
/// linux/io_uring.h.
const ENTER_SQ_WAKEUP: u64 = 1 << 1;
const REGISTER_ENABLE_RINGS: u64 = 12;

/// What the backend called `name` may call.
fn allowed(name: &str) -> Allowed {
    let never_waits = || argument(2, WHOLE, 0);
    let enter = |rule| (libc::SYS_io_uring_enter, vec![rule]);
    let any = |writes: &[libc::c_long]| {
        let others = [libc::SYS_preadv, libc::SYS_fdatasync, libc::SYS_fsync];
        let calls = [writes, &others].concat();
        calls.into_iter().map(|number| (number, vec![])).collect()
    };
    match name {
        "sync" => any(&[libc::SYS_pwrite64, libc::SYS_pwritev2]),
        "sync, until flush" => any(&[libc::SYS_pwrite64, libc::SYS_pwritev2, libc::SYS_pwritev]),
        "worker" | "worker, three threads" => {
            let wake = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u64;
            let rule = all(vec![argument(1, WHOLE, wake), argument(2, WHOLE, 1)]);
            [(libc::SYS_futex, vec![rule])].into()
        }
        "uring, sqpoll" => {
            let wakes = argument(3, ENTER_SQ_WAKEUP, ENTER_SQ_WAKEUP);
            [enter(all(vec![never_waits(), wakes]))].into()
        }
        "uring, thread-bound" => {
            let enables = all(vec![argument(1, WHOLE, REGISTER_ENABLE_RINGS)]);
            let register = (libc::SYS_io_uring_register, vec![enables]);
            [enter(all(vec![never_waits()])), register].into()
        }
        "uring" | "uring, registered buffers" => [enter(all(vec![never_waits()]))].into(),
        other => panic!("nobody said what {other} may call"),
    }
}

/// Runs `body` with a load on a thread of its own that is under watch; what was recorded meanwhile.
fn watched<F: Fixture<File = File>>(
    allowed: Allowed,
    body: impl FnOnce(&mut Load<F>) + Send,
) -> Option<(Vec<Call>, Tally)> {
    let on_thread = || -> Result<(Vec<Call>, Tally), String> {
        let mut load = Load::<F>::new()?;
        let watch = Watch::outside(allowed).map_err(|error: io::Error| error.to_string())?;
        body(&mut load);
        Ok((watch.take(), load.tally))
    };
    let result = thread::scope(|scope| scope.spawn(on_thread).join().expect("did not panic"));
    result.map_err(|reason| skip(format!("{}: {reason}", F::NAME))).ok()
}

fn the_hot_path_makes_no_other_system_call<F: Fixture<File = File>>() {
    let is_of_all_kinds = |tally: &Tally| {
        let many = [tally.failed, tally.later, tally.refused].into_iter().min();
        // Appends behind one that failed are cancelled.
        many > Some(100) && tally.cancelled > 0
    };
    let recorded = watched::<F>(allowed(F::NAME), |load| load.run(ACCEPTED, is_of_all_kinds));
    let Some((calls, tally)) = recorded else { return };
    println!("{}: {tally:?}", F::NAME);
    assert!(calls.is_empty(), "{}: {} calls, the first {:?}", F::NAME, calls.len(), calls[0]);
    assert_eq!((tally.delivered(), tally.strange), (tally.accepted, 0), "{tally:?}");
    assert!(tally.accepted >= ACCEPTED && is_of_all_kinds(&tally), "control: {tally:?}");
    assert!(tally.succeeded > ACCEPTED / 2, "control: it worked: {tally:?}");
}

fn a_call_that_is_not_allowed_is_caught<F: Fixture<File = File>>() {
    let recorded = watched::<F>(allowed(F::NAME), |load| {
        load.append(10, 10);
        // SAFETY: takes nothing.
        unsafe { libc::syscall(libc::SYS_getpid) };
        load.append(10, 10);
    });
    let Some((calls, tally)) = recorded else { return };
    let numbers: Vec<_> = calls.iter().map(|call| call.number).collect();
    assert_eq!(numbers, [libc::SYS_getpid], "{}", F::NAME);
    assert_eq!((tally.succeeded, tally.strange), (200, 0));
}

fn a_wait_is_caught<F: Fixture<File = File>>() {
    let Some((calls, tally)) = watched::<F>(allowed(F::NAME), Load::wait) else { return };
    println!("{}: {} of 10 waits slept", F::NAME, calls.len());
    assert_eq!((tally.succeeded, tally.strange), (10, 0));
    let waits = |call: &Call| match call.number {
        libc::SYS_io_uring_enter => call.arguments[2] == 1,
        libc::SYS_futex => true,
        _ => false,
    };
    assert_eq!(calls.is_empty(), !F::HAS_EXECUTOR, "{}", F::NAME);
    assert!(calls.iter().all(waits), "{}: {calls:?}", F::NAME);
}

fn a_batch_of_appends_takes_few_calls<F: Fixture<File = File>>() {
    const BATCHES: u64 = 100;
    // Nothing is allowed, so everything is recorded.
    let recorded = watched::<F>(Allowed::new(), |load| load.append(BATCHES, 10));
    let Some((calls, tally)) = recorded else { return };
    assert_eq!((tally.succeeded, tally.strange), (BATCHES * 10, 0));
    let mut counts = BTreeMap::new();
    for call in &calls {
        *counts.entry(call.number).or_insert(0_u64) += 1;
    }
    let mut take = |number| counts.remove(&number).unwrap_or(0);
    let (enters, enables) = (take(libc::SYS_io_uring_enter), take(libc::SYS_io_uring_register));
    let (writes, wakes) = (take(libc::SYS_pwrite64), take(libc::SYS_futex));
    println!(
        "{}: 1,000 appends in batches of 10: {enters} io_uring_enter, {writes} pwrite64, {wakes} \
         futex, {enables} io_uring_register",
        F::NAME,
    );
    assert!(counts.is_empty(), "{}: {counts:?}", F::NAME);
    let expected = match (F::IS_INLINE, F::HAS_EXECUTOR) {
        (true, _) => BATCHES * 10,
        (false, false) => BATCHES,
        (false, true) => 0,
    };
    assert_eq!(writes, expected, "{}", F::NAME);
    assert_eq!(enables, u64::from(F::NAME == "uring, thread-bound"));
    // One to hand over, one to be told. A polling thread that sleeps is woken by every poll until
    // it gets a core.
    let is_bounded = F::NAME == "uring, sqpoll" || enters + wakes <= BATCHES * 2;
    assert!(is_bounded, "{}: {enters} enters, {wakes} wakes", F::NAME);
}

/// What a worker that is in a call of its own costs those who hand it more: nothing. Once it
/// sleeps, one call wakes it.
fn a_busy_worker_is_not_woken<M: Mode>() {
    let on_thread = || -> io::Result<()> {
        let volume = Volume::mount(FileSystem::Ext4)?;
        let mut directory = volume.directory();
        // Its removal would wait for the thaw.
        directory.disable_cleanup(true);
        let mut s = Session::over(Real::<M>::in_directory(directory), &Setup::default());
        let fd = s.open("file", &[]);
        let stall = volume.stall();
        s.write(fd, b"begun", 0).unwrap();
        assert_eq!(s.io.wait(1, Some(Duration::from_millis(100))), Ok(0), "it does not stall");

        let watch = Watch::outside(Allowed::new())?;
        let mut refused = 0;
        for offset in 1..2_000 {
            refused += u64::from(s.io.submit_write(fd, b"behind it", offset * 16).is_err());
            assert!(s.io.flush().is_ok() && s.io.pending_count() > 0);
            s.io.poll_completions(&mut heapless::Vec::<_, 4>::new());
        }
        let calls = watch.take();
        assert!(calls.is_empty(), "{}: {} calls, the first {:?}", M::NAME, calls.len(), calls[0]);
        assert!(refused > 0, "control: it was busy all the time");

        drop(stall);
        let begin = Instant::now();
        loop {
            // It has little left to do, and goes to sleep.
            thread::sleep(Duration::from_millis(5));
            s.io.poll_completions(&mut Vec::new());
            watch.take();
            let is_accepted = s.io.submit_write(fd, b"woken", 0).is_ok() && s.io.flush().is_ok();
            let wakes = watch.take().iter().filter(|call| call.number == libc::SYS_futex).count();
            assert!(wakes <= 1 && begin.elapsed() < PATIENCE, "{}: {wakes} wakes", M::NAME);
            if is_accepted && wakes == 1 {
                return Ok(());
            }
        }
    };
    let result = thread::scope(|scope| scope.spawn(on_thread).join().expect("did not panic"));
    if let Err(reason) = result {
        skip(format!("{}: {reason}", M::NAME));
    }
}

#[test]
fn a_busy_worker_is_not_woken_and_one_that_sleeps_is() {
    a_busy_worker_is_not_woken::<Worker>();
    a_busy_worker_is_not_woken::<WorkerFew>();
}

conformance!(
    @real
    the_hot_path_makes_no_other_system_call,
    a_call_that_is_not_allowed_is_caught,
    a_wait_is_caught,
    a_batch_of_appends_takes_few_calls,
);
