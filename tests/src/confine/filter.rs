//! [`fail`]: system calls that fail on the calling thread (seccomp(2)).

use std::{collections::BTreeMap, env::consts::ARCH, io};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch};

/// Lets the system call `number` fail with `errno` for the rest of the calling thread's life, and
/// for the threads that it starts.
///
/// # Errors
/// Those of seccomp(2): the kernel may have been built without it.
pub fn fail(number: libc::c_long, errno: i32) -> io::Result<()> {
    let action = SeccompAction::Errno(errno as u32);
    let program = compile([(number, vec![])].into(), action, SeccompAction::Allow)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// A program with `action` for what `rules` name, else `otherwise`.
pub(super) fn compile(
    rules: BTreeMap<libc::c_long, Vec<SeccompRule>>,
    action: SeccompAction,
    otherwise: SeccompAction,
) -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, action, architecture);
    filter.and_then(BpfProgram::try_from).map_err(io::Error::other)
}
