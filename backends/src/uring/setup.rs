//! Setting a ring up: the ladder of flags and sizes ([`make`]).
//!
//! A kernel that does not know a flag answers EINVAL without saying which, so flags go one at a
//! time, the youngest first; one that grants too little memory answers ENOMEM, so the submission
//! queue is halved. Nothing that a guarantee rests on is ever given up: the completion queue holds
//! one entry for each request (`Limits::request_count`), or set-up fails.
//!
//! Worked example: a ring of 256 entries, interrupt mode, on Linux 6.1 with little memory. The
//! first attempt (NO_SQARRAY is from 6.6) gets EINVAL, the second ENOMEM, the third, with
//! SUBMIT_ALL, CLAMP and 128 entries, succeeds: two steps, both in the notes.
//!
//! It does not try the ring out: a ring can be made where no worker can start (`probe` finds that).

use std::io;

use io_uring::IoUring;
use ringzero_core::Errno;

use super::bound::Owner;
use crate::{
    config::{Config, UringMode},
    error::errno_of,
    report::Note,
    setup_error::SetupError,
};

/// A set-up flag that can be done without (io_uring_setup(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    /// Entries are taken in order, without a table of indices. Linux 6.6.
    NoSqArray,
    /// Completions are worked on inside calls only; comes with SINGLE_ISSUER, R_DISABLED (so that
    /// its thread is the first to use it, not the one that made it) and TASKRUN_FLAG. Linux 6.1.
    /// Replaced by `CoopTaskrun`.
    DeferTaskrun,
    /// Completions wait for the next system call instead of interrupting; comes with TASKRUN_FLAG.
    /// Linux 5.19.
    CoopTaskrun,
    /// A malformed entry does not stop those behind it. Linux 5.18.
    SubmitAll,
    /// Sizes above the kernel's limit are lowered instead of refused. Linux 5.6.
    Clamp,
}

impl Flag {
    const YOUNGEST_FIRST: [Self; 5] =
        [Self::NoSqArray, Self::DeferTaskrun, Self::CoopTaskrun, Self::SubmitAll, Self::Clamp];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    const fn name(self) -> &'static str {
        match self {
            Self::NoSqArray => "IORING_SETUP_NO_SQARRAY",
            Self::DeferTaskrun => "IORING_SETUP_DEFER_TASKRUN",
            Self::CoopTaskrun => "IORING_SETUP_COOP_TASKRUN",
            Self::SubmitAll => "IORING_SETUP_SUBMIT_ALL",
            Self::Clamp => "IORING_SETUP_CLAMP",
        }
    }
}

/// A set of [`Flag`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags(u8);

impl Flags {
    const fn with(self, flag: Flag) -> Self {
        Self(self.0 | flag.bit())
    }

    const fn without(self, flag: Flag) -> Self {
        Self(self.0 & !flag.bit())
    }

    const fn has(self, flag: Flag) -> bool {
        self.0 & flag.bit() != 0
    }
}

/// Who works on a ring's completions, and when the driver has to enter the kernel for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The kernel by itself: by interrupt, or on its polling thread.
    Kernel,
    /// A call of the owner, when the queue is flagged.
    Flagged,
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attempt {
    mode: UringMode,
    flags: Flags,
    dropped: Flags,
    sq_entries: u32,
    cq_entries: u32,
}

impl Attempt {
    fn first(config: &Config) -> Self {
        let flags = Flags::default().with(Flag::NoSqArray).with(Flag::SubmitAll).with(Flag::Clamp);
        // Rounding up is the kernel's rule for CQSIZE; the queue must not be smaller than the
        // submission queue (io_uring_setup(2), EINVAL), which may be as large as it is.
        let cq_entries = config.limits.request_count().next_power_of_two().max(2);
        Self {
            mode: config.uring.mode,
            flags: match config.uring.mode {
                UringMode::ThreadBound => flags.with(Flag::DeferTaskrun),
                UringMode::Interrupt | UringMode::SqPoll { .. } => flags,
            },
            dropped: Flags::default(),
            sq_entries: config.uring.sq_entries.min(cq_entries),
            cq_entries,
        }
    }

    /// What to try after this attempt got `errno`.
    fn after(self, errno: Errno) -> Option<Self> {
        match errno.number() {
            libc::EINVAL => {
                let mut all = Flag::YOUNGEST_FIRST.into_iter();
                let flag = all.find(|flag| self.flags.has(*flag))?;
                let mut flags = self.flags.without(flag);
                if flag == Flag::DeferTaskrun {
                    flags = flags.with(Flag::CoopTaskrun);
                }
                Some(Self { flags, dropped: self.dropped.with(flag), ..self })
            }
            libc::ENOMEM if self.sq_entries > 1 => {
                Some(Self { sq_entries: self.sq_entries / 2, ..self })
            }
            _ => None,
        }
    }

