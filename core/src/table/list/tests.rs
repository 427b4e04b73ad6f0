//! Mutations of the structure, one at a time; each turned at least one test here red: push: do not
//! link from the old tail, prev is NIL, next is not NIL, tail stays; remove: do not mend next, do
//! not mend prev; remove the only one: tail stays; remove the last: tail stays; split_front: tail
//! stays, last stays; pop_front: record stays.

use std::{collections::VecDeque, vec::Vec};

use super::*;
use crate::{
    exercise::{Random, Step, depth, every_sequence, long_run},
    table::card::Card,
};

impl List {
    /// Checks every invariant of the header and returns the records in order.
    pub(crate) fn check<T: Node, S: Slots<T>>(&self, records: &Records<T, S>) -> Vec<u32> {
        assert_eq!(self.head == NIL, self.tail == NIL, "both ends or none");
        assert_eq!(self.is_empty(), self.head == NIL);
        let (mut members, mut before, mut index) = (Vec::new(), NIL, self.head);
        while index != NIL {
            assert!(members.len() < records.count() as usize, "a circle");
            let prev = records.at(index).links().prev;
            assert!(before == NIL || prev == before, "prev mirrors next");
            members.push(index);
            before = index;
            index = records.at(index).links().next;
        }
        assert_eq!(self.tail, before, "the tail is last");
        members
    }
}

const LISTS: usize = 2;
/// Record 0 has this tag, record 1 the next.
const FIRST_TAG: u32 = 100;

/// Two lists over the same records, and a deque for each.
struct State<const N: usize> {
    records: Records<Card, [Card; N]>,
    lists: [List; LISTS],
    model: [VecDeque<u32>; LISTS],
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    PushBack(usize, u32),
    Remove(u32),
    PopFront(usize),
    /// The front part of a list, up to its record at this position.
    SplitFront(usize, usize),
}

impl<const N: usize> State<N> {
    fn new() -> Self {
        let mut records = Records::new([Card::EMPTY; N], Card::EMPTY);
        (0..N as u32).for_each(|i| records.at_mut(i).tag = i + FIRST_TAG);
        Self { records, lists: [List::EMPTY; LISTS], model: Default::default() }
    }

    fn list_of(&self, index: u32) -> Option<usize> {
        self.model.iter().position(|model| model.contains(&index))
    }

    fn split_front(&mut self, list: usize, position: usize) -> Step {
        let Some(&last) = self.model[list].get(position) else { return Step::Nothing };
        let mut index = self.lists[list].head;
        self.lists[list].split_front(&mut self.records, last);
        for member in self.model[list].drain(..=position) {
            assert_eq!(index, member, "the front part is a chain by next");
            index = self.records.at(index).links().next;
        }
        Step::Changed
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::PushBack(_, index) if self.list_of(index).is_some() => Step::Nothing,
            Operation::PushBack(list, index) => {
                if index.is_multiple_of(2) {
                    self.lists[list].push_back(&mut self.records, index);
                } else {
                    self.records.at_mut(index).links = self.lists[list].links_for_back();
                    let before = self.lists[list].push_back_linked(&mut self.records, index);
                    let expected = self.model[list].back().map(|before| before + FIRST_TAG);
                    assert_eq!(before.map(|card| card.tag), expected, "what it now follows");
                }
                self.model[list].push_back(index);
                Step::Changed
            }
            Operation::Remove(index) => match self.list_of(index) {
                None => Step::Nothing,
                Some(list) => {
                    if index.is_multiple_of(2) {
                        self.lists[list].remove(&mut self.records, index);
                    } else {
                        let links = self.records.at(index).links;
                        self.lists[list].remove_linked(&mut self.records, index, links);
                    }
                    self.model[list].retain(|member| *member != index);
                    Step::Changed
                }
            },
            Operation::PopFront(list) => {
                let popped = self.lists[list].pop_front(&mut self.records);
                assert_eq!(popped, self.model[list].pop_front());
                if popped.is_some() { Step::Changed } else { Step::Nothing }
            }
            Operation::SplitFront(list, position) => self.split_front(list, position),
        };
        for (list, model) in self.lists.iter().zip(&self.model) {
            assert_eq!(*model, list.check(&self.records));
        }
        let tags = (0..N as u32).map(|i| self.records.at(i).tag);
        assert!(tags.eq(FIRST_TAG..FIRST_TAG + N as u32), "a list touches links only");
        step
    }
}

#[test]
fn every_short_sequence_on_two_lists_of_three_records_equals_two_deques() {
    let mut operations = Vec::new();
    for index in 0..3 {
        operations.extend((0..LISTS).map(|list| Operation::PushBack(list, index)));
        operations.push(Operation::Remove(index));
    }
    for list in 0..LISTS {
        operations.push(Operation::PopFront(list));
        operations.extend((0..3).map(|position| Operation::SplitFront(list, position)));
    }
    let run = every_sequence(&operations, depth(6), State::<3>::new, State::step);
    assert!(run > 100, "{run} sequences");
}

#[test]
fn a_long_random_run_on_two_lists_of_forty_records_equals_two_deques() {
    let mut state = State::<40>::new();
    let (mut all_on_lists, mut none_on_lists) = (0, 0);
    long_run("list", |random: &mut Random| {
        // One that is on no list, if there is one.
        let from = random.below(40) as u32;
        let mut indices = (0..40).map(|step| (from + step) % 40);
        let free = indices.find(|index| state.list_of(*index).is_none());
        let list = random.below(LISTS);
        let operation = match (random.adds(), random.below(8)) {
            (true, _) => Operation::PushBack(list, free.unwrap_or(from)),
            (false, 0) => Operation::SplitFront(list, random.below(8)),
            (false, 1..=3) => Operation::Remove(from),
            (false, _) => Operation::PopFront(list),
        };
        state.step(operation);
        let count: usize = state.model.iter().map(VecDeque::len).sum();
        all_on_lists += usize::from(count == 40);
        none_on_lists += usize::from(count == 0);
    });
    assert!(cfg!(miri) || all_on_lists.min(none_on_lists) > 10, "{all_on_lists} {none_on_lists}");
}
