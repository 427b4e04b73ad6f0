//! Filters on system calls (seccomp(2)) for the calling thread: some fail, or are counted.
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// What a filter does with a call.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Fail(i32),
    Count,
}

impl Action {
    fn value(self) -> u32 {
        match self {
            Self::Fail(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Self::Count => libc::SECCOMP_RET_USER_NOTIF,
        }
    }
}

/// Installs a filter for the rest of the calling thread's life: `action` for the system call
/// `number`, everything else as before. Returns a descriptor to listen on if it counts.
///
/// # Errors
/// Those of seccomp(2): the kernel may have been built without it.
fn install(number: libc::c_long, action: Action) -> io::Result<i32> {
    const OF_NUMBER: u32 = 0;
    let [load, jump, end] = [
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    ]
    .map(|code| code as u16);
    let mut program = [
        libc::sock_filter { code: load, jt: 0, jf: 0, k: OF_NUMBER },
        libc::sock_filter { code: jump, jt: 0, jf: 1, k: number as u32 },
        libc::sock_filter { code: end, jt: 0, jf: 0, k: action.value() },
        libc::sock_filter { code: end, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let flags = match action {
        Action::Fail(_) => 0,
        Action::Count => libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
    };
    let operation = libc::c_long::from(libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: `filter` and the program it points to are readable during the call.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, operation, flags as libc::c_long, &raw const filter)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// Lets the system call `number` of this thread fail with `errno` from now on.
pub(crate) fn fail(number: libc::c_long, errno: i32) -> io::Result<()> {
    install(number, Action::Fail(errno)).map(|_| ())
}

/// Counts the system call `number` of this thread from now on. Each call is let through after it
/// was counted.
pub(crate) fn count(number: libc::c_long) -> io::Result<Arc<AtomicU64>> {
    let listener = install(number, Action::Count)?;
    // SAFETY: the descriptor is new and nobody else's.
    let listener = unsafe { OwnedFd::from_raw_fd(listener) };
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    thread::spawn(move || {
        while let Some(id) = receive(&listener) {
            counter.fetch_add(1, Ordering::SeqCst);
            let_through(&listener, id);
        }
    });
    Ok(calls)
}

/// The next call. `None` once the thread with the filter has ended.
fn receive(listener: &OwnedFd) -> Option<u64> {
    loop {
        let mut ready = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd to read and write.
        unsafe { libc::poll(&raw mut ready, 1, -1) };
        if ready.revents & libc::POLLIN == 0 {
            if ready.revents & libc::POLLHUP != 0 {
                return None;
            }
            continue;
        }
        // SAFETY: a structure of integers, for which zero is valid, and which must be zero.
        let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes one such structure.
        if unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call)
        } == 0
        {
            return Some(call.id);
        }
    }
}

fn let_through(listener: &OwnedFd, id: u64) {
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let mut response = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
    // SAFETY: the request reads one such structure.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
}
