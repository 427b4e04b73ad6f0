//! Operating-system error numbers as a value: [`Errno`].
//!
//! The engine decides by error number (is there room on the device? may the file go on?), so it has
//! to know a handful of them without `std` or `libc`. This is the one file of the core that differs
//! by platform; everything else names the constants below.
//!
//! On Unix the numbers are errno(3). On Windows they are the system error codes that
//! `std::io::Error::raw_os_error` uses there. On a bare-metal target they are Linux's.

/// A positive operating-system error number.
///
/// Lossless both ways with `std::io::Error::{from_raw_os_error, raw_os_error}`.
///
/// ```
/// use ringzero_core::Errno;
///
/// assert_eq!(Errno::new(-1).number(), Errno::IO.number(), "no error number: EIO");
/// assert!(Errno::NOSPC.keeps_file_usable());
/// assert!(!Errno::IO.keeps_file_usable());
/// assert_eq!(Errno::IO.name(), Some("EIO"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

impl Errno {
    /// The error with this number. Zero and negative numbers are no errors and become
    /// [`Errno::IO`], so that a mistake of an executor can never read as success.
    #[inline]
    pub const fn new(number: i32) -> Self {
        if number > 0 { Self(number) } else { Self::IO }
    }

    /// The positive number.
    #[inline]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Whether a *write* that fails with this error leaves the file usable: the device or quota is
    /// full (ENOSPC, EDQUOT), the file may not grow (EFBIG), or the request was malformed (EINVAL).
    /// After any other error the state of the file's bytes is unknown and the file is failed.
    #[inline]
    pub const fn keeps_file_usable(self) -> bool {
        matches!(self, Self::NOSPC | Self::DQUOT | Self::FBIG | Self::INVAL)
    }

    /// The symbolic name, where this library knows it.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::AGAIN => "EAGAIN",
            Self::BADF => "EBADF",
            Self::BUSY => "EBUSY",
            Self::CANCELED => "ECANCELED",
            Self::DQUOT => "EDQUOT",
            Self::EXIST => "EEXIST",
            Self::FBIG => "EFBIG",
            Self::INTR => "EINTR",
            Self::INVAL => "EINVAL",
            Self::IO => "EIO",
            Self::MSGSIZE => "EMSGSIZE",
            Self::NOSPC => "ENOSPC",
            Self::OPNOTSUPP => "EOPNOTSUPP",
            Self::TIMEDOUT => "ETIMEDOUT",
            _ => return None,
        })
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (os error {})", self.0),
            None => write!(f, "os error {}", self.0),
        }
    }
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

macro_rules! numbers {
    ($( $(#[$doc:meta])* $name:ident = $number:expr; )*) => {
        impl Errno {
            $( $(#[$doc])* pub const $name: Self = Self($number); )*
        }
    };
}

#[cfg(not(any(
    windows,
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
)))]
mod number {
    pub(super) const AGAIN: i32 = 11;
    pub(super) const CANCELED: i32 = 125;
    pub(super) const DQUOT: i32 = 122;
    pub(super) const MSGSIZE: i32 = 90;
    pub(super) const OPNOTSUPP: i32 = 95;
    pub(super) const TIMEDOUT: i32 = 110;
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
))]
mod number {
    pub(super) const AGAIN: i32 = 35;
    // The BSDs agree on all but this one.
    pub(super) const CANCELED: i32 = if cfg!(target_vendor = "apple") {
        89
    } else if cfg!(target_os = "openbsd") {
        88
    } else if cfg!(target_os = "netbsd") {
        87
    } else {
        85
    };
    pub(super) const DQUOT: i32 = 69;
    pub(super) const MSGSIZE: i32 = 40;
    pub(super) const OPNOTSUPP: i32 = if cfg!(target_vendor = "apple") { 102 } else { 45 };
    pub(super) const TIMEDOUT: i32 = 60;
}

#[cfg(not(windows))]
numbers! {
    /// An interrupted call: retried inside.
    INTR = 4;
    /// Input/output error.
    IO = 5;
    /// The descriptor is not open for what was asked.
    BADF = 9;
    /// Try again: retried inside.
    AGAIN = number::AGAIN;
    /// The same file is registered already.
    BUSY = 16;
    /// Used from a thread other than the one the backend is bound to.
    EXIST = 17;
    /// The request cannot be carried out on this file.
    INVAL = 22;
    /// The file may not grow that far.
    FBIG = 27;
    /// No space left on the device.
    NOSPC = 28;
    /// Larger than anything that can ever fit.
    MSGSIZE = number::MSGSIZE;
    /// The file, or the system, cannot do that.
    OPNOTSUPP = number::OPNOTSUPP;
    /// Not finished by the deadline; the outcome is unknown.
    TIMEDOUT = number::TIMEDOUT;
    /// The quota is used up.
    DQUOT = number::DQUOT;
    /// Never executed, because something accepted earlier failed.
    CANCELED = number::CANCELED;
}

#[cfg(windows)]
numbers! {
    /// An interrupted call (ERROR_RETRY has the same meaning to the engine): retried inside.
    INTR = 1236;
    /// ERROR_IO_DEVICE.
    IO = 1117;
    /// ERROR_INVALID_HANDLE: the handle is not open for what was asked.
    BADF = 6;
    /// ERROR_RETRY: retried inside.
    AGAIN = 1237;
    /// ERROR_BUSY: the same file is registered already.
    BUSY = 170;
    /// ERROR_ALREADY_EXISTS: used from a thread other than the one the backend is bound to.
    EXIST = 183;
    /// ERROR_INVALID_PARAMETER: the request cannot be carried out on this file.
    INVAL = 87;
    /// ERROR_FILE_TOO_LARGE: the file may not grow that far.
    FBIG = 223;
    /// ERROR_DISK_FULL.
    NOSPC = 112;
    /// ERROR_BUFFER_OVERFLOW: larger than anything that can ever fit.
    MSGSIZE = 111;
    /// ERROR_NOT_SUPPORTED: the file, or the system, cannot do that.
    OPNOTSUPP = 50;
    /// ERROR_TIMEOUT: not finished by the deadline; the outcome is unknown.
    TIMEDOUT = 1460;
    /// ERROR_DISK_QUOTA_EXCEEDED.
    DQUOT = 1295;
    /// ERROR_OPERATION_ABORTED: never executed, because something accepted earlier failed.
    CANCELED = 995;
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn only_full_devices_and_refused_requests_keep_a_file_usable() {
        for e in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::INVAL] {
            assert!(e.keeps_file_usable(), "{e}");
        }
        for e in [Errno::IO, Errno::AGAIN, Errno::INTR, Errno::BADF, Errno::new(116)] {
            assert!(!e.keeps_file_usable(), "{e}");
        }
    }

    #[test]
    fn no_number_reads_as_success() {
        assert_eq!(Errno::new(0), Errno::IO);
        assert_eq!(Errno::new(-28), Errno::IO);
        assert_eq!(Errno::new(28).number(), 28);
    }
}
