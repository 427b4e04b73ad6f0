//! Why a backend could not be set up: [`SetupError`]. Each variant's text says what to do.

use ringzero_core::Errno;

use crate::{config::ConfigError, platform::number};

/// Why a backend could not be set up.
///
/// What io_uring_setup(2) and the calls after it answer, or the start of a thread, told apart by
/// what helps.
///
/// ```
/// use ringzero::{Choice, Config, SetupError, open};
///
/// match open(&Config { backend: Choice::Uring, ..Config::default() }) {
///     Ok(_) => println!("io_uring it is"),
///     Err(SetupError::Forbidden) => println!("ask whoever runs this container"),
///     Err(reason) => println!("{reason}"), // the text says what to do
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror_no_std::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The configuration is out of range.
    #[error("the configuration is out of range: {0}")]
    Config(ConfigError),
    /// The memory of the tables or blocks could not be had.
    #[error("no memory for tables and blocks ({0}): lower the limits of the configuration")]
    Memory(Errno),
    /// ENOSYS, or a kernel without a feature that the backend needs.
    #[error("this kernel does not have it: Linux 5.12 or newer with io_uring is needed")]
    Unsupported,
    /// EPERM: forbidden for this process.
    #[error(
        "forbidden for this process (EPERM): see the sysctl kernel.io_uring_disabled, and the \
         seccomp filter of the container"
    )]
    Forbidden,
    /// EACCES: refused by a security module.
    #[error("access denied (EACCES): a security module refuses it to this process")]
    AccessDenied,
    /// EMFILE or ENFILE: no descriptor left.
    #[error("no file descriptor left: raise the limit on open files (ulimit -n)")]
    DescriptorsExhausted,
    /// ENOMEM: the kernel's memory or the memlock limit does not suffice.
    #[error(
        "the kernel grants no more memory (ENOMEM): raise the memlock limit (ulimit -l) or lower \
         the limits of the configuration"
    )]
    MemoryLimit,
    /// EINVAL: the kernel knows none of the combinations of flags tried.
    #[error("the kernel refuses every combination of flags (EINVAL): try UringMode::Interrupt")]
    FlagsRefused,
    /// Set up, but the requests of the probe were cancelled: no kernel worker starts.
    #[error(
        "it was set up, but no kernel worker could start: raise the limit on processes \
         (ulimit -u, or pids.max of the control group)"
    )]
    NoWorkers,
    /// EAGAIN of clone(2): no thread could be started.
    #[error(
        "no thread could be started (EAGAIN): raise the limit on processes (ulimit -u, or pids.max \
         of the control group)"
    )]
    NoThread,
    /// Set up, but a write or sync of the probe failed.
    #[error("it was set up, but a write and a sync of a temporary file failed: {0}")]
    ProbeFailed(Errno),
    /// This operating system does not have it.
    #[error("this operating system does not have it")]
    NotOnThisPlatform,
    /// Anything else.
    #[error("the operating system refused: {0}")]
    Other(Errno),
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for SetupError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl SetupError {
    /// What the error of a call that sets up a ring means (io_uring_setup(2),
    /// io_uring_register(2)).
    pub(crate) fn from_errno(errno: Errno) -> Self {
        match errno.number() {
            number::NOSYS => Self::Unsupported,
            number::PERM => Self::Forbidden,
            number::ACCES => Self::AccessDenied,
            number::MFILE | number::NFILE => Self::DescriptorsExhausted,
            number::NOMEM => Self::MemoryLimit,
            number::INVAL => Self::FlagsRefused,
            _ => Self::Other(errno),
        }
    }

    /// What it means that a thread could not be started (pthread_create(3)).
    pub(crate) fn of_thread(errno: Errno) -> Self {
        match errno.number() {
            number::AGAIN => Self::NoThread,
            number::NOMEM => Self::Memory(errno),
            _ => Self::Other(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_apart() {
        let reasons = [
            (number::NOSYS, SetupError::Unsupported),
            (number::PERM, SetupError::Forbidden),
            (number::ACCES, SetupError::AccessDenied),
            (number::MFILE, SetupError::DescriptorsExhausted),
            (number::NFILE, SetupError::DescriptorsExhausted),
            (number::NOMEM, SetupError::MemoryLimit),
            (number::INVAL, SetupError::FlagsRefused),
            (Errno::IO.number(), SetupError::Other(Errno::IO)),
        ];
        for (errno, reason) in reasons {
            assert_eq!(SetupError::from_errno(Errno::new(errno)), reason);
        }
    }

    #[test]
    fn a_thread_that_cannot_start_says_what_helps() {
        let again = Errno::new(number::AGAIN);
        assert_eq!(SetupError::of_thread(again), SetupError::NoThread);
        assert!(SetupError::NoThread.to_string().contains("ulimit -u"));
        assert_eq!(SetupError::of_thread(Errno::IO), SetupError::Other(Errno::IO));
    }
}
