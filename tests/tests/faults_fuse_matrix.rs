//! Every kind of fault, on every kind of operation, on every backend and mode: one line per cell
//! with how many faults were injected and how the operation ended.
//!
//! `cargo test -p ringzero-tests --test faults_fuse_matrix -- --nocapture | grep matrix`
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | a failed data-sync, a lost write fails the file; no sync is tried again | all modes |
//! | continuation; retries; ECANCELED is EIO in the end | all modes |
//! | failures are noted for syncs; the tail is put back | all modes |
//! | what is behind a failed append is cancelled | all but `sync` |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::Setup,
    fuse::{self, Action, Fused, Of, Rule},
    random::bytes,
    real::{InMode, Mode},
    session::Session,
};

const ROFS: Errno = Errno::new(30);
const ROUNDS: u64 = 3;

/// What is done while the fault waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Write,
    Append,
    Datasync,
}

/// What the contract says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// As if nothing had happened.
    Good,
    /// The operation fails, the file goes on: the first datasync reports it without a call.
    Refused(Errno),
    /// The operation fails and the file with it: no further request.
    Failed(Errno),
}

struct Fault {
    name: &'static str,
    action: Action,
    times: u32,
    /// Of a write or append.
    of_write: Ending,
    /// Of a datasync.
    of_sync: Ending,
}

const fn passing(name: &'static str, errno: Errno, times: u32, of_write: Ending) -> Fault {
    let of_sync =
        Ending::Failed(if errno.number() == Errno::CANCELED.number() { Errno::IO } else { errno });
    Fault { name, action: Action::Fail(errno), times, of_write, of_sync }
}

const fn refusing(name: &'static str, errno: Errno) -> Fault {
    let (action, of_sync) = (Action::Fail(errno), Ending::Failed(errno));
    Fault { name, action, times: 1, of_write: Ending::Refused(errno), of_sync }
}

const fn losing(name: &'static str, action: Action, errno: Errno) -> Fault {
    let (of_write, of_sync) = (Ending::Failed(errno), Ending::Failed(errno));
    Fault { name, action, times: 1, of_write, of_sync }
}

const MANY: u32 = 1_000;

const FAULTS: [Fault; 15] = [
    Fault {
        name: "short, three times",
        action: Action::Short(150),
        times: 3,
        of_write: Ending::Good,
        of_sync: Ending::Good,
    },
    passing("EINTR, three times", Errno::INTR, 3, Ending::Good),
    passing("EAGAIN, three times", Errno::AGAIN, 3, Ending::Good),
    passing("ECANCELED, three times", Errno::CANCELED, 3, Ending::Good),
    passing("EINTR for ever", Errno::INTR, MANY, Ending::Failed(Errno::INTR)),
    passing("EAGAIN for ever", Errno::AGAIN, MANY, Ending::Failed(Errno::AGAIN)),
    passing("ECANCELED for ever", Errno::CANCELED, MANY, Ending::Failed(Errno::IO)),
    refusing("ENOSPC", Errno::NOSPC),
    refusing("EDQUOT", Errno::DQUOT),
    refusing("EFBIG", Errno::FBIG),
    refusing("EINVAL", Errno::INVAL),
    losing("EIO", Action::Fail(Errno::IO), Errno::IO),
    losing("EIO, torn", Action::Torn(200, Errno::IO), Errno::IO),
    losing("EROFS", Action::Fail(ROFS), ROFS),
    Fault {
        name: "ENOSPC, torn",
        action: Action::Torn(200, Errno::NOSPC),
        times: 1,
        of_write: Ending::Refused(Errno::NOSPC),
        of_sync: Ending::Failed(Errno::NOSPC),
    },
];

const INITIAL: usize = 2_000;
const LEN: usize = 600;

