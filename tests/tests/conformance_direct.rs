//! Files opened with O_DIRECT: every guarantee, with appends of any length, and never a byte of
//! what is there lost to the padding of the block in which they end.
//!
//! The scripted disk has an alignment of 512, refuses to see a request that is not aligned, and
//! compares the bytes of each request when it ends with those that were handed over.
//!
//! # Mutations
//! Each of these turned tests here red; paths are in `core/src/engine` unless they say more:
//!
//! | removed | file |
//! |---|---|
//! | nothing before the tail is brought along (zeros instead) | `tail_block.rs` |
//! | the tail block is padded with what it held before | `table/tail_blocks.rs` |
//! | the next request does not wait for one that ends inside a block | `stream.rs` |
//! | the last block goes out from the chain, not from a copy | `tail_block.rs` |
//! | the tail block is not put back after a failure | `append.rs` |
//! | the chain is shortened beyond where the oldest append begins | `stream.rs` |
//! | short results count from where the stream begins, not the block | `stream.rs` |
//! | parts of a block count as progress | `retry.rs` |
//! | positional writes are not checked | `write.rs` |
//! | the padding does not count as sent | `stream.rs` |
//! | `can_accept` forgets what an append brings along | `status.rs` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, Limits, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    choices::Choices,
    conformance,
    disk::Ask,
    fixture::{DIRECT_ALIGNMENT, Fixture, Place, SMALL, Scripted, Setup},
    random::{Random, bytes},
    script::{Action, Of, Order, Rough, Rule},
    session::Session,
    skip::skip,
};

const INVALID: StorageIoError = StorageIoError::Io(Errno::INVAL);

/// Small, but with blocks of a page, which is what a file system may ask for.
const PAGES: Limits = Limits { block_bytes: 4_096, ..SMALL };

/// A file of this content, opened with O_DIRECT and registered.
fn open<F: Fixture>(content: &[u8]) -> Option<(Session<F>, IoFd)> {
    let mut s = Session::<F>::at(Place::Disk, &Setup::with(PAGES))?;
    drop(s.fixture.create("file", content));
    let fd = reopen(&mut s)?;
    Some((s, fd))
}

fn reopen<F: Fixture>(s: &mut Session<F>) -> Option<IoFd> {
    match s.fixture.open_direct("file") {
        Ok(file) => Some(s.io.register_fd(file).expect("registered")),
        Err(reason) => {
            skip(format!("{}: {reason}", F::NAME));
            None
        }
    }
}

conformance!(
    appends_of_any_length_are_whole_and_in_order,
    a_file_that_ends_inside_a_block_is_continued,
    a_write_that_is_not_aligned_is_refused_untouched,
    writes_move_the_tail_and_appends_go_on_behind_them,
    closing_cuts_the_padding_off,
    shutdown_cuts_the_padding_off,
    a_segment_is_written_up_to_its_limit_and_not_cut,
    a_buffered_file_has_an_alignment_of_one,
);

fn appends_of_any_length_are_whole_and_in_order<F: Fixture>() {
    let Some((mut s, fd)) = open::<F>(&[]) else { return };
    let mut random = Random::new(7);
    let mut expected = Vec::new();
    for id in 1..150_u64 {
        let most = if random.chance(100) { 12_000 } else { 700 };
        let data = bytes(id, expected.len() as u64, 1 + random.below(most) as usize);
        assert_eq!(s.io.tail(fd), Ok(expected.len() as u64));
        s.retry(|s| s.append(fd, &data)).unwrap();
        expected.extend_from_slice(&data);
        if random.chance(100) {
            let sync = s.retry(|s| s.sync(fd)).unwrap();
            assert_eq!(s.wait_for(sync), 0);
            let content = s.fixture.read("file");
            assert!(content.starts_with(&expected), "{id}");
            assert!(content[expected.len()..].iter().all(|byte| *byte == 0), "padding");
        }
    }
    s.drain();
    assert!(s.results.values().all(|result| *result >= 0));
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == expected);
}

