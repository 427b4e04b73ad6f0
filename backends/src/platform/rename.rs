//! A rename that replaces nothing, where the system has none: a look first.
//!
//! Not atomic: what is made under the new name between the look and the rename is replaced.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

/// Renames `from` to `to`, unless there was something of that name a moment before.
///
/// # Errors
/// `AlreadyExists`: nothing was changed. Others of the system's calls.
pub(crate) fn rename_after_look(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("from"), "new").unwrap();
        fs::write(path("to"), "old").unwrap();
        let error = rename_after_look(&path("from"), &path("to")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(path("to")).unwrap(), b"old");
        rename_after_look(&path("from"), &path("other")).unwrap();
        assert_eq!(fs::read(path("other")).unwrap(), b"new");
    }
}
