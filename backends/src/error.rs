//! Errors of this crate's interface as `std::io::Error` and back, without loss.
//!
//! Functions and not `From`: both types belong to other crates. Not used on the hot path; an
//! `io::Error` that carries anything but an OS error number is allocated by std.

use std::io::{Error, ErrorKind};

use ringzero_core::{Errno, StorageIoError};

/// The same error as a `std::io::Error`.
///
/// `Io` becomes the raw OS error. Everything else keeps the [`StorageIoError`] inside, so that
/// [`from_io_error`] finds it again.
///
/// ```
/// use ringzero::{Errno, StorageIoError, from_io_error, to_io_error};
///
/// let error = to_io_error(StorageIoError::Io(Errno::NOSPC));
/// assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.number()));
/// assert_eq!(from_io_error(&error), Some(StorageIoError::Io(Errno::NOSPC)));
/// ```
pub fn to_io_error(error: StorageIoError) -> Error {
    let kind = match error {
        StorageIoError::Io(errno) => return Error::from_raw_os_error(errno.number()),
        StorageIoError::QueueFull | StorageIoError::BufferExhausted => ErrorKind::WouldBlock,
        StorageIoError::BadFd => ErrorKind::InvalidInput,
        StorageIoError::Closed => ErrorKind::BrokenPipe,
    };
    Error::new(kind, error)
}

/// What [`to_io_error`] was given; `None` for an error that neither came from it nor carries an OS
/// error number.
///
/// ```
/// use ringzero::{StorageIoError, from_io_error, to_io_error};
///
/// let error = to_io_error(StorageIoError::QueueFull);
/// assert_eq!(from_io_error(&error), Some(StorageIoError::QueueFull));
/// assert_eq!(from_io_error(&std::io::Error::other("another's")), None);
/// ```
pub fn from_io_error(error: &Error) -> Option<StorageIoError> {
    match error.raw_os_error() {
        Some(number) => Some(StorageIoError::Io(Errno::new(number))),
        None => error.get_ref()?.downcast_ref().copied(),
    }
}

/// The OS error number of `error`; [`Errno::IO`] if it has none.
///
/// ```
/// use ringzero::{Errno, errno_of};
///
/// assert_eq!(errno_of(&std::io::Error::from_raw_os_error(28)), Errno::new(28));
/// assert_eq!(errno_of(&std::io::Error::other("no number")), Errno::IO);
/// ```
pub fn errno_of(error: &Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_survives_the_way_there_and_back() {
        let all = [
            StorageIoError::QueueFull,
            StorageIoError::Io(Errno::new(1)),
            StorageIoError::Io(Errno::CANCELED),
            StorageIoError::BadFd,
            StorageIoError::Closed,
            StorageIoError::BufferExhausted,
        ];
        for error in all {
            assert_eq!(from_io_error(&to_io_error(error)), Some(error));
        }
    }

    #[test]
    fn errors_of_others_are_not_taken_for_ours() {
        assert_eq!(from_io_error(&Error::other("theirs")), None);
        assert_eq!(from_io_error(&ErrorKind::NotFound.into()), None);
        assert_eq!(errno_of(&Error::other("theirs")), Errno::IO);
        assert_eq!(errno_of(&Error::from_raw_os_error(28)), Errno::new(28));
    }
}
