//! [`Watch`]: the system calls of one thread that an allow-list does not name.
//!
//! The list is a seccomp(2) filter, arguments included, so the kernel judges; what the list does
//! not name is held (SECCOMP_RET_USER_NOTIF), recorded with its arguments by a thread that listens,
//! and then carried out. A program under watch therefore behaves as it would without, and a call is
//! in the record before it returns. An empty list records every call.
//!
//! Invariant: between the installation of the filter and the first call that is let through, the
//! watched thread makes no call but one that the listener is ready for; so the listener is started
//! first, by a thread that is not filtered yet, and is handed the descriptor through memory.
//!
//! # Safety
//! The ioctls read and write structures of the kernel's layout that live until they return.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    thread,
    time::Duration,
};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule,
};

use super::filter::compile;

/// The calls that are allowed: by number; each with the rules of which one must hold, or none.
pub type Allowed = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// A system call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// `SYS_*`.
    pub number: libc::c_long,
    /// As the kernel got them.
    pub arguments: [u64; 6],
}

/// That the low half of argument `index` is `value`, in the bits of `mask`.
///
/// # Panics
/// If there is no such argument.
pub fn argument(index: u8, mask: u64, value: u64) -> SeccompCondition {
    let equal = SeccompCmpOp::MaskedEq(mask);
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, equal, value).expect("0 to 5")
}

/// That all of `conditions` hold, of which there is at least one.
///
/// # Panics
/// If there is none.
pub fn all(conditions: Vec<SeccompCondition>) -> SeccompRule {
    SeccompRule::new(conditions).expect("a condition")
}

/// No descriptor yet, and none to come.
const NOT_YET: i32 = -1;
const NEVER: i32 = -2;

/// What is watched, until the calling thread ends.
#[derive(Clone, Debug)]
pub struct Watch {
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Watch {
    /// Records, for the rest of the calling thread's life, every call that `allowed` does not name.
    ///
    /// # Errors
    /// Those of seccomp(2); EBUSY: the thread is watched already.
    pub fn outside(allowed: Allowed) -> io::Result<Self> {
        Self::install(compile(allowed, SeccompAction::Allow, MARKED)?)
    }

    /// Records, for the rest of the calling thread's life, the calls with this number only.
    ///
    /// # Errors
    /// As [`Watch::outside`].
    pub fn of(number: libc::c_long) -> io::Result<Self> {
        Self::install(compile([(number, vec![])].into(), MARKED, SeccompAction::Allow)?)
    }

    fn install(mut program: BpfProgram) -> io::Result<Self> {
        // The compiler of filters has no word for this action: another stands for it until here.
        let return_value = (libc::BPF_RET | libc::BPF_K) as u16;
        for line in program.iter_mut().filter(|line| line.code == return_value) {
            if line.k == u32::from(MARKED.clone()) {
                line.k = libc::SECCOMP_RET_USER_NOTIF;
            }
        }
        let descriptor = Arc::new(AtomicI32::new(NOT_YET));
        let watch = Self { calls: Arc::default() };
        let (theirs, record) = (Arc::clone(&descriptor), watch.clone());
        drop(thread::spawn(move || listen(&theirs, &record)));
        let installed = install(&mut program);
        descriptor.store(*installed.as_ref().unwrap_or(&NEVER), Ordering::SeqCst);
        installed.map(|_| watch)
    }

    /// What was recorded since the last time, oldest first.
    pub fn take(&self) -> Vec<Call> {
        mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

const MARKED: SeccompAction = SeccompAction::Trace(0xCA11);

/// Installs `program` for the calling thread. Returns the descriptor to listen on.
fn install(program: &mut BpfProgram) -> io::Result<i32> {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr().cast::<libc::sock_filter>(),
    };
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let operation = libc::c_long::from(libc::SECCOMP_SET_MODE_FILTER);
    // A call that is held goes out again when its thread is interrupted, as a completion of
    // io_uring does it, and would be recorded twice: not once it has been received, where the
    // kernel has the second flag (5.19).
    let listens = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    for flags in [listens | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listens] {
        let flags = flags as libc::c_long;
        // SAFETY: `filter` and the program that it points to are readable during the call.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const filter) };
        if result >= 0 {
            return Ok(result as i32);
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) {
            break;
        }
    }
    Err(io::Error::last_os_error())
}

/// Records calls until the watched thread has ended.
fn listen(descriptor: &AtomicI32, record: &Watch) {
    let listener = loop {
        match descriptor.load(Ordering::SeqCst) {
            NOT_YET => thread::sleep(Duration::from_micros(100)),
            NEVER => return,
            // SAFETY: the descriptor is new and nobody else's.
            number => break unsafe { OwnedFd::from_raw_fd(number) },
        }
    };
    while let Some((id, call)) = receive(&listener) {
        record.add(call);
        let_through(&listener, id);
    }
}

/// The next call and its id. `None` once the watched thread has ended.
fn receive(listener: &OwnedFd) -> Option<(u64, Call)> {
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
        let mut notice: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the request writes one such structure.
        if unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice)
        } == 0
        {
            let number = libc::c_long::from(notice.data.nr);
            return Some((notice.id, Call { number, arguments: notice.data.args }));
        }
    }
}

fn let_through(listener: &OwnedFd, id: u64) {
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let mut response = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
    // SAFETY: the request reads one such structure.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
}
