//! [`Notifier`] where this crate knows none: there never is one.

use std::{convert::Infallible, io, time::Duration};

/// None was ever made.
#[derive(Debug)]
pub(crate) struct Notifier(Infallible);

impl Notifier {
    /// Not here.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn notify(&self) {
        match self.0 {}
    }

    pub(crate) fn drain(&self) {
        match self.0 {}
    }

    pub(crate) fn sleep(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }
}
