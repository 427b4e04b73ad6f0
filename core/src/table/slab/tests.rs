//! Mutations of the structure, one at a time; each turned at least one test here red: reserve:
//! forget common -= 1, > share for >= share, forget held += 1; take: the chain stays; settle:
//! forget common += 1, all to common, forget held -= count; free_chain: do not link to the free
//! ones, only the last is freed; new: everything common, the last record is not free; available:
//! without the common ones; is_beyond_share: also at the share.

use std::{vec, vec::Vec};

use super::*;
use crate::{
    exercise::{Random, Step, depth, every_sequence, long_run},
    table::{card::Card, list::Links},
};

impl<T: Node, S: Slots<T>> Slab<T, S> {
    /// Checks the invariant of the header, given what each file holds, and returns the records on
    /// the free chain.
    pub(crate) fn check(&self, held: &[u32]) -> Vec<u32> {
        let (mut chain, mut index) = (Vec::new(), self.free);
        while index != NIL {
            assert!(!chain.contains(&index), "a circle");
            chain.push(index);
            index = self.records.at(index).links().next;
        }
        let free = chain.len() as u32;
        let set_aside: u32 = held.iter().map(|held| self.share - self.share.min(*held)).sum();
        assert_eq!(free, self.common + set_aside, "free = common + what is set aside");
        assert_eq!(free + held.iter().sum::<u32>(), self.records.count(), "none lost, none twice");
        chain
    }
}

/// A slab, and for each file the records it holds, in the order they were claimed.
struct State<const N: usize> {
    slab: Slab<Card, [Card; N]>,
    held: Vec<u32>,
    share: usize,
    model: Vec<Vec<Card>>,
    used: Vec<u32>,
    next_tag: u32,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Claim(usize),
    /// Gives back the record that the file claimed so many claims ago, from its oldest.
    Release(usize, usize),
    /// Gives back so many records of the file at once, the oldest ones.
    ReleaseChain(usize, usize),
}

impl<const N: usize> State<N> {
    fn new(share: usize, file_count: usize) -> Self {
        let records = Records::new([Card::EMPTY; N], Card::EMPTY);
        Self {
            slab: Slab::new(records, share as u32, file_count as u32),
            held: vec![0; file_count],
            share,
            model: vec![Vec::new(); file_count],
            used: Vec::new(),
            next_tag: 0,
        }
    }

    /// What a file may still take: what is left of its share, and what is left of the common ones.
    fn available(&self, file: usize) -> usize {
        let over = |held: &Vec<Card>| held.len().saturating_sub(self.share);
        let common = N - self.share * self.model.len();
        let common_left = common - self.model.iter().map(over).sum::<usize>();
        self.share.saturating_sub(self.model[file].len()) + common_left
    }

    fn claim(&mut self, file: usize) -> Step {
        let before = (self.slab.common, self.slab.free);
        let taken: usize = self.model.iter().map(Vec::len).sum();
        let claimed = self.slab.claim(&mut self.held[file]);
        assert_eq!(claimed.is_some(), self.available(file) > 0);
        let Some(index) = claimed else {
            assert_eq!(before, (self.slab.common, self.slab.free));
            return Step::Nothing;
        };
        if !self.used.contains(&index) {
            assert_eq!(index as usize, taken, "used records are used again before fresh ones");
            self.used.push(index);
        }
        // What the holder writes is the holder's, links included.
        self.next_tag += 1;
        let links = Links { next: self.next_tag, prev: self.next_tag };
        *self.slab.records.at_mut(index) = Card { links, tag: index };
        self.model[file].push(*self.slab.records.at(index));
        Step::Changed
    }

    fn release(&mut self, file: usize, position: usize) -> Step {
        if position >= self.model[file].len() {
            return Step::Nothing;
        }
        let card = self.model[file].remove(position);
        self.slab.release(card.tag, &mut self.held[file]);
        Step::Changed
    }