    fn build(&self) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(self.cq_entries);
        if self.flags.has(Flag::NoSqArray) {
            builder.setup_no_sqarray();
        }
        if self.flags.has(Flag::SubmitAll) {
            builder.setup_submit_all();
        }
        if self.flags.has(Flag::Clamp) {
            builder.setup_clamp();
        }
        if self.flags.has(Flag::DeferTaskrun) {
            builder.setup_single_issuer().setup_defer_taskrun();
            builder.setup_r_disabled().setup_taskrun_flag();
        } else if self.flags.has(Flag::CoopTaskrun) {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        if let UringMode::SqPoll { idle } = self.mode {
            builder.setup_sqpoll(u32::try_from(idle.as_millis()).unwrap_or(u32::MAX));
        }
        builder.build(self.sq_entries)
    }

    /// What it does without, compared with `first`.
    fn notes(&self, first: &Self) -> Vec<Note> {
        let dropped = Flag::YOUNGEST_FIRST.into_iter().filter(|flag| self.dropped.has(*flag));
        let halved = (self.sq_entries < first.sq_entries)
            .then_some(Note::EntriesHalved { from: first.sq_entries, to: self.sq_entries });
        dropped.map(|flag| Note::FlagDropped(flag.name())).chain(halved).collect()
    }

    fn delivery(&self) -> Delivery {
        match self.mode {
            UringMode::ThreadBound if self.has_taskrun_flag() => Delivery::Flagged,
            _ => Delivery::Kernel,
        }
    }

    fn has_taskrun_flag(&self) -> bool {
        self.flags.has(Flag::DeferTaskrun) || self.flags.has(Flag::CoopTaskrun)
    }

    fn owner(&self) -> Owner {
        match self.mode {
            UringMode::ThreadBound => Owner::FirstUser,
            UringMode::Interrupt | UringMode::SqPoll { .. } => Owner::Anyone,
        }
    }
}

/// A ring as the kernel made it.
pub(super) struct Made {
    pub(super) uring: IoUring,
    pub(super) notes: Vec<Note>,
    pub(super) delivery: Delivery,
    pub(super) owner: Owner,
    /// Whether the ring waits for IORING_REGISTER_ENABLE_RINGS.
    pub(super) is_disabled: bool,
}

/// Walks down the ladder with `build` until a ring is made. Returns it with the attempt.
fn descend<R>(
    first: Attempt,
    mut build: impl FnMut(&Attempt) -> io::Result<R>,
) -> Result<(R, Attempt), SetupError> {
    let mut attempt = first;
    loop {
        let errno = match build(&attempt) {
            Ok(ring) => return Ok((ring, attempt)),
            Err(error) => errno_of(&error),
        };
        attempt = attempt.after(errno).ok_or_else(|| reason(&attempt, errno))?;
    }
}

/// Why the last attempt failed.
fn reason(attempt: &Attempt, errno: Errno) -> SetupError {
    match attempt.mode {
        // The polling thread is a thread: clone(2), EAGAIN.
        UringMode::SqPoll { .. } if errno == Errno::AGAIN => SetupError::NoWorkers,
        _ => SetupError::from_errno(errno),
    }
}

