//! Guarantee 7: failure is sticky where it must be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{
    Errno, IoCompletion, IoFd, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    fixture::{Fixture, Place, Scripted, Setup},
    script::{Action, Of, Rule},
    session::Session,
};

type Plain = Session<Scripted<false>>;

const CANCELED: i32 = -Errno::CANCELED.number();

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

fn assert_refused(s: &mut Plain, fd: IoFd, errno: Errno) {
    let refused = Err(StorageIoError::Io(errno));
    assert_eq!(s.write(fd, b"x", 0), refused);
    assert_eq!(s.write(fd, &[], 0), refused);
    assert_eq!(s.append(fd, b"x"), refused);
    assert_eq!(s.sync(fd), refused);
    assert_eq!(s.io.resume_append(fd), refused);
    assert_eq!(s.io.can_accept(fd, 1), refused.map(|_| ()));
    assert_eq!(s.io.file_status(fd).unwrap().failed, Some(errno));
    assert_eq!(s.io.pending_count(), 0);
}

#[test]
fn a_failed_data_sync_fails_the_file_enospc_too() {
    for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::INVAL, Errno::INTR, Errno::AGAIN] {
        let (mut s, fd) = scripted();
        s.write(fd, b"x", 0).unwrap();
        let sync = s.sync(fd).unwrap();
        s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Fail(errno)));
        s.drain();
        assert_eq!(s.result(sync), -errno.number());
        assert_refused(&mut s, fd, errno);
        assert_eq!(s.fixture.disk.sync_count("file"), 1, "never retried");
    }
}

#[test]
fn a_write_error_that_leaves_the_bytes_unknown_fails_the_file() {
    for errno in [Errno::IO, Errno::new(30), Errno::BADF, Errno::new(116)] {
        for is_append in [false, true] {
            let (mut s, fd) = scripted();
            s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(errno)));
            let token = if is_append { s.append(fd, b"x") } else { s.write(fd, b"x", 0) };
            s.drain();
            assert_eq!(s.result(token.unwrap()), -errno.number());
            assert_refused(&mut s, fd, errno);
        }
    }
}

#[test]
fn a_full_device_does_not_fail_the_file() {
    for errno in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::INVAL] {
        let (mut s, fd) = scripted();
        s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(errno)));
        let failed = s.write(fd, b"x", 0).unwrap();
        s.drain();
        assert_eq!(s.result(failed), -errno.number());
        assert_eq!(s.io.file_status(fd).unwrap().failed, None);
        let write = s.write(fd, b"again", 0).unwrap();
        let append = s.append(fd, b"more").unwrap();
        let reports = s.sync(fd).unwrap();
        let later = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([write, append].map(|t| s.result(t)), [5, 4]);
        assert_eq!([reports, later].map(|t| s.result(t)), [-errno.number(), 0]);
        assert_eq!(s.fixture.disk.durable("file"), b"againmore");
    }
}

#[test]
fn what_is_with_the_executor_ends_by_itself_and_the_rest_is_cancelled() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 100));
    let fails = s.write(fd, &[1; 10], 0).unwrap();
    let beside = s.write(fd, &[2; 10], 1_000).unwrap();
    s.io.flush().unwrap();
    let older = s.append(fd, &[3; 10]).unwrap();
    s.io.flush().unwrap();
    let newer = s.append(fd, &[4; 10]).unwrap();
    s.io.flush().unwrap();
    let numbers: Vec<u64> = s.fixture.disk.requests("file").iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers.len(), 4, "all four are with the executor");
    let queued = s.append(fd, &[5; 10]).unwrap();
    let blocked = s.write(fd, &[6; 10], 1_005).unwrap();
    let sync = s.sync(fd).unwrap();
    s.io.flush().unwrap();
    s.fixture.disk.release_one(numbers[0], Action::Fail(Errno::IO));
    assert_eq!(s.wait_for(fails), -Errno::IO.number());
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!([beside, older, newer].map(|token| s.result(token)), [10; 3]);
    assert_eq!([queued, blocked].map(|token| s.result(token)), [CANCELED; 2]);
    assert_eq!(s.result(sync), -Errno::IO.number(), "the first failure it covers");
    assert_eq!(s.fixture.disk.requests("file").len(), 4, "nothing was started, and no data-sync");
    assert_refused(&mut s, fd, Errno::IO);
}

