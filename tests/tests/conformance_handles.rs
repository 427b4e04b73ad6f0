//! Guarantee 9: handles carry a generation; what can be registered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, RequestId, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, SMALL, Scripted, Setup},
    script::{Action, Of, Rule},
    session::Session,
};

conformance!(
    a_stale_handle_is_bad_for_ever_also_when_its_slot_is_reused,
    a_handle_of_another_backend_is_bad,
    a_full_table_is_queue_full,
    the_same_file_can_be_registered_once,
    pipes_and_files_not_open_for_writing_are_refused,
    a_device_takes_positional_writes_only,
    a_device_with_a_given_tail_takes_appends,
);

const BAD: Result<u64, StorageIoError> = Err(StorageIoError::BadFd);

fn assert_bad<F: Fixture>(s: &mut Session<F>, fd: IoFd) {
    assert_eq!(s.write(fd, b"x", 0), BAD);
    assert_eq!(s.write(fd, &[], 0), BAD);
    assert_eq!(s.append(fd, b"x"), BAD);
    assert_eq!(s.sync(fd), BAD);
    assert_eq!(s.io.deregister_fd(fd), Err(StorageIoError::BadFd));
    assert_eq!((s.io.tail(fd), s.io.room(fd), s.io.resume_append(fd)), (BAD, BAD, BAD));
    assert_eq!(s.io.can_accept(fd, 1), Err(StorageIoError::BadFd));
    assert!(matches!(s.io.file_status(fd), Err(StorageIoError::BadFd)));
}

fn a_stale_handle_is_bad_for_ever_also_when_its_slot_is_reused<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let mut stale = Vec::new();
    let keep = s.open("kept", &[]);
    for round in 0..20_u8 {
        let fd = s.open("file", &[]);
        s.append(fd, &[round; 3]).unwrap();
        s.io.deregister_fd(fd).unwrap();
        stale.push(fd);
        for &fd in &stale {
            assert_bad(&mut s, fd);
        }
        assert_eq!(s.fixture.read("file"), [round; 3], "what was accepted was finished");
        s.append(keep, b"k").expect("control: a handle that is alive");
        s.drain();
    }
    let reused = s.open("another", &[]);
    assert!(!stale.contains(&reused), "a handle is never given out twice");
    for &fd in &stale {
        assert_bad(&mut s, fd);
    }
    s.drain();
    assert_eq!(s.fixture.read("another"), b"");
}

fn a_handle_of_another_backend_is_bad<F: Fixture>() {
    let Some(mut one) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let Some(mut two) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let of_one = one.open("file", &[]);
    let of_two = two.open("file", &[]);
    assert_bad(&mut one, of_two);
    assert_bad(&mut two, of_one);
    one.append(of_one, b"control").unwrap();
    one.drain();
    assert_eq!(one.fixture.read("file"), b"control");
    assert_eq!(two.fixture.read("file"), b"");
}

fn a_full_table_is_queue_full<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let files: Vec<IoFd> = (0..SMALL.files).map(|i| s.open(&format!("file {i}"), &[])).collect();
    let file = s.fixture.create("one too many", &[]);
    assert_eq!(s.io.register_fd(file), Err(StorageIoError::QueueFull));
    s.io.deregister_fd(files[1]).unwrap();
    let fd = s.open("one more", &[]);
    s.append(fd, b"x").unwrap();
    s.drain();
    assert_eq!(s.fixture.read("one more"), b"x");
}

fn the_same_file_can_be_registered_once<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    let busy = Err(StorageIoError::Io(Errno::BUSY));
    let again = s.fixture.open_appending("file");
    assert_eq!(s.io.register_fd(again), busy);
    let again = s.fixture.open_appending("file");
    assert_eq!(s.io.register_segment(again, 0, 10), busy);
    s.append(fd, b"x").unwrap();
    s.io.deregister_fd(fd).unwrap();
    let again = s.fixture.open_appending("file");
    let fd = s.io.register_fd(again).unwrap();
    assert_eq!(s.io.tail(fd), Ok(1));
    s.drain();
}

fn pipes_and_files_not_open_for_writing_are_refused<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    drop(s.fixture.create("file", b"abc"));
    let pipe = s.fixture.open_pipe();
    assert_eq!(s.io.register_fd(pipe), Err(StorageIoError::Io(Errno::INVAL)));
    let pipe = s.fixture.open_pipe();
    assert_eq!(s.io.register_segment(pipe, 0, 10), Err(StorageIoError::Io(Errno::INVAL)));
    let reading = s.fixture.open_for_reading("file");
    assert_eq!(s.io.register_fd(reading), Err(StorageIoError::Io(Errno::BADF)));
    let fd = s.open("file", b"abc");
    s.append(fd, b"d").expect("control");
    s.drain();
}

fn a_device_takes_positional_writes_only<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let device = s.fixture.open_device();
    let fd = s.io.register_fd(device).unwrap();
    let invalid = Err(StorageIoError::Io(Errno::INVAL));
    assert_eq!(s.append(fd, b"x"), invalid);
    assert_eq!(s.io.tail(fd), invalid);
    assert_eq!(s.io.room(fd), invalid);
    assert_eq!(s.io.can_accept(fd, 1), invalid.map(|_| ()));
    let write = s.write(fd, b"abc", 1_000).unwrap();
    let over = s.write(fd, b"abc", 1_001).unwrap();
    s.drain();
    assert_eq!([write, over].map(|token| s.result(token)), [3, 3]);
    s.io.deregister_fd(fd).unwrap();
}

fn a_device_with_a_given_tail_takes_appends<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let device = s.fixture.open_device();
    let fd = s.io.register_segment(device, 512, 1_024).unwrap();
    let token = s.append(fd, &[1; 500]).unwrap();
    assert_eq!(s.io.room(fd), Ok(12));
    assert_eq!(s.wait_for(token), 500);
}

#[test]
fn an_answer_of_the_past_matches_nothing() {
    for is_append in [false, true] {
        let mut s =
            Session::<Scripted<false>>::at(Place::Memory, &Setup::default()).expect("everywhere");
        let fd = s.open("file", &[]);
        let submit = |s: &mut Session<_>| {
            if is_append { s.append(fd, b"one") } else { s.write(fd, b"one", 0) }.unwrap()
        };
        let mut past = Vec::new();
        for _ in 0..40 {
            submit(&mut s);
            s.io.flush().unwrap();
            past.extend(s.fixture.disk.ids_in_flight());
            s.drain();
        }
        s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 2));
        let hangs = submit(&mut s);
        s.io.flush().unwrap();
        for &id in &past {
            let id = RequestId::from_u64(id);
            s.io.engine().complete(id, Ok(3));
            s.io.engine().complete(id, Err(Errno::IO));
        }
        for made_up in [RequestId::NONE, 0, 1, u64::MAX - 1, 0xFFFF, 0x8000, 1 << 63] {
            s.io.engine().complete(RequestId::from_u64(made_up), Ok(3));
        }
        assert_eq!(past.len(), 40, "control: there were answers to repeat");
        assert_eq!(s.io.stats().stale_answers, 87);
        assert_eq!(s.poll(), 0, "nothing was taken for the answer");
        s.fixture.disk.release(Action::Complete);
        s.drain();
        assert_eq!(s.result(hangs), 3);
    }
}
