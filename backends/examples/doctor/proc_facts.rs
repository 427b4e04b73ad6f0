//! What the files of `/proc` say (proc(5)). Pure.

/// A soft limit of `/proc/self/limits`, in bytes; `u64::MAX` is none.
pub(crate) fn limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// A size of `/proc/meminfo`, in bytes.
pub(crate) fn memory(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// What follows a name in `/proc/self/status`.
pub(crate) fn status<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim())
}

/// Whether a set of signals, as `/proc/self/status` has them, holds this one.
pub(crate) fn has_signal(set: &str, signal: u32) -> Option<bool> {
    let bits = u64::from_str_radix(set, 16).ok()?;
    Some(bits & (1 << (signal - 1)) != 0)
}

/// What the values of the sysctl `kernel.io_uring_disabled` mean (since Linux 6.6).
pub(crate) fn uring_switch(value: &str) -> &'static str {
    match value.trim() {
        "0" => "0: io_uring is for everyone",
        "1" => "1: io_uring is for CAP_SYS_ADMIN and the group kernel.io_uring_group only",
        "2" => "2: io_uring is switched off",
        _ => "not known",
    }
}

/// What the values of `Seccomp` in `/proc/self/status` mean.
pub(crate) fn seccomp_mode(value: &str) -> &'static str {
    match value {
        "0" => "no filter",
        "1" => "strict",
        "2" => "a filter is on: it may refuse io_uring",
        _ => "not known",
    }
}