#[test]
fn queued_operations_are_cancelled_when_a_data_sync_fails() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Hang));
    let fails = s.sync(fd).unwrap();
    s.io.flush().unwrap();
    // Held behind the sync, since another sync waits for them.
    let held = s.append(fd, &[1; 10]).unwrap();
    let waiting = s.sync(fd).unwrap();
    s.io.flush().unwrap();
    let queued = s.write(fd, &[2; 10], 0).unwrap();
    s.fixture.disk.release(Action::Fail(Errno::IO));
    s.drain();
    let results = [fails, held, queued, waiting].map(|token| s.result(token));
    assert_eq!(results[..3], [-Errno::IO.number(), CANCELED, CANCELED]);
    assert!(results[3] < 0);
    assert_eq!(s.fixture.read("file"), b"", "nothing was started");
    assert_refused(&mut s, fd, Errno::IO);
}

#[test]
fn submissions_are_taken_until_the_failure_is_delivered_and_refused_from_then_on() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Fail(Errno::IO)));
    let failed = s.write(fd, b"x", 0).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.io.wait(1, None), Ok(1), "answered, not delivered");
    let late =
        [s.write(fd, b"late", 10).unwrap(), s.append(fd, b"late").unwrap(), s.sync(fd).unwrap()];
    let mut memory = [IoCompletion::default(); 1];
    let mut sink = SliceSink::new(&mut memory);
    s.io.poll_completions(&mut sink);
    let batch = sink.filled().to_vec();
    s.take(&batch);
    assert_eq!(s.delivered, [failed]);
    assert_eq!(s.write(fd, b"x", 0), Err(StorageIoError::Io(Errno::IO)));
    s.drain();
    assert_eq!(late.map(|token| s.result(token))[..2], [CANCELED, CANCELED]);
    assert_eq!(s.result(late[2]), -Errno::IO.number(), "it covers the write that failed");
    assert_eq!(s.fixture.disk.requests("file").len(), 1, "nothing reached the executor");
    assert_refused(&mut s, fd, Errno::IO);
}

#[test]
fn a_sink_that_takes_nothing_does_not_announce_a_failure() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::IO)));
    s.write(fd, b"x", 0).unwrap();
    s.io.flush().unwrap();
    s.io.wait(1, None).unwrap();
    let mut sink = SliceSink::new(&mut []);
    s.io.poll_completions(&mut sink);
    s.append(fd, b"taken").expect("the caller cannot know yet");
    s.drain();
    assert_refused(&mut s, fd, Errno::IO);
}

#[test]
fn another_file_goes_on_and_the_same_file_can_be_registered_anew() {
    let (mut s, fd) = scripted();
    let other = s.open("other", &[]);
    s.fixture.disk.script(Rule::once("file", Of::Syncs, Action::Fail(Errno::IO)));
    s.append(fd, b"x").unwrap();
    s.sync(fd).unwrap();
    s.append(other, b"y").unwrap();
    let sync = s.sync(other).unwrap();
    s.drain();
    assert_eq!(s.result(sync), 0);
    assert_refused(&mut s, fd, Errno::IO);
    s.io.deregister_fd(fd).unwrap();
    let fd = {
        let file = s.fixture.open_appending("file");
        s.io.register_fd(file).unwrap()
    };
    assert_eq!(s.io.file_status(fd).unwrap().failed, None);
    s.append(fd, b"z").unwrap();
    let sync = s.sync(fd).unwrap();
    s.drain();
    assert_eq!(s.result(sync), 0);
    assert_eq!(s.fixture.disk.durable("file"), b"xz");
}