/// Makes a ring for `config`, which passed its check.
///
/// # Errors
/// Why the last attempt failed. `Unsupported`: a kernel without what the driver needs.
/// `FlagsRefused`: a completion queue with room for every request cannot be had.
pub(super) fn make(config: &Config) -> Result<Made, SetupError> {
    let first = Attempt::first(config);
    let (uring, attempt) = descend(first, Attempt::build)?;
    let parameters = uring.params();
    // EXT_ARG (5.11): waiting with a timeout. NODROP (5.5): no completion is ever lost.
    // NATIVE_WORKERS (5.12): workers are threads of this process, so that what was submitted goes
    // on after a move to another thread. io_uring_setup(2), "features".
    if !parameters.is_feature_ext_arg()
        || !parameters.is_feature_nodrop()
        || !parameters.is_feature_native_workers()
    {
        return Err(SetupError::Unsupported);
    }
    // CLAMP may have made it smaller.
    if parameters.cq_entries() < config.limits.request_count() {
        return Err(SetupError::FlagsRefused);
    }
    Ok(Made {
        notes: attempt.notes(&first),
        delivery: attempt.delivery(),
        owner: attempt.owner(),
        is_disabled: attempt.flags.has(Flag::DeferTaskrun),
        uring,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UringConfig;
    use std::time::Duration;

    /// A kernel that knows some flags, and has room for a submission queue of some size.
    struct Kernel {
        known: Flags,
        most_entries: u32,
        attempts: u32,
    }

    impl Kernel {
        fn build(&mut self, attempt: &Attempt) -> io::Result<()> {
            self.attempts += 1;
            if attempt.flags.0 & !self.known.0 != 0 {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            if attempt.sq_entries > self.most_entries {
                return Err(io::Error::from_raw_os_error(libc::ENOMEM));
            }
            Ok(())
        }
    }

    fn config(mode: UringMode) -> Config {
        let uring = UringConfig { mode, ..UringConfig::default() };
        Config { uring, ..Config::default() }
    }

    const MODES: [UringMode; 3] = [
        UringMode::Interrupt,
        UringMode::ThreadBound,
        UringMode::SqPoll { idle: Duration::from_millis(1) },
    ];

    #[test]
    fn every_set_of_known_flags_and_every_size_ends_in_a_ring_with_a_full_completion_queue() {
        for mode in MODES {
            let config = config(mode);
            for known in 0..1 << Flag::YOUNGEST_FIRST.len() {
                for most_entries in [1, 2, 100, 256] {
                    let known = Flags(known);
                    let mut kernel = Kernel { known, most_entries, attempts: 0 };
                    let first = Attempt::first(&config);
                    let ((), attempt) = descend(first, |it| kernel.build(it)).unwrap();
                    assert_eq!(attempt.flags.0 & !known.0, 0);
                    assert!(attempt.sq_entries <= most_entries);
                    assert!(attempt.cq_entries >= config.limits.request_count());
                    assert!(kernel.attempts <= 1 + 5 + 8);
                }
            }
        }
    }

    #[test]
    fn the_youngest_flag_goes_first_and_the_notes_name_it() {
        // Linux 6.1: everything but NO_SQARRAY.
        let known = Flags(u8::MAX).without(Flag::NoSqArray);
        let mut kernel = Kernel { known, most_entries: 128, attempts: 0 };
        let first = Attempt::first(&config(UringMode::Interrupt));
        let ((), attempt) = descend(first, |it| kernel.build(it)).unwrap();
        assert_eq!(kernel.attempts, 3);
        let notes = [
            Note::FlagDropped("IORING_SETUP_NO_SQARRAY"),
            Note::EntriesHalved { from: 256, to: 128 },
        ];
        assert_eq!(attempt.notes(&first), notes);
    }

    #[test]
    fn deferred_work_falls_back_to_cooperative_and_stays_bound_to_its_thread() {
        let known = Flags(u8::MAX).without(Flag::NoSqArray).without(Flag::DeferTaskrun);
        let mut kernel = Kernel { known, most_entries: 256, attempts: 0 };
        let first = Attempt::first(&config(UringMode::ThreadBound));
        let ((), attempt) = descend(first, |it| kernel.build(it)).unwrap();
        assert!(attempt.flags.has(Flag::CoopTaskrun));
        assert_eq!(attempt.delivery(), Delivery::Flagged);
        assert_eq!(attempt.owner(), Owner::FirstUser);

        let mut kernel = Kernel { known: Flags::default(), most_entries: 256, attempts: 0 };
        let ((), attempt) = descend(first, |it| kernel.build(it)).unwrap();
        assert_eq!(attempt.delivery(), Delivery::Kernel);
        assert_eq!(attempt.owner(), Owner::FirstUser);
    }

    #[test]
    fn what_no_step_helps_against_is_reported_at_once() {
        for (errno, reason) in [
            (libc::EPERM, SetupError::Forbidden),
            (libc::ENOSYS, SetupError::Unsupported),
            (libc::EMFILE, SetupError::DescriptorsExhausted),
        ] {
            let mut attempts = 0;
            let result = descend(Attempt::first(&Config::default()), |_| {
                attempts += 1;
                Err::<(), _>(io::Error::from_raw_os_error(errno))
            });
            assert_eq!((result.err(), attempts), (Some(reason), 1));
        }
    }

    #[test]
    fn a_polling_thread_that_cannot_start_is_a_missing_worker() {
        let again = |_: &Attempt| Err::<(), _>(io::Error::from_raw_os_error(libc::EAGAIN));
        let [interrupt, _, polled] = MODES.map(|mode| Attempt::first(&config(mode)));
        assert_eq!(descend(polled, again).err(), Some(SetupError::NoWorkers));
        assert_eq!(descend(interrupt, again).err(), Some(SetupError::Other(Errno::AGAIN)));
    }

    #[test]
    fn a_ladder_without_an_end_is_not_walked_for_ever() {
        for (errno, reason, steps) in [
            (libc::EINVAL, SetupError::FlagsRefused, 1 + 3),
            (libc::ENOMEM, SetupError::MemoryLimit, 1 + 8),
        ] {
            let mut attempts = 0;
            let result = descend(Attempt::first(&Config::default()), |_| {
                attempts += 1;
                Err::<(), _>(io::Error::from_raw_os_error(errno))
            });
            assert_eq!((result.err(), attempts), (Some(reason), steps));
        }
    }
}
