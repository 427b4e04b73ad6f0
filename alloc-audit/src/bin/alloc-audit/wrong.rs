//! What was not as it must be: [`Wrong`], and the two questions that find it.
//!
//! Made inside zones, so nothing here allocates: text is static, and is put together when printed.

use std::{fmt, panic::Location};

use ringzero::StorageIoError;

/// An answer that is not the right one, and the line that asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrong {
    what: &'static str,
    found: Found,
    place: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum Found {
    Untrue,
    Number { found: i64, expected: i64 },
    Answer { found: Option<StorageIoError>, expected: Option<StorageIoError> },
}

impl Wrong {
    #[track_caller]
    pub(crate) fn untrue(what: &'static str) -> Self {
        Self { what, found: Found::Untrue, place: Location::caller() }
    }

    /// A call was answered with `found`, or accepted if that is `None`.
    #[track_caller]
    pub(crate) fn answer(
        what: &'static str,
        found: Option<StorageIoError>,
        expected: Option<StorageIoError>,
    ) -> Self {
        Self { what, found: Found::Answer { found, expected }, place: Location::caller() }
    }
}

/// A call that had to succeed did not.
impl From<StorageIoError> for Wrong {
    #[track_caller]
    fn from(error: StorageIoError) -> Self {
        Self::answer("a call", Some(error), None)
    }
}

/// `what` must be so.
///
/// # Errors
/// It is not.
#[track_caller]
pub(crate) fn ensure(is_so: bool, what: &'static str) -> Result<(), Wrong> {
    if is_so { Ok(()) } else { Err(Wrong::untrue(what)) }
}

/// Both numbers must be the same.
///
/// # Errors
/// They are not.
#[track_caller]
pub(crate) fn equal(what: &'static str, found: i64, expected: i64) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    let found = Found::Number { found, expected };
    Err(Wrong { what, found, place: Location::caller() })
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match self.found {
            Found::Untrue => write!(f, ": not so")?,
            Found::Number { found, expected } => write!(f, ": {found}, expected {expected}")?,
            Found::Answer { found, expected } => {
                write!(f, ": {}, expected {}", Spelled(found), Spelled(expected))?;
            }
        }
        write!(f, " ({}:{})", self.place.file(), self.place.line())
    }
}

struct Spelled(Option<StorageIoError>);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(error) => write!(f, "{error:?}"),
            None => f.write_str("accepted"),
        }
    }
}
