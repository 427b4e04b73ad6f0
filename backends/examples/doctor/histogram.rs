//! Latencies as bars in a terminal: [`Bins`] and [`bar`]. Pure.
//!
//! Bins are of equal width on a logarithmic axis: 20, 10, 5 or 2 per decade, the most that fit.
//! Bars are logarithmic too: otherwise one answer in a thousand, which is what matters of a
//! latency, could not be seen. A bar of one sample is short, and never nothing.

use hdrhistogram::Histogram;

/// Bins per decade, the finest first.
const PER_DECADE: [i32; 4] = [20, 10, 5, 2];
const NANOSECONDS: f64 = 1e9;

/// Equal steps of the logarithm of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bins {
    per_decade: i32,
    first: i32,
    last: i32,
}

impl Bins {
    /// At most `most` bins for all that was recorded; `None` if nothing was. (Beyond what a clock
    /// can tell, more: 2 per decade are the fewest.)
    pub(crate) fn for_all(histograms: &[&Histogram<u64>], most: usize) -> Option<Self> {
        let recorded = || histograms.iter().filter(|histogram| !histogram.is_empty());
        let least = recorded().map(|histogram| histogram.min()).min()?;
        let longest = recorded().map(|histogram| histogram.max()).max()?;
        let all = PER_DECADE.map(|per_decade| Self {
            per_decade,
            first: position(per_decade, least),
            last: position(per_decade, longest),
        });
        all.into_iter().find(|bins| bins.count() <= most).or(all.last().copied())
    }

    /// How many.
    pub(crate) const fn count(self) -> usize {
        (self.last - self.first + 1) as usize
    }

    /// Where each begins, and at last where the last one ends, in nanoseconds.
    pub(crate) fn edges(self) -> impl Iterator<Item = f64> {
        (self.first..=self.last + 1).map(move |at| edge(self.per_decade, at))
    }

    /// How much was recorded in each.
    pub(crate) fn counts(self, histogram: &Histogram<u64>) -> Vec<u64> {
        let mut counts = vec![0; self.count()];
        for recorded in histogram.iter_recorded() {
            let at = position(self.per_decade, recorded.value_iterated_to()).min(self.last);
            let at = (at - self.first).max(0) as usize;
            if let Some(count) = counts.get_mut(at) {
                *count += recorded.count_since_last_iteration();
            }
        }
        counts
    }
}

/// The number of the bin that a time is in. Bin 0 begins at one second.
fn position(per_decade: i32, nanoseconds: u64) -> i32 {
    let seconds = nanoseconds.max(1) as f64 / NANOSECONDS;
    (seconds.log10() * f64::from(per_decade)).floor() as i32
}

fn edge(per_decade: i32, at: i32) -> f64 {
    NANOSECONDS * 10_f64.powf(f64::from(at) / f64::from(per_decade))
}

/// A bar for `count`, at most `columns` long, which is the length for `most`; in eighths of a
/// column.
pub(crate) fn bar(count: u64, most: u64, columns: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let logarithm = |count: u64| (count as f64 + 1.0).ln();
    let share = if most == 0 { 0.0 } else { logarithm(count) / logarithm(most) };
    let eighths = (share.min(1.0) * columns as f64 * 8.0).round() as usize;
    let eighths = if count > 0 { eighths.max(1) } else { 0 };
    let part = PARTS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}
