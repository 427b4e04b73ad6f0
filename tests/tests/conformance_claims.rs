//! Claims: memory of the backend, filled before it is submitted, and every guarantee of the plain
//! forms.
//!
//! # Mutations
//! Each of these turned tests here red; paths are in `core/src`:
//!
//! | mutation | file |
//! |---|---|
//! | the idle block counts as taken first, not last | `table/buffer_ring/chain.rs` |
//! | no room is left for the bytes before the tail in its block | `table/buffer_ring/chain.rs` |
//! | what is asked of a file that is being altered, and of a directory | `engine/claim.rs` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Claim, Errno, IoFd, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::{Fixture, Place, Scripted, Setup},
    random::{Random, bytes, number_from_env},
    session::Session,
    skip::skip,
};

conformance!(
    what_a_claim_is_filled_with_is_written,
    a_claim_that_is_dropped_or_forgotten_leaves_no_trace,
    what_is_refused_is_refused_like_the_plain_form,
    a_direct_file_takes_claims,
    a_directory_takes_no_claims,
);

/// Fills it part by part, or with copies from back to front.
fn fill(claim: &mut Claim<'_>, data: &[u8], is_in_parts: bool) {
    assert_eq!(claim.byte_count(), data.len());
    if is_in_parts {
        let [front, back] = claim.parts();
        let (head, tail) = data.split_at(front.len());
        front.copy_from_slice(head);
        back.copy_from_slice(tail);
    } else {
        let half = data.len() / 2;
        assert_eq!(claim.copy_in(half, &data[half..]), data.len() - half);
        assert_eq!(claim.copy_in(0, &data[..half]), half);
        assert_eq!(claim.copy_in(data.len(), b"beyond"), 0);
    }
}

fn what_a_claim_is_filled_with_is_written<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let seed = number_from_env("RINGZERO_SEED", 31);
    println!("RINGZERO_SEED={seed}");
    let mut random = Random::new(seed);
    let files = [s.open("0", b"begin"), s.open("1", b"begin")];
    let mut expected = [b"begin".to_vec(), b"begin".to_vec()];
    let mut lengths = Vec::new();
    let mut seams = 0;
    for id in 1..800 {
        let which = random.below(2) as usize;
        let (fd, model) = (files[which], &mut expected[which]);
        let data = bytes(id, 0, random.below(513) as usize);
        let kind = random.below(4);
        let at = if kind < 2 { model.len() } else { random.below(3_000) as usize };
        let is_in_parts = random.chance(500);
        let token = s
            .retry(|s| match kind {
                // The plain forms in between.
                0 => s.append(fd, &data),
                3 => s.write(fd, &data, at as u64),
                1 => s.claimed(|io| {
                    let mut claim = io.claim_append(fd, data.len())?;
                    seams += usize::from(!claim.parts()[1].is_empty());
                    fill(&mut claim, &data, is_in_parts);
                    claim.submit()
                }),
                _ => s.claimed(|io| {
                    let mut claim = io.claim_write(fd, data.len(), at as u64)?;
                    assert!(claim.parts()[1].is_empty(), "a write is in one part");
                    fill(&mut claim, &data, is_in_parts);
                    claim.submit()
                }),
            })
            .unwrap();
        lengths.push((token, data.len() as i32));
        if !data.is_empty() {
            model.resize(model.len().max(at + data.len()), 0);
            model[at..at + data.len()].copy_from_slice(&data);
        }
        assert_eq!(s.io.tail(fd), Ok(model.len() as u64));
        if random.chance(50) {
            s.retry(|s| s.sync(fd)).unwrap();
        }
    }
    s.drain();
    assert!(lengths.iter().all(|(token, length)| s.result(*token) == *length));
    assert!(s.fixture.read("0") == expected[0]);
    assert!(s.fixture.read("1") == expected[1]);
    assert!(F::IS_INLINE || seams > 3, "control: some are in two parts: {seams}");
}

#[allow(clippy::forget_non_drop, reason = "whether it has a drop is what nobody may rely on")]
fn a_claim_that_is_dropped_or_forgotten_leaves_no_trace<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let fd = s.open("file", b"123");
    for round in 0..200_u8 {
        let before = (s.io.tail(fd), s.io.stats().submitted, s.io.pending_count());
        let mut append = s.io.claim_append(fd, 512).unwrap();
        fill(&mut append, &[round; 512], true);
        if round % 2 == 0 {
            drop(append)
        } else {
            std::mem::forget(append)
        }
        let mut write = s.io.claim_write(fd, 512, 0).unwrap();
        fill(&mut write, &[round; 512], true);
        if round % 2 == 0 {
            drop(write)
        } else {
            std::mem::forget(write)
        }
        assert_eq!((s.io.tail(fd), s.io.stats().submitted, s.io.pending_count()), before);
    }
    assert_eq!(s.io.stats().blocks_peak, 0, "no block was taken");
    s.append(fd, b"456").unwrap();
    s.drain();
    assert_eq!(s.fixture.read("file"), b"123456");
}

