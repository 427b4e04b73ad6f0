//! What the requests of a [`Disk`](crate::disk::Disk) answer: programmed ([`Rule`]) or random
//! ([`Rough`]).

use ringzero_core::{Errno, WriteKind};

use crate::{choices::Choices, disk::Ask};

/// What one request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// All of it.
    Complete,
    /// At most this many bytes (at least one), and says so.
    Short(u64),
    /// Nothing, and says so: a write of 0 bytes.
    Zero,
    /// Nothing, with this error.
    Fail(Errno),
    /// At most this many bytes, but says this error.
    Torn(u64, Errno),
    /// Nothing, until it is released.
    Hang,
}

/// Which requests a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Writes and appends.
    Writes,
    /// Reads.
    Reads,
    /// Data-syncs.
    Syncs,
    /// Alterations.
    Alterations,
    /// The write whose request begins at this offset.
    WriteAt(u64),
}

/// What the next requests of one kind do.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The file, by name.
    pub file: &'static str,
    /// Which of its requests.
    pub of: Of,
    /// What they do.
    pub action: Action,
    /// How many of them.
    pub times: u32,
}

impl Rule {
    /// The next request of this kind does this.
    pub const fn once(file: &'static str, of: Of, action: Action) -> Self {
        Self { file, of, action, times: 1 }
    }

    /// The next `times` requests of this kind do this.
    pub const fn times(file: &'static str, of: Of, action: Action, times: u32) -> Self {
        Self { file, of, action, times }
    }

    pub(crate) fn matches(&self, file: &str, ask: Ask) -> bool {
        self.file == file
            && match (self.of, ask) {
                (Of::Writes, Ask::Write { .. })
                | (Of::Reads, Ask::Read { .. })
                | (Of::Syncs, Ask::Sync(_))
                | (Of::Alterations, Ask::Alter(_)) => true,
                (Of::WriteAt(at), Ask::Write { offset, .. }) => at == offset,
                _ => false,
            }
    }
}

/// In which order pending requests end.
#[derive(Clone, Debug, Default)]
pub enum Order {
    /// As handed over, all of them.
    #[default]
    Oldest,
    /// The other way round, all of them.
    Newest,
    /// Any way, some of them.
    Shuffled(Choices),
}

/// Random answers. Rates are per mille of requests.
#[derive(Clone, Debug)]
pub struct Rough {
    /// What decides.
    pub choices: Choices,
    /// Writes and reads cut short.
    pub short: u64,
    /// Writes, reads and alterations answered EINTR, EAGAIN or ECANCELED.
    pub retry: u64,
    /// Writes refused for lack of room, or as malformed; half of them leave bytes. Alterations that
    /// fail, and do nothing.
    pub refused: u64,
    /// Writes lost with EIO or EROFS; half of them leave bytes. Reads that fail with EIO.
    pub lost: u64,
    /// Data-syncs that fail.
    pub sync_lost: u64,
    /// Requests answered inside the call that hands them over.
    pub at_once: u64,
}

impl Rough {
    /// Only what no caller may ever notice: shorts, retries, answers at once.
    pub const fn harmless(seed: u64) -> Self {
        Self {
            choices: Choices::seeded(seed),
            short: 150,
            retry: 80,
            refused: 0,
            lost: 0,
            sync_lost: 0,
            at_once: 100,
        }
    }

    pub(crate) fn choose(&mut self, ask: Ask) -> Action {
        let choices = &mut self.choices;
        if let Ask::Read { len, .. } = ask {
            if choices.chance(self.short) {
                return Action::Short(choices.below(len) + 1);
            }
            if choices.chance(self.retry) {
                let errnos = [Errno::INTR, Errno::AGAIN, Errno::CANCELED];
                return Action::Fail(errnos[choices.below(3) as usize]);
            }
            let is_lost = choices.chance(self.lost);
            return if is_lost { Action::Fail(Errno::IO) } else { Action::Complete };
        }
        if let Ask::Alter(_) = ask {
            let errnos = [Errno::INTR, Errno::AGAIN, Errno::CANCELED];
            if choices.chance(self.retry) {
                return Action::Fail(errnos[choices.below(3) as usize]);
            }
            let is_refused = choices.chance(self.refused);
            let errnos = [Errno::NOSPC, Errno::OPNOTSUPP, Errno::IO, Errno::INVAL];
            let errno = errnos[choices.below(4) as usize];
            return if is_refused { Action::Fail(errno) } else { Action::Complete };
        }
        let Ask::Write { len, kind, .. } = ask else {
            if choices.chance(self.sync_lost) {
                let errnos = [Errno::IO, Errno::NOSPC, Errno::CANCELED, Errno::DQUOT];
                return Action::Fail(errnos[choices.below(4) as usize]);
            }
            return Action::Complete;
        };
        let fail = |errno: Errno, choices: &mut Choices| {
            if choices.chance(500) {
                Action::Fail(errno)
            } else {
                Action::Torn(choices.below(len + 1), errno)
            }
        };
        if choices.chance(self.short) {
            return Action::Short(choices.below(len) + 1);
        }
        if choices.chance(self.retry) {
            let errnos = [Errno::INTR, Errno::AGAIN, Errno::CANCELED];
            return Action::Fail(errnos[choices.below(3) as usize]);
        }
        if choices.chance(self.refused) {
            let errnos = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::INVAL];
            return fail(errnos[choices.below(4) as usize], choices);
        }
        if choices.chance(self.lost) {
            // EIO, EROFS.
            let errnos = [Errno::IO, Errno::new(30)];
            return fail(errnos[choices.below(2) as usize], choices);
        }
        if kind == WriteKind::Durable && choices.chance(self.sync_lost) {
            let errnos = [Errno::IO, Errno::NOSPC, Errno::INTR, Errno::DQUOT];
            return Action::Torn(len, errnos[choices.below(4) as usize]);
        }
        Action::Complete
    }
}
