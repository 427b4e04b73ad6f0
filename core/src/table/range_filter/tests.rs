//! Mutations of the structure, one at a time; each turned at least one test here red: insert:
//! forget the last granule, not counted, taken by the first granule only, by the rest only; remove:
//! forget the last granule, clears the bucket; bucket: file ignored, high bits of the granule
//! ignored, low bits of the product; narrow: five granules, end inclusive; shift one less, shift
//! one more.

use std::{vec, vec::Vec};

use super::*;
use crate::exercise::{Random, Step, depth, every_sequence, long_run};

const GRANULE: u64 = 1 << GRANULE_SHIFT;

impl<S: Slots<u32>> RangeFilter<S> {
    /// Ranges counted, each as often as it touches granules.
    pub(crate) fn check(&self) -> u64 {
        (0..self.buckets.count()).map(|bucket| *self.buckets.at(bucket) as u64).sum()
    }

    /// Counts a narrow range in, as whoever uses the filter must.
    fn enter(&mut self, Range { file, offset, end }: Range) -> (Counted, bool) {
        match self.insert(file, (offset, end)) {
            (Counted::SEVERAL, may_overlap) => {
                assert!(may_overlap, "not counted yet");
                let granules = narrow(offset, end).expect("the ranges of this test are narrow");
                (Counted::SEVERAL, self.insert_several(file, granules))
            }
            counted => counted,
        }
    }

    fn leave(&mut self, counted: Counted, Range { file, offset, end }: Range) {
        assert_eq!(Counted::from_i32(counted.to_i32()), counted);
        match counted {
            Counted::SEVERAL => {
                let granules = narrow(offset, end).expect("the ranges of this test are narrow");
                self.remove_several(file, granules);
            }
            counted => self.remove(counted),
        }
    }

    /// Whether a range that began now would be told that it may overlap another.
    fn is_taken(&mut self, range: Range) -> bool {
        let (counted, is_taken) = self.enter(range);
        self.leave(counted, range);
        is_taken
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    file: u16,
    offset: u64,
    end: u64,
}

impl Range {
    const fn new(file: u16, offset: u64, byte_count: u64) -> Self {
        Self { file, offset, end: offset + byte_count }
    }

    fn overlaps(self, other: Self) -> bool {
        self.file == other.file && self.offset < other.end && other.offset < self.end
    }
}

/// A filter, the ranges in flight, and how often each bucket is taken by one of them.
struct State<const N: usize> {
    filter: RangeFilter<[u32; N]>,
    model: Vec<(Range, Counted)>,
    taken: Vec<u32>,
    /// Ranges the filter is asked about after each step.
    probes: Vec<Range>,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Insert(Range),
    /// Ends the range that began so many ranges ago, from the oldest.
    Remove(usize),
    Probe(Range),
}

impl<const N: usize> State<N> {
    fn new(probes: &[Range]) -> Self {
        let filter = RangeFilter::new([0; N]);
        Self { filter, model: Vec::new(), taken: vec![0; N], probes: probes.to_vec() }
    }

    /// The buckets of a range, found without the loops of the filter.
    fn buckets(&self, range: Range) -> Vec<usize> {
        let (first, last) = (range.offset / GRANULE, (range.end - 1) / GRANULE);
        let granules = first..=last;
        granules.map(|granule| self.filter.bucket(range.file, granule) as usize).collect()
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = match operation {
            Operation::Insert(range) => {
                self.probe(range);
                let (counted, _) = self.filter.enter(range);
                self.buckets(range).iter().for_each(|bucket| self.taken[*bucket] += 1);
                self.model.push((range, counted));
                Step::Changed
            }
            Operation::Remove(position) if position < self.model.len() => {
                let (range, counted) = self.model.swap_remove(position);
                self.filter.leave(counted, range);
                self.buckets(range).iter().for_each(|bucket| self.taken[*bucket] -= 1);
                Step::Changed
            }
            Operation::Remove(_) => Step::Nothing,
            Operation::Probe(range) => {
                self.probe(range);
                Step::Nothing
            }
        };
        (0..self.probes.len()).for_each(|probe| self.probe(self.probes[probe]));
        assert_eq!(self.filter.check(), self.taken.iter().map(|taken| *taken as u64).sum());
        step
    }

