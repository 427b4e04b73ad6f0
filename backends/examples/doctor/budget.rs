//! The time that is left, divided: [`Budget`]. Pure.
//!
//! Every measurement has a weight. It gets that share of what is *left*, not of the whole: one that
//! takes longer than its share (a device that is slow to answer) makes those after it shorter, so
//! that the sum stays what was asked for.

use std::time::Duration;

/// How much weight is left for the time that is left.
#[derive(Debug)]
pub(crate) struct Budget {
    weight: u32,
}

impl Budget {
    /// For measurements that weigh so much in all.
    pub(crate) const fn new(weight: u32) -> Self {
        Self { weight }
    }

    /// The share of the next measurement, if so much time is left for it and all behind it.
    pub(crate) fn take(&mut self, weight: u32, left: Duration) -> Duration {
        let weight = weight.min(self.weight);
        let share = left * weight / self.weight.max(1);
        self.weight -= weight;
        share
    }
}
