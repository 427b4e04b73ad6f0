//! Mutations of the structure, one at a time; each turned at least one test here red, or one of
//! `engine/order`: remove: only from the head, the rest of the chain lost, not the only one;
//! bucket: file ignored.

use std::{vec, vec::Vec};

use super::*;
use crate::exercise::{Random, Step, depth, every_sequence, long_run};

impl<S: Slots<u32>> RangeIndex<S> {
    /// Buckets that chain something.
    pub(crate) fn check(&self) -> usize {
        (0..self.heads.count()).filter(|bucket| *self.heads.at(*bucket) != NIL).count()
    }
}

impl Chained for Link {
    fn link(&self) -> Self {
        *self
    }

    fn link_to(&mut self, link: Self) {
        *self = link;
    }
}

/// An index with `N` buckets, the records it chains, and what each bucket should chain, newest
/// first.
struct State<const N: usize, const RECORDS: usize> {
    index: RangeIndex<[u32; N]>,
    records: Records<Link, [Link; RECORDS]>,
    model: Vec<Vec<u32>>,
    /// The granules of the records that are chained.
    granules: [Option<Granule>; RECORDS],
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(Granule),
    Remove(u32),
}

const fn granule(file: u16, number: u64) -> Granule {
    Granule { file, number }
}

impl<const N: usize, const RECORDS: usize> State<N, RECORDS> {
    fn new() -> Self {
        Self {
            index: RangeIndex::new([0; N]),
            records: Records::new([Link::NONE; RECORDS], Link::NONE),
            model: vec![Vec::new(); N],
            granules: [None; RECORDS],
        }
    }

    fn step(&mut self, operation: Operation) -> Step {
        match operation {
            Operation::Push(granule) => {
                let Some(free) = self.granules.iter().position(Option::is_none) else {
                    return Step::Nothing;
                };
                let chain = &mut self.model[self.index.bucket(granule) as usize];
                let (link, is_shared) = self.index.push(granule, free as u32);
                assert_eq!(is_shared, !chain.is_empty());
                // Every other record keeps no number of a bucket.
                let link = if free % 2 == 1 { link.without_bucket() } else { link };
                self.records.at_mut(free as u32).link_to(Link::from_i32(link.to_i32()));
                self.granules[free] = Some(granule);
                chain.insert(0, free as u32);
            }
            Operation::Remove(record) => {
                let Some(granule) = self.granules[record as usize].take() else {
                    return Step::Nothing;
                };
                let link = self.records.at(record).link();
                // As whoever uses it does: the link is gone before the record is removed.
                self.records.at_mut(record).link_to(Link::to(record));
                let chain = &mut self.model[self.index.bucket(granule) as usize];
                if self.index.remove_only(record, link) {
                    assert_eq!(chain.len(), 1);
                } else {
                    self.index.remove(&mut self.records, granule, (record, link));
                }
                chain.retain(|at| *at != record);
            }
        }
        for bucket in 0..N {
            assert_eq!(self.chain(*self.index.heads.at(bucket as u32)), self.model[bucket]);
        }
        for granule in self.granules.iter().flatten() {
            let chain = self.chain(self.index.head(*granule));
            assert_eq!(chain, self.model[self.index.bucket(*granule) as usize]);
        }
        Step::Changed
    }

    fn chain(&self, head: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut at = head;
        while at != NIL && chain.len() <= RECORDS {
            chain.push(at);
            at = self.records.at(at).link().next();
        }
        chain
    }
}

#[test]
fn every_short_sequence_chains_as_a_vector_does() {
    let granules = [granule(0, 0), granule(0, 1), granule(1, 0), granule(2, 1 << 40)];
    let mut operations: Vec<_> = granules.map(Operation::Push).into();
    operations.extend((0..3).map(Operation::Remove));
    let run = every_sequence(&operations, depth(6), State::<2, 3>::new, State::step);
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
    let run = every_sequence(&operations, depth(6), State::<64, 3>::new, State::step);
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_chains_as_vectors_do() {
    let mut state = State::<16, 64>::new();
    let (mut crowded, mut none) = (0, 0);
    long_run("range index", |random: &mut Random| {
        let operation = match random.adds() {
            true => Operation::Push(granule(random.below(3) as u16, random.below(40) as u64)),
            false => {
                let chained: Vec<_> = (0..64).filter(|at| state.granules[*at].is_some()).collect();
                let turn = random.below(chained.len().max(1));
                Operation::Remove(chained.get(turn).map_or(0, |at| *at as u32))
            }
        };
        state.step(operation);
        let chained_count = state.granules.iter().flatten().count();
        crowded += usize::from(chained_count == 64);
        none += usize::from(chained_count == 0);
    });
    assert!(cfg!(miri) || crowded.min(none) > 20, "{crowded} {none}");
    (0..64).for_each(|record| {
        state.step(Operation::Remove(record));
    });
    assert_eq!(state.index.check(), 0);
}

#[test]
fn granules_that_differ_seldom_share_a_bucket() {
    // 64 of 1,024 buckets taken: about one other granule in sixteen may share one.
    let mut index = RangeIndex::new([0u32; 1024]);
    (0..64).for_each(|number| {
        index.push(granule(3, number), number as u32);
    });
    let buckets = index.check();
    assert!(buckets > 56, "{buckets} buckets for 64 granules");
    let shared = |file: u16, from: u64, count: u64| {
        (from..from + count).filter(|at| index.head(granule(file, *at)) != NIL).count()
    };
    for shared in [shared(3, 64, 1_000), shared(3, 1 << 40, 1_000), shared(4, 1 << 20, 1_000)] {
        assert!(shared < 125, "{shared} of 1,000");
    }
    for shared in [shared(4, 0, 64), shared(2, 0, 64), shared(0x8003, 0, 64)] {
        assert!(shared < 16, "{shared} of 64 granules of the same numbers");
    }
}

#[test]
fn ranges_of_an_engine_that_is_gone_are_not_found() {
    let mut memory = [7u32; 16];
    let index = RangeIndex::new(&mut memory[..]);
    assert!((0..100).all(|number| index.head(granule(0, number)) == NIL));
}

#[test]
fn the_smallest_and_the_largest_tables_have_buckets_for_every_granule() {
    for number in (0..200).chain([u64::MAX, 1 << 49]) {
        assert!(RangeIndex::new([0u32; 2]).bucket(granule(u16::MAX, number)) < 2);
        assert!(RangeIndex::new([0u32; 4]).bucket(granule(u16::MAX, number)) < 4);
    }
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "not there")]
fn a_range_that_was_never_chained_is_noticed() {
    let mut records = Records::new([Link::NONE; 2], Link::NONE);
    RangeIndex::new([0u32; 2]).remove(&mut records, granule(0, 0), (1, Link::NONE));
}
