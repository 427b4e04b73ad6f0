//! Mutations of the structure, one at a time; each turned at least one test here red: push_chain:
//! do not link from the old tail, tail is first, counts one, head always new; peek: first skipped,
//! tells the count, not the batch, a record is not shown, last is the one behind, one too many
//! filled; drop_front: head stays, counts one; for_each_mut: last skipped.

use std::{collections::VecDeque, vec::Vec};

use super::*;
use crate::{
    exercise::{Random, Step, depth, every_sequence, long_run},
    table::{card::Card, list::Links},
};

impl Finished for Card {
    fn completion(&self) -> IoCompletion {
        IoCompletion { token: self.tag.into(), result: !self.tag as i32 }
    }
}

impl CompletionQueue {
    /// Checks the invariant of the header and returns the records in order.
    pub(crate) fn check<T: Finished, S: Slots<T>>(&self, records: &Records<T, S>) -> Vec<u32> {
        let mut members = Vec::new();
        let mut index = self.head;
        for _ in 0..self.count {
            assert!(!members.contains(&index), "a circle");
            members.push(index);
            index = records.at(index).links().next;
        }
        assert!(members.is_empty() || members.last() == Some(&self.tail), "the tail is last");
        members
    }
}

/// What looking at every record changes in its tag.
const MARK: u32 = 1 << 31;

/// The queue, and a deque of the finished records with what each will say.
struct State<const N: usize> {
    records: Records<Card, [Card; N]>,
    queue: CompletionQueue,
    model: VecDeque<(u32, IoCompletion)>,
    next_tag: u32,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// The operation in this slot has finished.
    Push(u32),
    /// A run has finished: the free slots from this one on, downwards, so many of them.
    PushChain(u32, usize),
    /// So many of the oldest leave.
    DropFront(usize),
    /// What is queued is changed where it is.
    Mark,
    /// A sink takes up to so many of what `peek` offers.
    Deliver(usize),
}

impl<const N: usize> State<N> {
    fn new() -> Self {
        let records = Records::new([Card::EMPTY; N], Card::EMPTY);
        Self { records, queue: CompletionQueue::new(), model: VecDeque::new(), next_tag: 1 }
    }

    fn is_queued(&self, index: u32) -> bool {
        self.model.iter().any(|(queued, _)| *queued == index)
    }

    /// Gives the records a token each, and links them as a list links a run.
    fn finish(&mut self, chain: &[u32]) {
        for (position, &index) in chain.iter().enumerate() {
            let next = chain.get(position + 1).copied();
            // The last one's link means nothing: it may even name a record of the queue.
            let next = next.unwrap_or(self.queue.first());
            *self.records.at_mut(index) =
                Card { links: Links { next, prev: 7 }, tag: self.next_tag };
            self.next_tag += 1;
            self.model.push_back((index, self.records.at(index).completion()));
        }
    }

    fn push_chain(&mut self, from: u32, most: usize) -> Step {
        let free = (0..=from).rev().filter(|index| !self.is_queued(*index));
        let chain: Vec<u32> = free.take(most).collect();
        let (Some(first), Some(last)) = (chain.first(), chain.last()) else {
            return Step::Nothing;
        };
        self.finish(&chain);
        self.queue.push_chain(&mut self.records, *first, *last, chain.len() as u32);
        Step::Changed
    }

    /// The oldest have been delivered: their slots are free.
    fn drop_front(&mut self, count: usize) -> Step {
        if count == 0 || count > self.model.len() {
            return Step::Nothing;
        }
        let first = self.queue.first();
        let step_along = |index, _| self.records.at(index).links().next;
        let next = (0..count).fold(first, step_along);
        self.queue.drop_front(count as u32, next);
        for (index, _) in self.model.drain(..count) {
            // Whoever has the slot next writes what he likes.
            self.records.at_mut(index).links = Links { next: first, prev: first };
        }
        Step::Changed
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::Push(index) if self.is_queued(index) => Step::Nothing,
            Operation::Push(index) => {
                self.finish(&[index]);
                self.queue.push(&mut self.records, index);
                Step::Changed
            }
            Operation::PushChain(from, most) => self.push_chain(from, most),
            Operation::DropFront(count) => self.drop_front(count),
            Operation::Mark => {
                self.queue.for_each_mut(&mut self.records, |card| card.tag ^= MARK);
                for (_, completion) in &mut self.model {
                    completion.token ^= u64::from(MARK);
                    completion.result ^= MARK as i32;
                }
                Step::Changed
            }
            Operation::Deliver(most) => {
                let taken = self.peek_and_compare().min(most);
                self.drop_front(taken)
            }
        };
        self.peek_and_compare();
        assert_eq!(self.queue.count() as usize, self.model.len());
        if let Some((oldest, _)) = self.model.front() {
            assert_eq!(self.queue.first(), *oldest);
        }
        let members = self.queue.check(&self.records);
        assert!(members.iter().eq(self.model.iter().map(|(index, _)| index)));
        step
    }

    /// `peek` tells the oldest, at most a batch of them, and no more than it says.
    fn peek_and_compare(&self) -> usize {
        const UNTOUCHED: IoCompletion = IoCompletion { token: u64::MAX, result: i32::MIN };
        let mut batch = [UNTOUCHED; BATCH];
        let mut seen = Vec::new();
        let look = |card: &Card| seen.push(card.completion());
        let (filled, peeked) = self.queue.peek(&self.records, &mut batch, look);
        assert_eq!(filled, self.model.len().min(BATCH));
        assert_eq!(seen, batch[..filled], "each record was shown once, in order");
        if filled > 0 {
            assert_eq!(peeked.last, self.model[filled - 1].0);
        }
        if let Some((behind, _)) = self.model.get(filled) {
            assert_eq!(peeked.behind, *behind);
        }
        let expected = self.model.iter().map(|(_, completion)| *completion);
        assert!(batch[..filled].iter().copied().eq(expected.take(BATCH)));
        assert!(batch[filled..].iter().all(|entry| *entry == UNTOUCHED));
        filled
    }
}

#[test]
fn every_short_sequence_on_three_records_equals_a_deque() {
    let mut operations: Vec<_> = (0..3).map(Operation::Push).collect();
    operations.extend([Operation::PushChain(2, 2), Operation::PushChain(2, 3)]);
    operations.extend([Operation::DropFront(1), Operation::Deliver(2), Operation::Mark]);
    let run = every_sequence(&operations, depth(7), State::<3>::new, State::step);
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_on_three_batches_of_records_equals_a_deque() {
    const COUNT: usize = 3 * BATCH + 1;
    let mut state = State::<COUNT>::new();
    let (mut over_a_batch, mut empty) = (0, 0);
    long_run("completion queue", |random: &mut Random| {
        let operation = match (random.adds(), random.below(8)) {
            (true, 0) => Operation::PushChain(random.below(COUNT) as u32, 1 + random.below(16)),
            (true, _) => Operation::Push(random.below(COUNT) as u32),
            (false, 0) => Operation::Deliver(random.below(BATCH + 2)),
            (false, 1) => Operation::Mark,
            (false, _) => Operation::DropFront(random.below(4)),
        };
        state.step(operation);
        over_a_batch += usize::from(state.model.len() > BATCH);
        empty += usize::from(state.model.is_empty());
    });
    assert!(cfg!(miri) || over_a_batch.min(empty) > 100, "{over_a_batch} {empty}");
}