    fn release_chain(&mut self, file: usize, count: usize) -> Step {
        let count = count.min(self.model[file].len());
        let chain: Vec<u32> = self.model[file].drain(..count).map(|card| card.tag).collect();
        let (Some(first), Some(last)) = (chain.first(), chain.last()) else {
            return Step::Nothing;
        };
        for pair in chain.windows(2) {
            self.slab.records.at_mut(pair[0]).links.next = pair[1];
        }
        self.slab.settle(&mut self.held[file], count as u32);
        self.slab.free_chain(*first, *last);
        Step::Changed
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::Claim(file) => self.claim(file),
            Operation::Release(file, position) => self.release(file, position),
            Operation::ReleaseChain(file, count) => self.release_chain(file, count),
        };
        let chain = self.slab.check(&self.held);
        for (file, held) in self.model.iter().enumerate() {
            assert_eq!(self.held[file] as usize, held.len());
            assert_eq!(self.slab.available(self.held[file]) as usize, self.available(file));
            assert_eq!(self.slab.is_beyond_share(self.held[file]), held.len() > self.share);
            for card in held {
                assert_eq!(self.slab.records.at(card.tag), card, "given to one holder at a time");
                assert!(!chain.contains(&card.tag), "held and free");
            }
        }
        step
    }
}

fn exhaust<const N: usize>(share: usize, file_count: usize, full_depth: usize) -> u64 {
    let mut operations = Vec::new();
    for file in 0..file_count {
        operations.push(Operation::Claim(file));
        operations.extend((0..N).map(|position| Operation::Release(file, position)));
        operations.extend((2..=N).map(|count| Operation::ReleaseChain(file, count)));
    }
    let new = || State::<N>::new(share, file_count);
    every_sequence(&operations, depth(full_depth), new, State::step)
}

#[test]
fn every_short_sequence_on_up_to_five_records_honours_the_shares() {
    let run = [
        exhaust::<1>(1, 1, 6),
        exhaust::<2>(1, 2, 7),
        exhaust::<3>(1, 2, 7),
        exhaust::<3>(0, 2, 7),
        exhaust::<4>(1, 3, 6),
        exhaust::<5>(2, 2, 6),
        exhaust::<3>(1, 1, 8),
    ];
    assert!(run.iter().all(|run| *run > 0), "{run:?} sequences");
    assert!(cfg!(miri) || run.iter().sum::<u64>() > 10_000, "{run:?} sequences");
}

#[test]
fn a_long_random_run_of_four_files_honours_the_shares() {
    let mut state = State::<32>::new(5, 4);
    let (mut exhausted, mut refused_within_room, mut all_free) = (0, 0, 0);
    long_run("slab", |random: &mut Random| {
        // One file is greedy: it asks as often as the other three together.
        let file = random.below(6).saturating_sub(2);
        let operation = match (random.adds(), random.below(8)) {
            (true, _) => Operation::Claim(file),
            (false, 0) => Operation::ReleaseChain(file, random.below(8)),
            (false, _) => Operation::Release(file, random.below(state.model[file].len().max(1))),
        };
        state.step(operation);
        let free = 32 - state.held.iter().sum::<u32>();
        exhausted += usize::from(free == 0);
        all_free += usize::from(free == 32);
        let greedy_is_refused = state.slab.available(state.held[0]) == 0;
        refused_within_room += usize::from(greedy_is_refused && free > 0);
    });
    let seen = [exhausted, all_free, refused_within_room];
    assert!(cfg!(miri) || seen.iter().all(|times| *times > 20), "{seen:?}");
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let mut state = State::<5>::new(2, 2);
    let claims = [0, 0, 0, 0, 1, 1, 1].map(|file| state.step(Operation::Claim(file)));
    let [taken, refused] = [Step::Changed, Step::Nothing];
    assert_eq!(claims, [taken, taken, taken, refused, taken, taken, refused]);
}

#[test]
fn shares_beyond_the_records_leave_nothing_common() {
    let records = || Records::new([Card::EMPTY; 3], Card::EMPTY);
    assert_eq!(Slab::new(records(), 2, 2).common, 0);
    assert_eq!(Slab::new(records(), u32::MAX, u32::MAX).common, 0);
}
