//! Stands in for io_uring where the operating system has none.

use crate::{config::Config, open::Opened, setup_error::SetupError};

/// No ring.
///
/// # Errors
/// Always.
pub(crate) fn open(_config: &Config) -> Result<Opened, SetupError> {
    Err(SetupError::NotOnThisPlatform)
}
