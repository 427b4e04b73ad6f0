//! How it looks on a terminal of 100 columns: [`Ink`], [`heading`], [`Fact`], and the tables. Pure.

use hdrhistogram::Histogram;

use crate::{
    figures,
    histogram::{Bins, bar},
    rates::{COMMITTERS, Rates, Target},
};

/// Columns of the terminal.
const WIDTH: usize = 100;
const LABEL: usize = 26;
/// Rows of a histogram.
const BINS: usize = 22;
const BAR: usize = 28;

/// Whether text may have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Nothing but text.
    Plain,
    /// With the colours of a terminal (ECMA-48, SGR).
    Coloured,
}

impl Ink {
    /// Stands out.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Steps back.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// All is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Worth a look.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn cool(self, text: &str) -> String {
        self.paint("36", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// One thing that the system says.
#[derive(Debug)]
pub(crate) struct Fact {
    label: &'static str,
    value: String,
    remark: Option<String>,
}

impl Fact {
    /// As it should be.
    pub(crate) const fn new(label: &'static str, value: String) -> Self {
        Self { label, value, remark: None }
    }

    /// With something to look at.
    pub(crate) fn but(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// A line, or more.
    pub(crate) fn line(&self, ink: Ink) -> String {
        let label = ink.faint(&format!("{:LABEL$}", self.label));
        let mut text = String::new();
        for (number, line) in wrapped(&self.value, WIDTH - LABEL - 2, ',').iter().enumerate() {
            let label = if number == 0 { &label } else { &" ".repeat(LABEL) };
            text += &format!("  {label}{line}\n");
        }
        if let Some(remark) = &self.remark {
            for line in wrapped(remark, WIDTH - LABEL - 4, ' ') {
                text += &format!("  {:LABEL$}{}\n", "", ink.bad(&format!("! {line}")));
            }
        }
        text
    }
}

/// Cuts a text into lines of at most so many columns, behind this character where that is possible.
pub(crate) fn wrapped(text: &str, columns: usize, separator: char) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(separator) {
        let is_full =
            |line: &String| line.chars().count() + word.trim_end().chars().count() > columns;
        if lines.last().is_some_and(|line| !line.is_empty() && is_full(line)) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
    }
    lines.iter().map(|line| line.trim().to_owned()).collect()
}

/// The line above a section.
pub(crate) fn heading(title: &str, about: &str, ink: Ink) -> String {
    let about = if about.is_empty() { String::new() } else { format!("· {about} ") };
    let used = title.chars().count() + about.chars().count() + 4;
    let rule = ink.faint(&format!("{about}{}", "─".repeat(WIDTH.saturating_sub(used))));
    format!("\n{} {} {rule}\n", ink.faint("──"), ink.strong(title))
}

/// Two histograms beside each other, and their percentiles. Samples are times in nanoseconds.
pub(crate) fn latencies(targets: &[(Target, &Histogram<u64>); 2], ink: Ink) -> String {
    let histograms = targets.map(|(_, histogram)| histogram);
    let Some(bins) = Bins::for_all(&histograms, BINS) else { return String::new() };
    let counts = histograms.map(|histogram| bins.counts(histogram));
    let most = counts.iter().flatten().copied().max().unwrap_or_default();
    let names = targets.map(|(target, _)| format!("{:<38}", target.name()));
    let mut text = format!("{:13}{}\n", "", ink.strong(names.concat().trim_end()));
    let [left, right] = &counts;
    for (begin, (left, right)) in bins.edges().zip(left.iter().zip(right)) {
        let side = |count: u64| {
            let bar = bar(count, most, BAR);
            let behind = if count == 0 { String::new() } else { format!(" {count}") };
            let gap = " ".repeat(37 - bar.chars().count().min(30) - behind.len().min(7));
            format!("{}{}{gap}", ink.cool(&bar), ink.faint(&behind))
        };
        let label = ink.faint(&format!("{:>10} │", figures::time(begin)));
        let line = format!("{label}{}{}{}", side(*left), ink.faint("│"), side(*right));
        text += &format!("{}\n", line.trim_end());
    }
    text.push('\n');
    for (target, histogram) in targets {
        let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];
        let quantiles = quantiles.map(|(name, quantile)| {
            let value = figures::time(histogram.value_at_quantile(quantile) as f64);
            format!("{} {value:<11}", ink.faint(name))
        });
        let samples = format!("{} samples", figures::rate(histogram.len() as f64));
        text += &format!("  {:20}{}{}\n", target.name(), quantiles.concat(), ink.faint(&samples));
    }
    text
}

/// Commits per second. The best of a column has a star.
pub(crate) fn rates(rates: &Rates, ink: Ink) -> String {
    let columns = COMMITTERS.map(|count| format!("{count:>7}")).concat();
    let names = Target::ALL.map(|target| format!("{:^38}", target.name())).concat();
    let mut text = format!("{:22}{}\n", "", ink.strong(names.trim_end()));
    text += &format!("{:22}{}\n", "", ink.faint(&format!("{columns}   {columns}")));
    for row in &rates.rows {
        let indent = if row.variant.is_flag() { 4 } else { 2 };
        let name = format!("{:indent$}{}", "", row.variant.short_name());
        let cells = Target::ALL.map(|target| {
            let cell = |(column, rate): (usize, f64)| {
                if rate > 0.0 && rate >= rates.best(target, column) {
                    ink.good(&format!("{:>6}*", figures::compact(rate)))
                } else {
                    format!("{:>6} ", figures::compact(rate))
                }
            };
            row.rates(target).into_iter().enumerate().map(cell).collect::<String>()
        });
        text += &format!("{name:23}{}\n", cells.join("   ").trim_end());
    }
    text
}

/// Some figures behind a name.
pub(crate) fn series(name: &str, figures: &[(String, String)], ink: Ink) -> String {
    let figures: Vec<String> = figures
        .iter()
        .map(|(name, value)| format!("{} {value:<12}", ink.faint(&format!("{name:>9}"))))
        .collect();
    format!("  {name:30}{}\n", figures.concat().trim_end())
}
