//! io_uring for `open`: set up, tried out, and what it does without.

use crate::{
    config::Config,
    open::Opened,
    probe,
    report::{BackendKind, Report},
    setup_error::SetupError,
    uring::UringBackend,
};

/// Tries out a small twin, and sets up the caller's own.
///
/// # Errors
/// Every `SetupError` but `NotOnThisPlatform`.
pub(crate) fn open(config: &Config) -> Result<Opened, SetupError> {
    let mut twin = UringBackend::new(&probe::twin_of(config))?;
    probe::exercise(&mut twin)?;
    drop(twin);
    let backend = UringBackend::new(config)?;
    let kind = BackendKind::Uring(config.uring.mode);
    let notes = backend.notes().to_vec();
    Ok(Opened {
        io: Box::new(backend),
        report: Report { backend: kind, downgrades: vec![], notes },
    })
}