    fn probe(&mut self, probe: Range) {
        let answer = self.filter.is_taken(probe);
        let overlaps = self.model.iter().any(|(range, _)| range.overlaps(probe));
        assert!(answer || !overlaps, "{probe:?} overlaps something in flight");
        // Two of its own granules may share a bucket.
        let buckets = self.buckets(probe);
        let expected = (0..buckets.len()).any(|index| {
            self.taken[buckets[index]] > 0 || buckets[..index].contains(&buckets[index])
        });
        assert_eq!(answer, expected, "{probe:?}: taken exactly when a bucket of it is");
    }
}

#[test]
fn every_short_sequence_finds_every_overlap_and_ends_empty() {
    let ranges = [
        Range::new(0, 0, 1),
        Range::new(0, 0, GRANULE),
        Range::new(0, GRANULE - 1, 2),
        Range::new(1, GRANULE, 3 * GRANULE),
        Range::new(0, 5, 3 * GRANULE),
        Range::new(1, (i64::MAX as u64) - 7, 7),
    ];
    let mut operations: Vec<_> = ranges.map(Operation::Insert).into();
    operations.extend((0..3).map(Operation::Remove));
    let run = every_sequence(&operations, depth(5), || State::<4>::new(&ranges), State::step);
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
    let run = every_sequence(&operations, depth(5), || State::<64>::new(&ranges), State::step);
    assert!(run > 1_000 || cfg!(miri), "{run} sequences");
}

/// A narrow range near others, so that they often overlap.
fn near(random: &mut Random) -> Range {
    let file = random.below(3) as u16;
    let offset = random.below(40) as u64 * GRANULE / 2 + random.below(3) as u64;
    let byte_count = 1 + random.below(3 * GRANULE as usize) as u64;
    Range::new(file, offset, byte_count)
}

#[test]
fn a_long_random_run_finds_every_overlap_and_ends_empty() {
    let mut state = State::<256>::new(&[]);
    let (mut crowded, mut none) = (0, 0);
    long_run("range filter", |random: &mut Random| {
        let position = random.below(state.model.len().max(1));
        let operation = match random.adds() {
            true if state.model.len() < 100 => Operation::Insert(near(random)),
            _ => Operation::Remove(position),
        };
        state.step(operation);
        state.step(Operation::Probe(near(random)));
        crowded += usize::from(state.model.len() == 100);
        none += usize::from(state.model.is_empty());
    });
    assert!(cfg!(miri) || crowded.min(none) > 20, "{crowded} {none}");
    while state.step(Operation::Remove(0)) == Step::Changed {}
    assert_eq!(state.filter.check(), 0);
}

#[test]
fn narrow_tells_the_granules_of_up_to_four() {
    let edges = (0..=6).flat_map(|granule: u64| {
        let at = granule * GRANULE;
        [at.saturating_sub(1), at, at + 1]
    });
    let edges: Vec<u64> = edges.collect();
    let (mut narrow_count, mut wide_count) = (0, 0);
    for &offset in &edges {
        for &end in edges.iter().filter(|end| **end > offset) {
            // Found byte by byte, at the bytes where the granule can change.
            let mut touched: Vec<u64> = edges
                .iter()
                .filter(|byte| (offset..end).contains(byte))
                .chain(&[offset, end - 1])
                .map(|byte| byte / GRANULE)
                .collect();
            touched.sort_unstable();
            touched.dedup();
            let expected = (touched.len() <= 4).then(|| (touched[0], touched[touched.len() - 1]));
            assert_eq!(narrow(offset, end), expected, "{offset}..{end}");
            narrow_count += usize::from(expected.is_some());
            wide_count += usize::from(expected.is_none());
        }
    }
    assert!(narrow_count > 20 && wide_count > 20, "{narrow_count} {wide_count}");
    assert_eq!(narrow(0, u64::MAX), None);
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let mut filter = RangeFilter::new([0u32; 1024]);
    assert_eq!(narrow(16_000, 17_000), Some((0, 1)));
    filter.enter(Range::new(0, 16_000, 1_000));
    let mut asked = |offset| filter.is_taken(Range::new(0, offset, 64));
    assert_eq!((asked(20_000), asked(40_000)), (true, false));
}

#[test]
fn ranges_that_share_nothing_seldom_look_taken() {
    // 64 of 1,024 buckets taken: about one probe in sixteen may be a false alarm.
    let mut filter = RangeFilter::new([0u32; 1024]);
    (0..64).for_each(|granule| {
        filter.enter(Range::new(3, granule * GRANULE, 64));
    });
    let buckets = (0..1024).filter(|bucket| *filter.buckets.at(*bucket) > 0).count();
    assert!(buckets > 56, "{buckets} buckets for 64 granules");
    let mut alarms = |file: u16, from: u64, count: u64| {
        let probes = (from..from + count).map(|at| Range::new(file, at * GRANULE, 64));
        probes.filter(|probe| filter.is_taken(*probe)).count()
    };
    for alarms in [alarms(3, 64, 1_000), alarms(3, 1 << 40, 1_000), alarms(4, 1 << 20, 1_000)] {
        assert!(alarms < 125, "{alarms} false alarms in 1,000");
    }
    for alarms in [alarms(4, 0, 64), alarms(2, 0, 64), alarms(0x8003, 0, 64)] {
        assert!(alarms < 16, "{alarms} false alarms in 64 granules of the same numbers");
    }
}

#[test]
fn counters_of_an_engine_that_is_gone_do_not_count() {
    let mut memory = [7u32; 16];
    assert_eq!(RangeFilter::new(&mut memory[..]).check(), 0);
}

#[test]
fn the_smallest_and_the_largest_tables_have_buckets_for_every_granule() {
    for granule in (0..200).chain([u64::MAX, 1 << 49]) {
        assert!(RangeFilter::new([0u32; 2]).bucket(u16::MAX, granule) < 2);
        assert!(RangeFilter::new([0u32; 4]).bucket(u16::MAX, granule) < 4);
    }
}
