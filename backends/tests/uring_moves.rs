//! A backend in the default mode moves between threads with work in flight, and its completions
//! come within milliseconds, whatever the thread that submitted them does meanwhile: it computes
//! without a system call, or it has ended. (With IORING_SETUP_COOP_TASKRUN the first takes until
//! the next timer interrupt.)
//!
//! The busy thread and the one that takes what comes are on different processors, each on each
//! once: a device's interrupt on the busy thread's own processor would make the kernel look after
//! it.
//!
//! Each round submits on one thread and takes what comes on another. The figure is the median of
//! the rounds, less that of rounds without a move: what waits for a timer interrupt waits for half
//! its period on average. The best of some attempts counts, since a busy machine delays every
//! thread.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and says what it skips"
)]
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

mod uring_support;

use std::{
    fs::File,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ringzero::{Config, IoCompletion, IoFd, StorageIo, StorageIoExt, UringBackend};
use uring_support::ring;

const ROUNDS: usize = 41;
const ATTEMPTS: usize = 5;
/// The timer interrupt comes every 4 ms on most kernels, every 10 ms on others.
const WITHIN_A_TICK: Duration = Duration::from_millis(1);
/// For what the kernel does one timer interrupt later, or what needs a processor beside a thread
/// that keeps one busy.
const TWO_TICKS: Duration = Duration::from_millis(25);
/// Of a single round, on a machine that does something else meanwhile.
const WORST: Duration = Duration::from_secs(5);

/// Both measure time, and one of them keeps a processor busy.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Bytes of a direct write.
const LONG_WRITE: usize = 256 << 10;

/// What is in flight during the move.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Completed by the device's interrupt.
    DirectWrite,
    /// Carried out by a worker of the submitting thread.
    BufferedWrite,
    /// So is this.
    Sync,
}

impl Work {
    const ALL: [Self; 3] = [Self::DirectWrite, Self::BufferedWrite, Self::Sync];

    fn open(self, folder: &Path) -> std::io::Result<File> {
        let mut options = File::options();
        options.create(true).truncate(true).write(true);
        if matches!(self, Self::DirectWrite) {
            options.custom_flags(libc::O_DIRECT);
        }
        let file = options.open(folder.join(format!("{self:?}")))?;
        file.set_len(1 << 20)?;
        file.sync_all()?;
        Ok(file)
    }

    /// Submits and hands over one request.
    fn submit(self, io: &mut UringBackend, file: IoFd, round: usize) {
        let offset = (round % 64 * 4_096) as u64;
        match self {
            Self::BufferedWrite => {
                io.submit_write(file, &[round as u8; 4_096], offset).unwrap();
            }
            // Long enough to be under way when the backend arrives.
            Self::DirectWrite => {
                io.submit_write(file, &vec![round as u8; LONG_WRITE], 0).unwrap();
            }
            Self::Sync => {
                io.submit_datasync(file).unwrap();
            }
        }
        assert_eq!(io.flush(), Ok(1));
    }
}

/// Moves the calling thread to one processor, where there are several: sched_setaffinity(2).
fn run_on(processor: usize) {
    // SAFETY: a set of bits, for which zero is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is within the set.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: `set` is readable. On a machine with one processor the call fails, and that is fine.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
}

/// How the receiving thread takes what comes.
#[derive(Clone, Copy, Debug)]
enum Taking {
    Waiting,
    Polling,
}

impl Taking {
    /// Takes the one completion, and says how long it took.
    fn take(self, io: &mut UringBackend) -> (Duration, IoCompletion) {
        let begin = Instant::now();
        let mut completions: Vec<IoCompletion> = Vec::with_capacity(1);
        while completions.is_empty() {
            assert!(begin.elapsed() < WORST, "no completion came");
            match self {
                Self::Waiting => {
                    io.wait(1, Some(WORST)).unwrap();
                }
                // Leaves the processor to the kernel's worker.
                Self::Polling => thread::sleep(Duration::from_micros(20)),
            }
            io.poll_completions(&mut completions);
        }
        (begin.elapsed(), completions[0])
    }
}

type Round = dyn Fn(UringBackend, Work, IoFd, Taking, usize) -> (UringBackend, Duration);

/// Submits and takes on the calling thread.
fn stay(
    mut io: UringBackend,
    work: Work,
    file: IoFd,
    taking: Taking,
    round: usize,
) -> (UringBackend, Duration) {
    work.submit(&mut io, file, round);
    let (duration, _) = taking.take(&mut io);
    (io, duration)
}