/// One operation under one fault, from an open file to a closed one, and what the contract says.
fn cell<M: Mode>(s: &mut Session<Fused<M>>, operation: Operation, fault: &Fault, id: u64) {
    let context = format!("{}: {operation:?} under {}", M::NAME, fault.name);
    let shared = s.shared();
    let fd = s.open_anew("file", &bytes(7, 0, INITIAL));
    let first = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(first), 0, "{context}");
    let of = if operation == Operation::Datasync { Of::Syncs } else { Of::Writes };
    shared.script(Rule::times("file", of, fault.action, fault.times));
    let offset = if operation == Operation::Append { INITIAL as u64 } else { 300 };
    let data = bytes(id, offset, LEN);
    let (token, full, ending) = match operation {
        Operation::Write => (s.write(fd, &data, offset).unwrap(), LEN as i32, fault.of_write),
        Operation::Append => (s.append(fd, &data).unwrap(), LEN as i32, fault.of_write),
        Operation::Datasync => (s.sync(fd).unwrap(), 0, fault.of_sync),
    };
    let result = s.wait_for(token);
    shared.state().rules.clear();
    let calls = shared.sync_count("file");
    match ending {
        Ending::Good => {
            assert_eq!(result, full, "{context}");
            let sync = s.sync(fd).unwrap();
            assert_eq!(s.wait_for(sync), 0, "{context}");
        }
        Ending::Refused(errno) => {
            assert_eq!(result, -errno.number(), "{context}");
            let reports = s.sync(fd).unwrap();
            assert_eq!(s.wait_for(reports), -errno.number(), "{context}");
            assert_eq!(shared.sync_count("file"), calls, "{context}: reported without a call");
            let speaks = s.sync(fd).unwrap();
            assert_eq!(s.wait_for(speaks), 0, "{context}");
            if operation == Operation::Append {
                assert_eq!(s.append(fd, b"x"), Err(StorageIoError::Io(errno)), "{context}");
                assert_eq!(s.io.resume_append(fd), Ok(offset), "{context}");
            }
            let again = s.write(fd, b"goes on", 0).unwrap();
            assert_eq!(s.wait_for(again), 7, "{context}");
        }
        Ending::Failed(errno) => {
            assert_eq!(result, -errno.number(), "{context}");
            let refused = Err(StorageIoError::Io(errno));
            assert_eq!(s.write(fd, b"x", 0), refused, "{context}");
            assert_eq!([s.append(fd, b"x"), s.sync(fd)], [refused; 2], "{context}");
            assert_eq!(shared.sync_count("file"), calls, "{context}: no call after the failure");
        }
    }
    close(s, fd, operation, ending, &data, &context);
}

/// Closes the file and looks at each of its bytes.
fn close<M: Mode>(
    s: &mut Session<Fused<M>>,
    fd: IoFd,
    operation: Operation,
    ending: Ending,
    data: &[u8],
    context: &str,
) {
    s.io.deregister_fd(fd).unwrap();
    let found = s.shared().read("file");
    let mut expected = bytes(7, 0, INITIAL);
    if matches!(ending, Ending::Refused(_)) {
        expected[..7].copy_from_slice(b"goes on");
    }
    let begin = if operation == Operation::Append { INITIAL } else { 300 };
    match (operation, ending) {
        (Operation::Datasync, _) => {}
        (_, Ending::Good) => {
            expected.resize(expected.len().max(begin + LEN), 0);
            expected[begin..begin + LEN].copy_from_slice(data);
        }
        // Any of its bytes, in its own range; an append is cut off if the file goes on.
        (_, Ending::Refused(_) | Ending::Failed(_)) => {
            let end = found.len().min(begin + LEN);
            let is_lost = matches!(ending, Ending::Failed(_));
            expected.resize(expected.len().max(if is_lost { end } else { 0 }), 0);
            for at in begin..end {
                if found[at] == data[at - begin] {
                    expected[at] = found[at];
                }
            }
        }
    }
    assert!(found == expected, "{context}: {} bytes", found.len());
}

fn every_fault_on_every_operation_ends_as_promised<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let mut total = 0;
    for operation in [Operation::Write, Operation::Append, Operation::Datasync] {
        for fault in &FAULTS {
            let ending = match operation {
                Operation::Datasync => fault.of_sync,
                Operation::Write | Operation::Append => fault.of_write,
            };
            if operation == Operation::Datasync && matches!(fault.action, Action::Short(_)) {
                continue;
            }
            let before = s.shared().state().fault_count;
            for id in 0..ROUNDS {
                cell(&mut s, operation, fault, 20 + id);
            }
            let count = s.shared().state().fault_count - before;
            total += count;
            let [name, what, how] = [F::NAME, fault.name, &format!("{ending:?}")];
            println!("matrix | {name} | {operation:?} | {what} | {count} injected | {how}");
            assert!(count >= ROUNDS, "control: {what} happened {count} times");
        }
    }
    println!("matrix | {} | all | {total} injected", F::NAME);
}

conformance!(@real every_fault_on_every_operation_ends_as_promised);
