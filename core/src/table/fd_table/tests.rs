//! Mutations of the structure, one at a time; each turned at least one test here red: live: engine
//! number ignored, any registered handle of the slot; live_mut: serial ignored; known asks live,
//! engines share a number; gate: nothing, known lost too; close: still live, slot free at once;
//! open: serial used twice, registration number wraps; free: known stays; free_slot: the last one.

use std::{vec, vec::Vec};

use super::*;
use crate::exercise::{Random, Step, depth, every_sequence, long_run};

#[derive(Clone, Copy, Debug)]
struct Entries(Serials);

impl Entry for Entries {
    fn serials(&self) -> &Serials {
        &self.0
    }

    fn serials_mut(&mut self) -> &mut Serials {
        &mut self.0
    }
}

type Table<const N: usize> = FdTable<Entries, [Entries; N]>;

fn table<const N: usize>() -> Table<N> {
    FdTable::new(Records::new([Entries(Serials::FREE); N], Entries(Serials::FREE)))
}

/// What a slot is, and the position of its handle among all handles ever made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slot {
    Free,
    Open(usize),
    Gated(usize),
    Closing,
}

/// Two tables of different engines and sizes, and every handle that either ever made.
struct State<const A: usize, const B: usize> {
    first: Table<A>,
    second: Table<B>,
    model: [Vec<Slot>; 2],
    handles: Vec<IoFd>,
    /// Handles compared after each step: the newest ones.
    compared: usize,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Open(usize),
    Gate(usize, usize),
    Close(usize, usize),
    Free(usize, usize),
}

/// Does the same to the table of either size.
macro_rules! on_table {
    ($state:expr, $which:expr, $table:ident => $do:expr) => {
        if $which == 0 {
            let $table = &mut $state.first;
            $do
        } else {
            let $table = &mut $state.second;
            $do
        }
    };
}

impl<const A: usize, const B: usize> State<A, B> {
    fn new(compared: usize) -> Self {
        let model = [vec![Slot::Free; A], vec![Slot::Free; B]];
        Self { first: table(), second: table(), model, handles: Vec::new(), compared }
    }

    fn open(&mut self, which: usize) -> Step {
        let expected = self.model[which].iter().position(|slot| *slot == Slot::Free);
        let slot = on_table!(self, which, table => table.free_slot());
        assert_eq!(slot.map(|slot| slot as usize), expected, "the first free slot");
        let Some(slot) = slot else { return Step::Nothing };
        let fd = on_table!(self, which, table => table.open(slot)).expect("serials are left");
        if self.compared == usize::MAX {
            assert!(!self.handles.contains(&fd), "a handle is made once");
        }
        self.model[which][slot as usize] = Slot::Open(self.handles.len());
        self.handles.push(fd);
        Step::Changed
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::Open(which) => self.open(which),
            Operation::Gate(which, slot) => match self.model[which][slot] {
                Slot::Open(handle) => {
                    on_table!(self, which, table => table.gate(slot as u32));
                    self.model[which][slot] = Slot::Gated(handle);
                    Step::Changed
                }
                _ => Step::Nothing,
            },
            Operation::Close(which, slot) => match self.model[which][slot] {
                Slot::Open(_) | Slot::Gated(_) => {
                    on_table!(self, which, table => table.close(slot as u32));
                    self.model[which][slot] = Slot::Closing;
                    Step::Changed
                }
                _ => Step::Nothing,
            },
            Operation::Free(_, _) if self.model_of(operation) == Slot::Free => Step::Nothing,
            Operation::Free(which, slot) => {
                on_table!(self, which, table => table.free(slot as u32));
                self.model[which][slot] = Slot::Free;
                Step::Changed
            }
        };
        self.compare(self.handles.len().saturating_sub(self.compared)..self.handles.len());
        step
    }

    fn model_of(&self, operation: Operation) -> Slot {
        match operation {
            Operation::Open(_) => Slot::Free,
            Operation::Gate(which, slot)
            | Operation::Close(which, slot)
            | Operation::Free(which, slot) => self.model[which][slot],
        }
    }

    /// Asks both tables about each handle in the range, whoever made it and whenever.
    fn compare(&mut self, range: core::ops::Range<usize>) {
        for which in 0..2 {
            for (slot, model) in self.model[which].iter().enumerate() {
                let closing = on_table!(self, which, table => table.is_closing(slot as u32));
                assert_eq!(closing, *model == Slot::Closing);
            }
            for handle in range.clone() {
                let fd = self.handles[handle];
                let slot_where = |accepts: &dyn Fn(Slot) -> bool| {
                    let slot = self.model[which].iter().position(|slot| accepts(*slot));
                    slot.map(|slot| slot as u32)
                };
                let live = slot_where(&|slot| slot == Slot::Open(handle));
                let known =
                    slot_where(&|slot| slot == Slot::Open(handle) || slot == Slot::Gated(handle));
                assert_eq!(on_table!(self, which, table => table.live(fd)), live, "{fd:?}");
                assert_eq!(on_table!(self, which, table => table.known(fd)), known, "{fd:?}");
                on_table!(self, which, table => {
                    let found = table.live_mut(fd).map(|record| record.0.live);
                    assert_eq!(found, live.map(|_| fd.serial), "{fd:?}");
                });
            }
        }
    }
}