fn a_file_that_ends_inside_a_block_is_continued<F: Fixture>() {
    let mut expected = bytes(1, 0, 4_999);
    let Some((mut s, mut fd)) = open::<F>(&expected) else { return };
    for id in 2..12_u64 {
        assert_eq!(s.io.tail(fd), Ok(expected.len() as u64));
        let data = bytes(id, expected.len() as u64, 37 * id as usize);
        s.append(fd, &data).unwrap();
        expected.extend_from_slice(&data);
        s.drain();
        s.io.deregister_fd(fd).unwrap();
        assert!(s.fixture.read("file") == expected, "{id}");
        let Some(again) = reopen(&mut s) else { return };
        fd = again;
    }
}

fn a_write_that_is_not_aligned_is_refused_untouched<F: Fixture>() {
    let before = bytes(1, 0, 16_384);
    let Some((mut s, fd)) = open::<F>(&before) else { return };
    let alignment = s.io.alignment(fd).unwrap() as usize;
    assert!(alignment.is_power_of_two() && (2..=4_096).contains(&alignment), "{alignment}");
    let data = vec![9; 2 * alignment];
    for (len, offset) in [(1, 0), (alignment - 1, 0), (alignment + 1, 0), (alignment, 1)] {
        assert_eq!(s.write(fd, &data[..len], offset), Err(INVALID), "{len} at {offset}");
    }
    assert_eq!(s.write(fd, &data, alignment as u64 / 2), Err(INVALID));
    s.drain();
    assert!(s.fixture.read("file") == before);
    // The others, from any slice.
    s.write(fd, &data[..alignment], alignment as u64).unwrap();
    s.write(fd, &data[1..=alignment], 2 * alignment as u64).unwrap();
    s.drain();
    assert!(s.results.values().all(|result| *result == alignment as i32));
    let mut expected = before;
    expected[alignment..3 * alignment].fill(9);
    assert!(s.fixture.read("file") == expected);
}

fn writes_move_the_tail_and_appends_go_on_behind_them<F: Fixture>() {
    let Some((mut s, fd)) = open::<F>(b"begin") else { return };
    let alignment = s.io.alignment(fd).unwrap() as usize;
    let mut expected = b"begin".to_vec();
    for id in 1..40_u64 {
        let data = bytes(id, expected.len() as u64, 1 + (id as usize * 97) % 900);
        s.retry(|s| s.append(fd, &data)).unwrap();
        expected.extend_from_slice(&data);
        // Over the block in which the stream ends, or over one before it.
        let at = expected.len() / alignment * alignment;
        let at = if id % 3 == 0 || at == 0 { at } else { at - alignment };
        let block = bytes(1_000 + id, at as u64, alignment);
        s.retry(|s| s.write(fd, &block, at as u64)).unwrap();
        expected.resize(expected.len().max(at + alignment), 0);
        expected[at..at + alignment].copy_from_slice(&block);
        assert_eq!(s.io.tail(fd), Ok(expected.len() as u64));
    }
    s.drain();
    assert!(s.results.values().all(|result| *result >= 0));
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == expected);
}

fn closing_cuts_the_padding_off<F: Fixture>() {
    let Some((mut s, fd)) = open::<F>(&[]) else { return };
    let data = bytes(1, 0, 700);
    s.append(fd, &data).unwrap();
    s.drain();
    let content = s.fixture.read("file");
    assert!(content.len() > 700, "control: there is padding");
    assert!(content[700..].iter().all(|byte| *byte == 0));
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == data);
}

fn shutdown_cuts_the_padding_off<F: Fixture>() {
    let Some((mut s, fd)) = open::<F>(&[]) else { return };
    let data = bytes(1, 0, 700);
    s.append(fd, &data).unwrap();
    s.io.shutdown(ringzero_tests::session::PATIENCE).unwrap();
    assert!(s.fixture.read("file") == data);
    s.poll();
    assert_eq!(s.results.values().next(), Some(&700));
}

