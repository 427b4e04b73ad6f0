//! What is promised after which calls.
//!
//! # Mutations
//! | removed | red |
//! |---|---|
//! | a write takes a promise back | `a_byte_is_promised_…`, `what_was_durable_…` |
//! | what failed is not promised | `what_failed_…` |
//! | an alteration takes promises back | `what_is_cut_off_…` |
//! | an earlier registration is not promised | `a_sync_does_not_speak_…` |

use super::*;

/// File 0, registered empty.
fn empty() -> Promises {
    let mut promises = Promises::default();
    promises.registered(0, 0, "log", Some(b""));
    promises
}

fn deliver(promises: &mut Promises, token: u64, result: i32) {
    promises.delivered(IoCompletion { token, result });
}

/// What is promised: offsets and bytes.
fn list(promises: &Promises) -> Vec<(u64, String)> {
    let text = |promise: SimPromise| (promise.offset, String::from_utf8(promise.bytes).unwrap());
    promises.list(|_| 0).into_iter().map(text).collect()
}

fn pairs(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(offset, bytes)| (*offset, (*bytes).to_owned())).collect()
}

#[test]
fn what_is_cut_off_or_punched_is_promised_no_more_and_what_comes_after_is() {
    let mut promises = empty();
    promises.write_accepted(0, 1, 0, b"abcdefgh");
    promises.sync_accepted(0, 2);
    deliver(&mut promises, 1, 8);
    deliver(&mut promises, 2, 0);
    promises.alteration_accepted(0, 3, (6, u64::MAX));
    assert_eq!(list(&promises), pairs(&[(0, "abcdef")]), "from the acceptance on");
    promises.alteration_accepted(0, 4, (1, 3));
    promises.write_accepted(0, 5, 5, b"xyz");
    promises.sync_accepted(0, 6);
    deliver(&mut promises, 6, 0);
    assert_eq!(list(&promises), pairs(&[(0, "a"), (3, "de"), (5, "xyz")]));
}

#[test]
fn a_write_before_an_alteration_of_its_bytes_is_not_promised_by_a_sync_of_both() {
    let mut promises = empty();
    promises.write_accepted(0, 1, 0, b"abcdefgh");
    promises.sync_accepted(0, 2);
    promises.alteration_accepted(0, 3, (4, u64::MAX));
    deliver(&mut promises, 2, 0);
    assert_eq!(list(&promises), pairs(&[(0, "abcd")]), "it may have happened already");
    promises.sync_accepted(0, 4);
    deliver(&mut promises, 4, 0);
    assert_eq!(list(&promises), pairs(&[(0, "abcd")]));
}

#[test]
fn a_byte_is_promised_from_the_delivery_of_a_sync_until_it_is_written_again() {
    let mut promises = empty();
    promises.write_accepted(0, 1, 0, b"aaaa");
    promises.sync_accepted(0, 2);
    promises.write_accepted(0, 3, 1, b"bb");
    deliver(&mut promises, 1, 4);
    assert_eq!(list(&promises), []);
    deliver(&mut promises, 2, 0);
    assert_eq!(list(&promises), pairs(&[(0, "a"), (3, "a")]));
    deliver(&mut promises, 3, 2);
    assert_eq!(list(&promises), pairs(&[(0, "a"), (3, "a")]), "written is not synced");
    promises.sync_accepted(0, 4);
    deliver(&mut promises, 4, 0);
    assert_eq!(list(&promises), pairs(&[(0, "a"), (1, "bb"), (3, "a")]));
    promises.write_accepted(0, 5, 0, b"cc");
    assert_eq!(list(&promises), pairs(&[(2, "b"), (3, "a")]));
}

#[test]
fn what_failed_is_not_promised_and_neither_is_what_it_may_have_overwritten() {
    let mut promises = empty();
    promises.write_accepted(0, 1, 0, b"aaaa");
    promises.write_accepted(0, 2, 2, b"bb");
    promises.sync_accepted(0, 3);
    promises.sync_accepted(0, 4);
    deliver(&mut promises, 1, 4);
    deliver(&mut promises, 2, -28);
    deliver(&mut promises, 3, -28);
    assert_eq!(list(&promises), [], "a sync that failed promises nothing");
    deliver(&mut promises, 4, 0);
    assert_eq!(list(&promises), pairs(&[(0, "aa")]));
}

#[test]
fn a_sync_speaks_for_what_it_covers_though_that_was_not_delivered() {
    let mut promises = empty();
    promises.write_accepted(0, 1, 0, b"aa");
    promises.sync_accepted(0, 2);
    deliver(&mut promises, 2, 0);
    assert_eq!(list(&promises), pairs(&[(0, "aa")]));
}

#[test]
fn a_sync_does_not_speak_for_an_earlier_registration() {
    let mut promises = empty();
    promises.write_accepted(0, 1, 0, b"aa");
    promises.sync_accepted(0, 2);
    promises.write_accepted(0, 3, 2, b"bb");
    promises.registered(0, 0, "log", Some(b"not looked at again"));
    promises.write_accepted(0, 4, 4, b"cc");
    promises.sync_accepted(0, 5);
    deliver(&mut promises, 2, 0);
    assert_eq!(list(&promises), pairs(&[(0, "aa")]), "a late delivery of its own sync counts");
    deliver(&mut promises, 5, 0);
    assert_eq!(list(&promises), pairs(&[(0, "aa"), (4, "cc")]));
}

#[test]
fn what_was_durable_at_registration_is_promised() {
    let mut promises = Promises::default();
    promises.registered(0, 0, "durable", Some(b"abc"));
    promises.registered(1, 0, "written", None);
    promises.write_accepted(0, 1, 1, b"x");
    assert_eq!(list(&promises), pairs(&[(0, "a"), (2, "c")]));
}

#[test]
fn ranges_are_cut_like_bytes() {
    // Every range of ten bytes cut out of every two neighbouring ranges.
    for begin in 0..10_u64 {
        for end in begin..=10 {
            for middle in 0..=10_u64 {
                let whole: Vec<u8> = (0..10).collect();
                let mut kept = BTreeMap::new();
                let (left, right) = whole.split_at(middle as usize);
                for (offset, part) in [(0, left), (middle, right)] {
                    if !part.is_empty() {
                        kept.insert(offset, part.to_vec());
                    }
                }
                cut(&mut kept, begin, end);
                let bytes = |(offset, bytes): (&u64, &Vec<u8>)| {
                    (*offset..).zip(bytes.clone()).collect::<Vec<_>>()
                };
                let left: Vec<(u64, u8)> = kept.iter().flat_map(bytes).collect();
                let expected = (0..10_u64).filter(|at| !(begin..end).contains(at));
                let expected: Vec<(u64, u8)> = expected.map(|at| (at, at as u8)).collect();
                assert_eq!(left, expected, "{begin}..{end} of {middle}");
                assert!(kept.values().all(|bytes| !bytes.is_empty()));
            }
        }
    }
}