#[test]
fn every_short_life_of_two_tables_admits_exactly_the_open_handles() {
    let mut operations = vec![Operation::Open(0), Operation::Open(1)];
    for (which, slot) in [(0, 0), (0, 1), (1, 0)] {
        operations.push(Operation::Gate(which, slot));
        operations.push(Operation::Close(which, slot));
        operations.push(Operation::Free(which, slot));
    }
    let new = || State::<2, 1>::new(usize::MAX);
    let run = every_sequence(&operations, depth(8), new, State::step);
    assert!(run > 10_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_life_admits_exactly_the_open_handles() {
    let mut state = State::<9, 5>::new(48);
    let (mut full, mut empty) = (0, 0);
    long_run("fd table", |random: &mut Random| {
        let which = random.below(2);
        let slot = random.below(state.model[which].len());
        let operation = match (random.adds(), random.below(8)) {
            (true, 0) | (false, 0..=2) => Operation::Gate(which, slot),
            (true, _) => Operation::Open(which),
            (false, 3..=5) => Operation::Close(which, slot),
            (false, _) => Operation::Free(which, slot),
        };
        state.step(operation);
        if !state.handles.is_empty() {
            let old = random.below(state.handles.len());
            state.compare(old..old + 1);
        }
        full += usize::from(state.model[0].iter().all(|slot| *slot != Slot::Free));
        empty += usize::from(state.model[1].iter().all(|slot| *slot == Slot::Free));
    });
    assert!(cfg!(miri) || full.min(empty) > 20, "{full} {empty}");
    state.compare(0..state.handles.len());
    let mut distinct = state.handles.clone();
    distinct.sort_unstable_by_key(|fd| (fd.serial, fd.slot));
    distinct.dedup();
    assert_eq!(distinct.len(), state.handles.len(), "a handle is made once");
}

#[test]
fn a_handle_of_another_engine_is_never_live() {
    let (mut mine, mut other) = (table::<3>(), table::<3>());
    let fds = |table: &mut Table<3>| [0, 1, 2].map(|slot| table.open(slot).expect("serials"));
    let (of_mine, of_other) = (fds(&mut mine), fds(&mut other));
    for (slot, (a, b)) in (0..).zip(of_mine.into_iter().zip(of_other)) {
        assert_eq!((mine.live(a), mine.known(a)), (Some(slot), Some(slot)));
        assert_eq!((mine.live(b), mine.known(b)), (None, None));
        assert_eq!((other.live(a), other.known(a)), (None, None));
    }
}

#[test]
fn records_of_an_engine_that_is_gone_admit_none_of_its_handles() {
    let mut records = [Entries(Serials::FREE); 3];
    let empty = Entries(Serials::FREE);
    let mut before = FdTable::new(Records::new(&mut records[..], empty));
    let fds = [0, 1, 2].map(|slot| before.open(slot).expect("serials"));
    before.gate(1);
    before.close(2);
    let after = FdTable::new(Records::new(&mut records[..], empty));
    for fd in fds {
        assert_eq!((after.live(fd), after.known(fd)), (None, None), "{fd:?}");
    }
    assert_eq!(after.free_slot(), Some(0));
    assert!((0..3).all(|slot| !after.is_closing(slot)));
}

#[test]
fn a_slot_beyond_the_table_is_no_slot() {
    let mut large = table::<3>();
    let fd = large.open(2).expect("serials");
    let small = table::<2>();
    assert_eq!((small.live(fd), small.known(fd)), (None, None));
    assert_eq!((table::<0>().live(fd), table::<0>().free_slot()), (None, None));
}

#[test]
fn an_engine_out_of_serials_makes_no_more_handles_and_keeps_the_last() {
    let mut table = table::<2>();
    table.registered = u32::MAX - 1;
    let last = table.open(0).expect("one serial is left");
    for _ in 0..3 {
        assert_eq!(table.open(1), None);
        assert_eq!((table.live(last), table.free_slot()), (Some(0), Some(1)));
    }
    // The serial that means "closing" is beyond every serial of every engine.
    table.engine = u32::MAX;
    table.registered = 0;
    let first = table.open(1).expect("serials");
    table.close(0);
    assert_ne!(first.serial, CLOSING);
    assert_eq!(
        (table.known(first), table.is_closing(1), table.is_closing(0)),
        (Some(1), false, true)
    );
}