#[test]
fn no_data_sync_is_made_once_the_executor_has_said_that_a_write_is_lost() {
    // The second append request is lost while the first is on its way, and a sync of what came
    // before both has been waiting for its turn.
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(10), Action::Fail(Errno::IO)));
    s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    s.append(fd, &[2; 10]).unwrap();
    s.io.flush().unwrap();
    s.poll();
    let sync = s.sync(fd).unwrap();
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert!(s.result(sync) < 0);
    assert_eq!(s.fixture.disk.sync_count("file"), 0);
    assert_refused(&mut s, fd, Errno::IO);
}

#[test]
fn a_lost_append_request_stops_data_syncs_even_while_the_one_ahead_of_it_flies() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(20), Action::Fail(Errno::IO)));
    let covered = s.append(fd, &[1; 10]).unwrap();
    let sync = s.sync(fd).unwrap();
    s.append(fd, &[2; 10]).unwrap();
    s.io.flush().unwrap();
    let lost = s.append(fd, &[3; 10]).unwrap();
    s.io.flush().unwrap();
    s.poll();
    // The request ahead ends short, just behind what the sync waits for.
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(10), Action::Hang));
    s.fixture.disk.release(Action::Short(10));
    assert_eq!(s.wait_for(covered), 10);
    assert!(s.wait_for(sync) < 0, "the executor had said that the file is lost");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(s.result(lost), -Errno::IO.number());
    assert_eq!(s.fixture.disk.sync_count("file"), 0);
    assert_refused(&mut s, fd, Errno::IO);
}

/// An append request is lost, but its append waits for the one ahead of it; what is delivered
/// meanwhile, a write or a datasync, has failed the file too.
fn two_losses(first: Of, errno: Errno) {
    let lost = Errno::new(30);
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[1; 500]);
    for (of, action) in [
        (first, Action::Hang),
        (Of::WriteAt(500), Action::Hang),
        (Of::WriteAt(510), Action::Fail(lost)),
    ] {
        s.fixture.disk.script(Rule::once("file", of, action));
    }
    let known = if first == Of::Syncs { s.sync(fd) } else { s.write(fd, &[2; 10], 0) }.unwrap();
    s.io.flush().unwrap();
    let number = s.fixture.disk.requests("file")[0].0;
    let ahead = s.append(fd, &[3; 10]).unwrap();
    s.io.flush().unwrap();
    let behind = s.append(fd, &[4; 10]).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.poll(), 0, "the lost append waits for the one ahead of it");
    assert_eq!(s.fixture.disk.requests("file").len(), 3, "control: all were handed over");
    s.fixture.disk.release_one(number, Action::Fail(errno));
    assert_eq!(s.wait_for(known), -errno.number());
    let refused = Err(StorageIoError::Io(errno));
    assert_eq!(s.write(fd, &[5; 10], 0), refused, "the caller knows of a loss");
    assert_eq!(s.append(fd, &[]), refused);
    assert_eq!(s.sync(fd), refused);
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!((s.result(ahead), s.result(behind)), (10, -lost.number()));
    assert_refused(&mut s, fd, errno);
}

#[test]
fn of_two_losses_the_one_that_is_delivered_first_is_announced() {
    two_losses(Of::WriteAt(0), Errno::IO);
    two_losses(Of::Syncs, Errno::NOSPC);
}

#[test]
fn a_file_whose_appends_are_refused_refuses_them_also_while_it_fails() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    s.append(fd, b"x").unwrap();
    s.drain();
    let refused = Err(StorageIoError::Io(Errno::NOSPC));
    assert_eq!(s.append(fd, b"x"), refused);
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::IO)));
    s.write(fd, b"x", 0).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.io.wait(1, None), Ok(1), "failed, not delivered");
    assert_eq!(s.append(fd, b"x"), refused, "until resume_append");
    assert_eq!(s.io.can_accept(fd, 1), Err(StorageIoError::Io(Errno::NOSPC)));
    s.drain();
    assert_refused(&mut s, fd, Errno::IO);
}
