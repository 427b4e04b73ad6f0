//! Running the tools of the system, and what they complained of.

use std::{io, process::Command};

/// Runs it to its end and returns its exit code.
///
/// # Errors
/// It could not be started; it was killed; its code is above `highest_code`. With its complaint.
pub(super) fn run(command: &mut Command, highest_code: i32) -> io::Result<()> {
    let program = command.get_program().to_owned();
    let missing = |error: io::Error| io::Error::new(error.kind(), format!("{program:?}: {error}"));
    let output = command.output().map_err(missing)?;
    if output.status.code().is_some_and(|code| code <= highest_code) {
        return Ok(());
    }
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    Err(io::Error::other(format!("{command:?}: {}: {err} {out}", output.status)))
}