fn a_segment_is_written_up_to_its_limit_and_not_cut<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::with(PAGES)) else { return };
    let before = bytes(1, 0, 16_384);
    drop(s.fixture.create("file", &before));
    let open = |s: &Session<F>| match s.fixture.open_direct("file") {
        Ok(file) => Some(file),
        Err(reason) => {
            skip(format!("{}: {reason}", F::NAME));
            None
        }
    };
    let Some(file) = open(&s) else { return };
    assert_eq!(s.io.register_segment(file, 0, 8_191), Err(INVALID), "a limit inside a block");
    let Some(file) = open(&s) else { return };
    let fd = s.io.register_segment(file, 5_000, 8_192).unwrap();
    assert_eq!(s.io.room(fd), Ok(3_192));
    assert_eq!(s.append(fd, &[2; 3_193]), Err(StorageIoError::Io(Errno::FBIG)));
    for _ in 0..3 {
        s.append(fd, &[2; 1_064]).unwrap();
    }
    s.drain();
    assert_eq!(s.append(fd, &[2]), Err(StorageIoError::Io(Errno::FBIG)));
    s.io.deregister_fd(fd).unwrap();
    let mut expected = before;
    expected[5_000..8_192].fill(2);
    assert!(s.fixture.read("file") == expected);
}

fn a_buffered_file_has_an_alignment_of_one<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let fd = s.open("file", &[]);
    assert_eq!(s.io.alignment(fd), Ok(1));
    s.write(fd, b"odd", 5).unwrap();
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.io.alignment(fd), Err(StorageIoError::BadFd));
}

type Plain = Session<Scripted<false>>;

fn scripted(limits: Limits) -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, &Setup::with(limits)).expect("runs everywhere");
    drop(s.fixture.create("file", &[]));
    let fd = reopen(&mut s).expect("the scripted disk can");
    (s, fd)
}

fn writes(s: &Plain) -> Vec<(u64, u64)> {
    let write = |(_, ask): (u64, Ask)| match ask {
        Ask::Write { offset, len, .. } => Some((offset, len)),
        Ask::Read { .. } | Ask::Sync(_) | Ask::Alter(_) => None,
    };
    s.fixture.disk.requests("file").into_iter().filter_map(write).collect()
}

#[test]
fn what_begins_inside_a_block_waits_for_the_request_that_ends_there() {
    let (mut s, fd) = scripted(PAGES);
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Hang, 2));
    for (id, len) in [(1, 1_024), (2, 700), (3, 100), (4, 100)] {
        s.append(fd, &vec![id; len]).unwrap();
        s.io.flush().unwrap();
    }
    assert_eq!(writes(&s), [(0, 1_024), (1_024, 1_024)], "whole blocks do not hold what follows");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(writes(&s)[2..], [(1_536, 512)], "the block again, with what was packed behind it");
    let expected = [vec![1; 1_024], vec![2; 700], vec![3; 100], vec![4; 100]].concat();
    assert!(s.fixture.read("file").starts_with(&expected));
}

#[test]
fn it_waits_though_a_second_request_might_fly() {
    let (mut s, fd) = scripted(PAGES);
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    s.append(fd, &[1; 700]).unwrap();
    s.io.flush().unwrap();
    s.append(fd, &[2; 324]).unwrap();
    assert_eq!(s.io.flush(), Ok(0), "its block is on its way");
    s.fixture.disk.release(Action::Complete);
    s.drain();
    assert_eq!(writes(&s), [(0, 1_024), (512, 512)]);
}

