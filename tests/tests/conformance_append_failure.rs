//! Guarantee 5: when an append fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{
    Errno, IoCompletion, IoFd, Limits, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    choices::Choices,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes},
    script::{Action, Of, Order, Rule},
    session::Session,
};

type Plain = Session<Scripted<false>>;

fn scripted() -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

/// Appends `a` (0..10), `b` (10..20), `c`, `d` (20..40, queued); `b` ends well, then `a` fails.
fn broken_stream(errno: Errno) -> (Plain, IoFd, [u64; 4]) {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    let a = s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    let b = s.append(fd, &[2; 10]).unwrap();
    s.io.flush().unwrap();
    s.poll();
    let (c, d) = (s.append(fd, &[3; 10]).unwrap(), s.append(fd, &[4; 10]).unwrap());
    s.fixture.disk.release(Action::Torn(5, errno));
    (s, fd, [a, b, c, d])
}

#[test]
fn when_an_append_fails_all_accepted_later_are_cancelled_in_order() {
    let (mut s, fd, tokens) = broken_stream(Errno::NOSPC);
    s.drain();
    let canceled = -Errno::CANCELED.number();
    let results = tokens.map(|token| s.result(token));
    assert_eq!(results, [-Errno::NOSPC.number(), canceled, canceled, canceled]);
    assert_eq!(s.delivered, tokens);
    assert_eq!(s.append(fd, b"x"), Err(StorageIoError::Io(Errno::NOSPC)));
    assert_eq!(s.io.can_accept(fd, 1), Err(StorageIoError::Io(Errno::NOSPC)));
    assert_eq!(s.io.file_status(fd).unwrap().append_failed, Some(Errno::NOSPC));
    s.write(fd, b"a write is still taken", 0).unwrap();
    assert_eq!(s.io.resume_append(fd), Ok(22), "never over a write that was accepted");
    assert_eq!(s.io.tail(fd), Ok(22));
    s.append(fd, b"!").unwrap();
    s.drain();
    assert!(s.fixture.read("file").starts_with(b"a write is still taken!"));
}

#[test]
fn a_failed_append_puts_the_tail_back_to_where_it_began() {
    let (mut s, fd, _) = broken_stream(Errno::DQUOT);
    s.drain();
    assert_eq!(s.io.resume_append(fd), Ok(0));
    assert_eq!(s.io.resume_append(fd), Ok(0), "nothing to resume: nothing happens");
    s.append(fd, &[7; 3]).unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file")[..3], [7; 3]);
    assert_eq!(s.fixture.read("file").len(), 20, "control: bytes lie beyond the tail");
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.fixture.read("file"), [7; 3], "cut back to the tail");
}

#[test]
fn appends_are_refused_from_the_poll_that_delivers_the_failure_on_and_not_before() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Fail(Errno::NOSPC)));
    let failed = s.append(fd, b"fails").unwrap();
    s.io.flush().unwrap();
    // Answered, not delivered: what comes is taken, and will be cancelled.
    assert_eq!(s.io.wait(1, None), Ok(1));
    assert_eq!(s.io.resume_append(fd), Err(StorageIoError::QueueFull), "poll first");
    let late = s.append(fd, b"late").unwrap();
    // A sink with room for one: the failure is delivered, the cancelled one is not.
    let mut memory = [IoCompletion::default(); 1];
    let mut sink = SliceSink::new(&mut memory);
    s.io.poll_completions(&mut sink);
    let batch = sink.filled().to_vec();
    s.take(&batch);
    assert_eq!(s.delivered, [failed]);
    assert_eq!(s.append(fd, b"refused"), Err(StorageIoError::Io(Errno::NOSPC)));
    s.drain();
    assert_eq!(s.result(late), -Errno::CANCELED.number());
    assert_eq!(s.io.resume_append(fd), Ok(0));
}

#[test]
fn an_append_that_the_kernel_fails_behind_a_failed_one_fails_the_file() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(0), Action::Hang));
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(10), Action::Hang));
    let a = s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    let b = s.append(fd, &[2; 10]).unwrap();
    s.io.flush().unwrap();
    let numbers: Vec<u64> = s.fixture.disk.requests("file").iter().map(|(n, _)| *n).collect();
    s.fixture.disk.release_one(numbers[0], Action::Fail(Errno::NOSPC));
    assert_eq!(s.poll(), 0, "the stream is drained before anything is told");
    s.fixture.disk.release_one(numbers[1], Action::Fail(Errno::IO));
    s.drain();
    assert_eq!(s.result(a), -Errno::NOSPC.number());
    assert_eq!(s.result(b), -Errno::CANCELED.number());
    assert_eq!(s.append(fd, b"x"), Err(StorageIoError::Io(Errno::IO)));
    assert_eq!(s.io.resume_append(fd), Err(StorageIoError::Io(Errno::IO)));
}

