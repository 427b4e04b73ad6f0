//! Commits per second of each variant, by number of committers: [`Rates`]. Pure.

use crate::variant::Variant;

/// The numbers of committers.
pub(crate) const COMMITTERS: [usize; 5] = [1, 4, 16, 64, 256];

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

    /// One number for a target: the geometric mean over the numbers of committers.
    pub(crate) fn mean(&self, target: Target) -> f64 {
        let rates = self.rates(target);
        let sum: f64 = rates.iter().map(|rate| rate.max(f64::MIN_POSITIVE).ln()).sum();
        (sum / rates.len() as f64).exp()
    }

    /// One number for all: the geometric mean over everything.
    pub(crate) fn score(&self) -> f64 {
        (self.mean(Target::Growing) * self.mean(Target::Segment)).sqrt()
    }
}

/// The figures of all variants that work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    /// One per variant, in the order of [`Variant::ALL`].
    pub(crate) rows: Vec<Row>,
}

impl Rates {
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