#[test]
fn a_short_result_counts_from_the_block_and_in_blocks() {
    let (mut s, fd) = scripted(PAGES);
    s.append(fd, &[1; 700]).unwrap();
    s.drain();
    for action in [Action::Short(1), Action::Short(511), Action::Short(1_100), Action::Short(512)] {
        s.fixture.disk.script(Rule::once("file", Of::Writes, action));
    }
    let long = s.append(fd, &[2; 2_000]).unwrap();
    assert_eq!(s.wait_for(long), 2_000);
    let expected = [(512, 2_560), (512, 2_560), (512, 2_560), (1_536, 1_536), (2_048, 1_024)];
    assert_eq!(writes(&s)[1..], expected);
    let expected = [vec![1; 700], vec![2; 2_000]].concat();
    assert!(s.fixture.read("file").starts_with(&expected));
}

#[test]
fn a_short_result_of_a_write_counts_in_blocks() {
    let (mut s, fd) = scripted(PAGES);
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Short(700)));
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Short(500)));
    let token = s.write(fd, &[3; 2_048], 0).unwrap();
    assert_eq!(s.wait_for(token), 2_048);
    assert_eq!(writes(&s), [(0, 2_048), (512, 1_536), (512, 1_536)]);
}

#[test]
fn parts_of_a_block_for_ever_are_an_error() {
    let (mut s, fd) = scripted(PAGES);
    s.append(fd, &[1; 700]).unwrap();
    s.drain();
    s.fixture.disk.script(Rule::times("file", Of::Writes, Action::Short(511), 100));
    let token = s.append(fd, &[2; 10]).unwrap();
    assert_eq!(s.wait_for(token), -Errno::IO.number());
    assert!(writes(&s).len() < 50);
}

#[test]
fn after_a_failure_the_stream_goes_on_where_the_failed_append_began() {
    for behind in [700_usize, 1_024] {
        let (mut s, fd) = scripted(PAGES);
        let first = bytes(1, 0, behind);
        s.append(fd, &first).unwrap();
        s.drain();
        s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Torn(900, Errno::NOSPC)));
        let failed = s.append(fd, &[9; 2_000]).unwrap();
        s.io.flush().unwrap();
        let cancelled = s.append(fd, &[8; 300]).unwrap();
        s.drain();
        let results = [failed, cancelled].map(|token| s.result(token));
        assert_eq!(results, [-Errno::NOSPC.number(), -Errno::CANCELED.number()]);
        assert_eq!(s.io.resume_append(fd), Ok(behind as u64));
        let again = bytes(2, behind as u64, 77);
        s.append(fd, &again).unwrap();
        s.drain();
        s.io.deregister_fd(fd).unwrap();
        assert!(s.fixture.read("file") == [first, again].concat(), "and what was torn is cut off");
    }
}

#[test]
fn a_long_append_that_fails_in_the_end_keeps_the_block_in_which_it_began() {
    let (mut s, fd) = scripted(Limits::default());
    let first = bytes(1, 0, 700);
    s.append(fd, &first).unwrap();
    s.drain();
    let mib = 1 << 20;
    let torn = Action::Torn(5_000, Errno::NOSPC);
    s.fixture.disk.script(Rule::once("file", Of::WriteAt(512 + 2 * mib), torn));
    let failed = s.append(fd, &vec![9; 3 << 20]).unwrap();
    assert_eq!(s.wait_for(failed), -Errno::NOSPC.number());
    assert_eq!(s.io.resume_append(fd), Ok(700));
    let again = bytes(2, 700, 100);
    s.append(fd, &again).unwrap();
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == [first, again].concat());
}

#[test]
fn the_longest_append_fits_at_every_tail_and_the_longest_write_beside_it() {
    let limits = Limits { blocks_per_file: 2, blocks_common: 0, block_bytes: 512, ..SMALL };
    let (mut s, fd) = scripted(limits);
    let longest = s.io.max_write() - (DIRECT_ALIGNMENT as usize - 1);
    for ahead in [511, 1, 511, 300] {
        s.append(fd, &vec![1; ahead]).unwrap();
        s.drain();
        let too_long = vec![2; longest + 1];
        assert_eq!(s.append(fd, &too_long), Err(StorageIoError::Io(Errno::MSGSIZE)));
        assert_eq!(s.io.can_accept(fd, longest), Ok(()));
        s.append(fd, &too_long[1..]).unwrap();
        s.drain();
        s.write(fd, &vec![3; s.io.max_write()], 0).unwrap();
        s.drain();
    }
    assert!(s.results.values().all(|result| *result > 0));
}