#[test]
fn a_write_beyond_the_tail_waits_until_no_append_is_outstanding() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    s.append(fd, &[1; 10]).unwrap();
    s.io.flush().unwrap();
    assert_eq!(s.write(fd, &[2; 10], 5), Err(StorageIoError::QueueFull));
    assert_eq!(s.write(fd, &[2; 10], 10), Err(StorageIoError::QueueFull));
    assert_eq!(s.io.tail(fd), Ok(10));
    s.write(fd, &[2; 5], 5).expect("inside the tail");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    s.write(fd, &[2; 10], 10).expect("no append is outstanding");
    assert_eq!(s.io.tail(fd), Ok(20));
    s.append(fd, &[3; 10]).unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file").len(), 30);
}

#[test]
fn the_tail_never_goes_back_over_a_write_that_was_accepted() {
    let (mut s, fd) = scripted();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    s.append(fd, &[1; 100]).unwrap();
    s.io.flush().unwrap();
    let inside = s.write(fd, &[2; 10], 50).unwrap();
    s.fixture.disk.release(Action::Torn(100, Errno::NOSPC));
    s.drain();
    assert_eq!(s.result(inside), 10);
    assert_eq!(s.io.resume_append(fd), Ok(60));
    s.io.deregister_fd(fd).unwrap();
    let content = s.fixture.read("file");
    assert_eq!(content.len(), 60, "cut back to the tail, not below the write");
    assert_eq!(content[50..], [2; 10]);
}

#[test]
fn a_long_append_that_fails_in_a_later_request_is_cut_off_too() {
    let limits = Limits::default();
    let mut s = Plain::at(Place::Memory, &Setup::with(limits)).expect("runs everywhere");
    let fd = s.open("file", &[]);
    let mib = 1_u64 << 20;
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(2 * mib), Action::Hang));
    s.append(fd, &vec![1; 3 << 20]).unwrap();
    while s.fixture.disk.requests("file").len() < 3 {
        s.poll();
    }
    let inside = s.write(fd, &[2; 100], mib + mib / 2).unwrap();
    s.fixture.disk.release(Action::Torn(5_000, Errno::NOSPC));
    s.drain();
    assert_eq!(s.result(inside), 100);
    let tail = mib + mib / 2 + 100;
    assert_eq!(s.io.resume_append(fd), Ok(tail));
    assert!(s.fixture.read("file").len() as u64 > 2 * mib, "control: bytes beyond the tail");
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.fixture.read("file").len() as u64, tail);
}

#[test]
fn a_failed_file_is_not_cut() {
    let (mut s, fd, _) = broken_stream(Errno::IO);
    s.drain();
    assert_eq!(s.append(fd, b"x"), Err(StorageIoError::Io(Errno::IO)));
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.fixture.read("file").len(), 20);
}

#[test]
fn a_segment_is_not_cut() {
    let mut s = Plain::at(Place::Memory, &Setup::default()).expect("runs everywhere");
    let file = s.fixture.create("file", &[0; 100]);
    let fd = s.io.register_segment(file, 0, 100).unwrap();
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Torn(5, Errno::NOSPC)));
    s.append(fd, &[1; 10]).unwrap();
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.fixture.read("file").len(), 100);
}

#[test]
fn shutdown_cuts_back_too() {
    let (mut s, _, _) = broken_stream(Errno::NOSPC);
    s.io.shutdown(std::time::Duration::from_secs(1)).unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file").len(), 0);
}

#[test]
fn a_prefix_succeeds_whatever_the_order_of_the_answers() {
    for seed in 0..200 {
        let (mut s, fd) = scripted();
        s.fixture.disk.state().order = Order::Shuffled(Choices::seeded(seed));
        let mut random = Random::new(seed);
        let at = random.below(10) * 20;
        let torn = Action::Torn(random.below(20), Errno::NOSPC);
        s.fixture.disk.script(Rule::once("file", Of::WriteAt(at), torn));
        let mut tokens = Vec::new();
        for id in 0..10_u64 {
            if let Ok(token) = s.append(fd, &bytes(id + 1, id * 20, 20)) {
                tokens.push(token);
            }
            if random.chance(500) {
                s.io.flush().unwrap();
            }
            if random.chance(300) {
                s.poll();
            }
        }
        s.drain();
        let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
        let good = results.iter().take_while(|&&result| result == 20).count();
        if let Some((first, rest)) = results[good..].split_first() {
            assert_eq!(*first, -Errno::NOSPC.number(), "seed {seed}");
            assert!(rest.iter().all(|&result| result == -Errno::CANCELED.number()));
            assert_eq!(s.io.resume_append(fd), Ok(good as u64 * 20), "seed {seed}");
        }
        let content = s.fixture.read("file");
        for id in 0..good as u64 {
            assert_eq!(content[id as usize * 20..][..20], bytes(id + 1, id * 20, 20)[..]);
        }
    }
}
