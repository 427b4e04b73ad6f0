//! Why a call was refused: [`StorageIoError`].
//!
//! A refused call leaves no trace: no token was used, no buffer taken, no byte written.

use crate::errno::Errno;

/// Why a call of the interface was refused.
///
/// `QueueFull` and `BufferExhausted` mean *later*: poll for completions and try again. If nothing
/// is pending, delivered reads hold what is missing, and one must be released
/// ([`FileStatus::kept_reads`](crate::FileStatus::kept_reads)). Everything else stays until the
/// caller changes something.
///
/// ```
/// use ringzero_core::StorageIoError;
///
/// /// Whether the same call may succeed after a poll.
/// fn is_temporary(error: StorageIoError) -> bool {
///     match error {
///         StorageIoError::QueueFull | StorageIoError::BufferExhausted => true,
///         StorageIoError::Io(_) | StorageIoError::BadFd | StorageIoError::Closed => false,
///     }
/// }
/// assert!(is_temporary(StorageIoError::QueueFull));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror_no_std::Error)]
pub enum StorageIoError {
    /// No free slot (operations, file table), or a write beyond the tail while appends are
    /// outstanding. Poll, or release a read, then try again.
    #[error("no free slot: poll for completions and try again")]
    QueueFull,
    /// The operating system refused, the file failed earlier, or the request can never be carried
    /// out (EMSGSIZE, EFBIG, EINVAL).
    #[error("{0}")]
    Io(Errno),
    /// The handle was deregistered, or belongs to another backend.
    #[error("the file handle is not registered with this backend")]
    BadFd,
    /// The backend was shut down, or this is a forked child of the process that made it.
    #[error("the backend is closed")]
    Closed,
    /// No free block for the data. Poll, or release a read, then try again.
    #[error("no free buffer block: poll for completions and try again")]
    BufferExhausted,
}

impl core::error::Error for StorageIoError {}