#[test]
fn what_an_append_brings_along_needs_room_too_and_its_refusal_changes_nothing() {
    let limits = Limits { blocks_per_file: 2, blocks_common: 0, block_bytes: 512, ..SMALL };
    let mut s = Plain::at(Place::Memory, &Setup::with(limits)).expect("runs everywhere");
    let first = bytes(1, 0, 500);
    // One block is the write's; the other would begin with the 500 bytes that are there.
    s.fixture.disk.script(Rule::once("file", Of::Writes, Action::Hang));
    let content = [vec![7; 512], first.clone()].concat();
    drop(s.fixture.create("file", &content));
    let fd = reopen(&mut s).unwrap();
    s.write(fd, &[5; 512], 0).unwrap();
    s.io.flush().unwrap();
    for _ in 0..2 {
        assert_eq!(s.io.can_accept(fd, 13), Err(StorageIoError::BufferExhausted));
        assert_eq!(s.append(fd, &[6; 13]), Err(StorageIoError::BufferExhausted));
        assert_eq!(s.io.tail(fd), Ok(1_012));
    }
    assert_eq!(s.io.can_accept(fd, 12), Ok(()));
    s.append(fd, &[6; 12]).unwrap();
    s.fixture.disk.release(Action::Complete);
    s.drain();
    let expected = [vec![5; 512], first, vec![6; 12]].concat();
    assert!(s.fixture.read("file") == expected);
}

#[test]
fn an_alignment_above_a_block_is_refused() {
    let mut s = Plain::at(Place::Memory, &Setup::with(SMALL)).expect("runs everywhere");
    drop(s.fixture.create("file", &[]));
    for (alignment, expected) in [(1_024, Err(INVALID)), (3, Err(INVALID)), (0, Err(INVALID))] {
        let file = s.fixture.disk.open_direct("file", alignment);
        assert_eq!(s.io.register_fd(file), expected, "{alignment}");
    }
    let file = s.fixture.disk.open_direct("file", 512);
    let fd = s.io.register_fd(file).unwrap();
    assert_eq!(s.io.alignment(fd), Ok(512));
}

/// Random appends, writes, syncs, failures and resumptions, against the bytes that must be there.
#[test]
fn whatever_fails_what_succeeded_is_there_and_nothing_is_torn() {
    for seed in 0..400 {
        let limits = if seed % 2 == 0 { SMALL } else { PAGES };
        let (mut s, fd) = scripted(limits);
        let mut random = Random::new(seed);
        {
            let mut state = s.fixture.disk.state();
            state.order = Order::Shuffled(Choices::seeded(seed));
            state.rough = Some(Rough { refused: 60, ..Rough::harmless(seed) });
        }
        let mut expected: Vec<u8> = Vec::new();
        for round in 0..12 {
            let mut accepted = Vec::new();
            for id in 0..1 + random.below(12) {
                let data = bytes(100 * round + id + 1, id, 1 + random.below(900) as usize);
                if let Ok(token) = s.append(fd, &data) {
                    accepted.push((token, data));
                }
                if random.chance(300) {
                    s.io.flush().unwrap();
                }
                if random.chance(300) {
                    s.poll();
                }
            }
            s.drain();
            for (token, data) in accepted {
                if s.result(token) < 0 {
                    break;
                }
                expected.extend_from_slice(&data);
            }
            assert_eq!(s.io.resume_append(fd), Ok(expected.len() as u64), "seed {seed}");
            let content = s.fixture.read("file");
            assert!(content.starts_with(&expected), "seed {seed}, round {round}");
        }
        s.io.deregister_fd(fd).unwrap();
        assert!(s.fixture.read("file") == expected, "seed {seed}: cut back");
    }
}