/// The answers to a claim that is submitted at once, and to the plain form.
fn both<F: Fixture>(s: &mut Session<F>, fd: IoFd, len: usize, at: Option<u64>) {
    let data = vec![7; len];
    let before = (s.io.tail(fd), s.io.stats().submitted);
    let claimed = match at {
        Some(at) => s.io.claim_write(fd, len, at).map(drop),
        None => s.io.claim_append(fd, len).map(drop),
    };
    assert_eq!((s.io.tail(fd), s.io.stats().submitted), before);
    let is_inline = F::IS_INLINE;
    let plain = match at {
        Some(at) => s.write(fd, &data, at),
        None => s.append(fd, &data),
    };
    assert!(claimed == plain.map(|_| ()) || is_inline && claimed.is_ok(), "{claimed:?} {plain:?}");
}

fn what_is_refused_is_refused_like_the_plain_form<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Memory, &Setup::default()) else { return };
    let file = s.fixture.create("file", &[5; 40]);
    let fd = s.io.register_segment(file, 40, 30_000).unwrap();
    let most = s.io.max_claim();
    assert_eq!(most, 512);
    let too_long = Err(StorageIoError::Io(Errno::MSGSIZE));
    assert_eq!(s.io.claim_write(fd, most + 1, 0).map(drop), too_long);
    assert_eq!(s.io.claim_append(fd, most + 1).map(drop), too_long);
    both(&mut s, fd, 3, Some(u64::MAX));
    both(&mut s, fd, 3, Some(i64::MAX as u64 - 2));
    let mut random = Random::new(2);
    for round in 0..500_u64 {
        let at = random.chance(500).then(|| random.below(1_000));
        both(&mut s, fd, random.below(513) as usize, at);
        if round % 50 == 0 {
            s.drain();
        }
    }
    s.drain();
    while s.io.room(fd).unwrap() > 0 {
        let len = s.io.room(fd).unwrap().min(500) as usize;
        s.retry(|s| s.append(fd, &vec![1; len])).unwrap();
    }
    s.drain();
    both(&mut s, fd, 1, None);
    s.io.deregister_fd(fd).unwrap();
    assert_eq!(s.io.claim_append(fd, 1).map(drop), Err(StorageIoError::BadFd));
    s.io.shutdown(ringzero_tests::session::PATIENCE).unwrap();
    assert_eq!(s.io.claim_write(fd, 1, 0).map(drop), Err(StorageIoError::Closed));
}

fn a_direct_file_takes_claims<F: Fixture>() {
    let limits = ringzero_core::Limits { block_bytes: 4_096, ..ringzero_tests::fixture::SMALL };
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::with(limits)) else { return };
    let mut expected = bytes(1, 0, 700);
    drop(s.fixture.create("file", &expected));
    let file = match s.fixture.open_direct("file") {
        Ok(file) => file,
        Err(reason) => return skip(format!("{}: {reason}", F::NAME)),
    };
    let fd = s.io.register_fd(file).unwrap();
    let mut random = Random::new(3);
    for id in 2..90 {
        let data = bytes(id, 0, 1 + random.below(4_000) as usize);
        s.retry(|s| {
            s.claimed(|io| {
                let mut claim = io.claim_append(fd, data.len())?;
                fill(&mut claim, &data, id % 2 == 0);
                claim.submit()
            })
        })
        .unwrap();
        expected.extend_from_slice(&data);
        if id % 5 == 0 {
            s.drain();
        }
    }
    assert_eq!(s.io.claim_write(fd, 3, 0).map(drop), Err(StorageIoError::Io(Errno::INVAL)));
    s.drain();
    s.io.deregister_fd(fd).unwrap();
    assert!(s.fixture.read("file") == expected);
}

fn a_directory_takes_no_claims<F: Fixture>() {
    let Some(mut s) = Session::<F>::at(Place::Disk, &Setup::default()) else { return };
    let directory = s.fixture.open_directory();
    let fd = s.io.register_directory(directory).unwrap();
    let inval = Err(StorageIoError::Io(Errno::INVAL));
    assert_eq!(s.io.claim_append(fd, 1).map(drop), inval);
    for len in [0, 1] {
        assert_eq!(s.io.claim_write(fd, len, 0).map(drop), inval);
    }
}

/// A submission would be refused for now, so a claim is.
#[test]
fn claims_are_for_later_while_a_truncation_is_unfinished() {
    let mut s = Session::<Scripted<false>>::at(Place::Memory, &Setup::default()).unwrap();
    let fd = s.open("file", &[9; 100]);
    let token = s.submit(|io| io.submit_truncate(fd, 50)).unwrap();
    let later = Err(StorageIoError::QueueFull);
    for len in [0, 8] {
        assert_eq!(s.io.claim_append(fd, len).map(drop), later);
        assert_eq!(s.io.claim_write(fd, len, 0).map(drop), later);
    }
    s.wait_for(token);
    let token = s.claimed(|io| io.claim_append(fd, 8)?.submit()).unwrap();
    assert_eq!(s.wait_for(token), 8);
}
