//! Commits per second of each variant, by number of committers: [`Rates`]. Pure.

use crate::variant::Variant;

/// The numbers of committers.
pub(crate) const COMMITTERS: [usize; 5] = [1, 4, 16, 64, 256];

/// How much better something must be than the usual: figures of a few seconds are rough.
pub(crate) const WORTH_IT: f64 = 1.15;
/// And in which share of the comparisons: eight of ten, three of three.
const USUALLY: f64 = 0.8;

/// What is committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file that grows.
    Growing,
    /// A segment of zeros that were really written.
    Segment,
}

impl Target {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Growing, Self::Segment];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Growing => "growing file",
            Self::Segment => "prepared segment",
        }
    }
}

/// One variant's figures, of several rounds.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Which one.
    pub(crate) variant: Variant,
    growing: [Vec<f64>; COMMITTERS.len()],
    segment: [Vec<f64>; COMMITTERS.len()],
}

impl Row {
    /// One without figures.
    pub(crate) fn new(variant: Variant) -> Self {
        Self { variant, growing: Default::default(), segment: Default::default() }
    }

    /// Adds a round's figure.
    pub(crate) fn add(&mut self, target: Target, column: usize, rate: f64) {
        let cells = match target {
            Target::Growing => &mut self.growing,
            Target::Segment => &mut self.segment,
        };
        if let Some(cell) = cells.get_mut(column) {
            cell.push(rate);
        }
    }

    /// The median of each number of committers.
    pub(crate) fn rates(&self, target: Target) -> [f64; COMMITTERS.len()] {
        let cells = match target {
            Target::Growing => &self.growing,
            Target::Segment => &self.segment,
        };
        std::array::from_fn(|column| cells.get(column).map_or(0.0, |cell| median(cell)))
    }

    /// All medians.
    fn all(&self) -> Vec<f64> {
        Target::ALL.iter().flat_map(|target| self.rates(*target)).collect()
    }

    /// This one's figures to another's.
    pub(crate) fn to(&self, other: &Self) -> Ratio {
        Ratio::of(&self.all(), &other.all())
    }
}

/// How many times as much something is as something else, by pairs of figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// The median of the pairs.
    pub(crate) median: f64,
    /// In which share of the pairs it was more.
    share: f64,
}

impl Ratio {
    /// Of figures measured under the same conditions, pair by pair.
    pub(crate) fn of(these: &[f64], those: &[f64]) -> Self {
        let pairs = these.iter().zip(those);
        let ratios: Vec<f64> = pairs.map(|(a, b)| a / b.max(f64::MIN_POSITIVE)).collect();
        let more = ratios.iter().filter(|ratio| **ratio > 1.0).count();
        Self { median: median(&ratios), share: more as f64 / ratios.len().max(1) as f64 }
    }

    /// Whether it is so much more, and so often, that it is worth something.
    pub(crate) fn is_worth_it(self) -> bool {
        self.median >= WORTH_IT && self.share >= USUALLY
    }
}

/// The figures of all variants that work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    /// One per variant, in the order of [`Variant::ALL`].
    pub(crate) rows: Vec<Row>,
}

impl Rates {
    /// A segment's figures to those of a growing file: of all variants, since it is the file system
    /// that makes the difference.
    pub(crate) fn segment_to_growing(&self) -> Ratio {
        let all = |target| self.rows.iter().flat_map(|row| row.rates(target)).collect::<Vec<_>>();
        Ratio::of(&all(Target::Segment), &all(Target::Growing))
    }

    /// The figures of one variant.
    pub(crate) fn of(&self, variant: Variant) -> Option<&Row> {
        self.rows.iter().find(|row| row.variant == variant)
    }

    /// The highest figure of a column.
    pub(crate) fn best(&self, target: Target, column: usize) -> f64 {
        let rates = self.rows.iter().filter_map(|row| row.rates(target).get(column).copied());
        rates.fold(0.0, f64::max)
    }
}

/// The one in the middle; the lower one of two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