/// The median of some rounds.
fn figure(
    io: UringBackend,
    work: Work,
    file: IoFd,
    taking: Taking,
    one_round: &Round,
) -> (UringBackend, Duration) {
    let mut durations = Vec::new();
    let mut io = io;
    for round in 0..ROUNDS {
        let (returned, duration) = one_round(io, work, file, taking, round);
        io = returned;
        durations.push(duration);
    }
    durations.sort_unstable();
    (io, durations[ROUNDS / 2])
}

/// Checks how much longer rounds of `one_round` take than those without a move, for each kind of
/// work and of taking.
fn check(most: impl Fn(Work) -> Duration, one_round: &Round) {
    let _turn = ONE_AT_A_TIME.lock();
    for work in Work::ALL {
        for taking in [Taking::Waiting, Taking::Polling] {
            let Some(mut io) = ring(&Config::default()) else { return };
            let folder = tempfile::tempdir().unwrap();
            let file = match work.open(folder.path()) {
                Ok(file) => io.register_fd(file).unwrap(),
                Err(error) => {
                    println!("skipped {work:?}: {error}");
                    continue;
                }
            };
            let (most, mut least) = (most(work), Duration::MAX);
            for _ in 0..ATTEMPTS {
                let (returned, without) = figure(io, work, file, taking, &stay);
                let (returned, with) = figure(returned, work, file, taking, one_round);
                io = returned;
                println!("{work:?}, {taking:?}: {with:?} with a move, {without:?} without");
                least = least.min(with.saturating_sub(without));
                if least < most {
                    break;
                }
            }
            assert!(least < most, "{work:?}, {taking:?}: {least:?} more with a move");
        }
    }
}

#[test]
fn completions_come_while_the_submitting_thread_computes_without_a_system_call() {
    for [busy, taker] in [[0, 1], [1, 0]] {
        let most = |work| match work {
            Work::DirectWrite => WITHIN_A_TICK,
            Work::BufferedWrite | Work::Sync => TWO_TICKS,
        };
        check(most, &move |io, work, file, taking, round| {
            beside_a_busy_thread(io, work, file, taking, round, [busy, taker])
        });
    }
}

fn beside_a_busy_thread(
    mut io: UringBackend,
    work: Work,
    file: IoFd,
    taking: Taking,
    round: usize,
    [busy, taker]: [usize; 2],
) -> (UringBackend, Duration) {
    let handed = Mutex::new(None);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Workers would be bound to the busy processor too.
            if matches!(work, Work::DirectWrite) {
                run_on(busy);
            }
            work.submit(&mut io, file, round);
            // Nobody sleeps on this lock, so this is no system call either.
            *handed.lock().unwrap() = Some(io);
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let taking = scope.spawn(|| {
            run_on(taker);
            let mut io = loop {
                if let Some(io) = handed.try_lock().ok().and_then(|mut handed| handed.take()) {
                    break io;
                }
                std::hint::spin_loop();
            };
            let (duration, completion) = taking.take(&mut io);
            is_over.store(true, Ordering::Relaxed);
            assert!(completion.result >= 0, "{completion:?}");
            (io, duration)
        });
        taking.join().unwrap()
    })
}

#[test]
fn completions_come_after_the_submitting_thread_has_ended() {
    // A direct write is completed on a work queue then.
    check(|_| TWO_TICKS, &|mut io, work, file, taking, round| {
        let submitting = thread::spawn(move || {
            work.submit(&mut io, file, round);
            io
        });
        let mut io = submitting.join().unwrap();
        let (duration, completion) = taking.take(&mut io);
        assert!(completion.result >= 0, "{completion:?}");
        (io, duration)
    });
}

#[test]
fn a_backend_goes_round_many_threads_and_loses_nothing() {
    let Some(mut io) = ring(&Config::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = io.register_fd(uring_support::create(&path)).unwrap();
    let (mut owed, mut delivered) = (0, 0);
    for hop in 0..100 {
        (io, owed, delivered) = thread::spawn(move || {
            let mut completions: Vec<IoCompletion> = Vec::new();
            for _ in 0..20 {
                io.submit_append(log, format!("{hop:03} ").as_bytes()).unwrap();
                owed += 1;
            }
            io.submit_datasync(log).unwrap();
            io.flush().unwrap();
            io.poll_completions(&mut completions);
            assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
            (io, owed + 1, delivered + completions.len())
        })
        .join()
        .unwrap();
    }
    delivered += uring_support::finish(&mut io).len();
    assert_eq!(delivered, owed);
    let expected: String = (0..100).map(|hop| format!("{hop:03} ").repeat(20)).collect();
    assert!(std::fs::read(&path).unwrap() == expected.as_bytes());
}
