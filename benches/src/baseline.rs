//! [`Baseline`]: what each case cost when somebody last looked, kept in a committed file.
//!
//! One case a line, name and instructions, sorted by name; `#` begins a comment. A case that costs
//! more than [`TOLERANCE`] above its line is a finding, and so is a case that only one side knows:
//! a guard that silently skips what it does not find guards nothing. A case that got cheaper by as
//! much is no finding, but its line should be lowered, or the gain can be lost again unnoticed.
//!
//! Worked example: the file says 200, 209 is measured: 4.5 % more, taken as equal. 211: a finding.

use std::{collections::BTreeMap, fmt};

use crate::Failure;

/// How much more than its line a case may cost, as a fraction of it.
pub const TOLERANCE: f64 = 0.05;

const HEADER: &str = "\
# User-space instructions, case by case; the header of src/bin/instructions.rs says what is counted.
# Rewritten by: cargo run --release -p ringzero-benches --bin instructions -- --update
";

/// Cases and what they cost, in instructions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline(BTreeMap<String, f64>);

/// What is wrong with a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// More than the tolerance above the baseline.
    Worse {
        /// The case.
        case: String,
        /// What the file says.
        known: f64,
        /// What was measured.
        measured: f64,
    },
    /// Measured, and not in the file.
    Unknown(String),
    /// In the file, and not measured.
    Missing(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worse { case, known, measured } => {
                let percent = (measured / known - 1.0) * 100.0;
                write!(f, "{case}: {measured:.1} instructions, {percent:.1} % above {known:.0}")
            }
            Self::Unknown(case) => write!(f, "{case}: measured, but not in the baseline"),
            Self::Missing(case) => write!(f, "{case}: in the baseline, but not measured"),
        }
    }
}

impl Baseline {
    /// Reads the file's text.
    ///
    /// # Errors
    /// A line that is not a name and a positive number, or a second one for a case.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut cases = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let fields = line.split_whitespace().collect::<Vec<_>>();
            let &[case, number] = fields.as_slice() else {
                return Err(format!("not a case and a number: {line}").into());
            };
            let known: f64 = number.parse().map_err(|error| format!("{line}: {error}"))?;
            if !(known.is_finite() && known > 0.0) {
                return Err(format!("nothing costs that: {line}").into());
            }
            if cases.insert(case.to_owned(), known).is_some() {
                return Err(format!("twice in the baseline: {case}").into());
            }
        }
        Ok(Self(cases))
    }

    /// What the file says of a case.
    pub fn of(&self, case: &str) -> Option<f64> {
        self.0.get(case).copied()
    }

    /// The cases, sorted.
    pub fn cases(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Compares a measurement of every case with this.
    pub fn findings(&self, measured: &Self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (case, &measured) in &measured.0 {
            let case = case.clone();
            findings.extend(match self.of(&case) {
                None => Some(Finding::Unknown(case)),
                Some(known) if measured > known * (1.0 + TOLERANCE) => {
                    Some(Finding::Worse { case, known, measured })
                }
                Some(_) => None,
            });
        }
        let missing = self.cases().filter(|case| measured.of(case).is_none());
        findings.extend(missing.map(|case| Finding::Missing(case.to_owned())));
        findings
    }
}

impl FromIterator<(String, f64)> for Baseline {
    fn from_iter<I: IntoIterator<Item = (String, f64)>>(cases: I) -> Self {
        Self(cases.into_iter().collect())
    }
}

/// The file's text: whole instructions, so that a line changes only when its case did.
impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        self.0.iter().try_for_each(|(case, known)| writeln!(f, "{case} {known:.0}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(cases: &[(&str, f64)]) -> Baseline {
        cases.iter().map(|&(case, known)| (case.to_owned(), known)).collect()
    }

    #[test]
    fn six_percent_more_is_a_finding_and_four_percent_is_not() {
        let known = baseline(&[("append", 200.0), ("write", 400.0)]);
        assert_eq!(known.findings(&baseline(&[("append", 208.0), ("write", 416.0)])), []);
        let findings = known.findings(&baseline(&[("append", 212.0), ("write", 416.0)]));
        let case = "append".to_owned();
        assert_eq!(findings, [Finding::Worse { case, known: 200.0, measured: 212.0 }]);
        assert_eq!(findings[0].to_string(), "append: 212.0 instructions, 6.0 % above 200");
    }

    #[test]
    fn less_is_no_finding() {
        let known = baseline(&[("append", 200.0)]);
        assert_eq!(known.findings(&baseline(&[("append", 20.0)])), []);
    }

    #[test]
    fn a_case_that_only_one_side_knows_is_a_finding() {
        let known = baseline(&[("append", 200.0), ("forgotten", 100.0)]);
        let findings = known.findings(&baseline(&[("append", 200.0), ("new", 1.0)]));
        let (unknown, missing) = ("new".to_owned(), "forgotten".to_owned());
        assert_eq!(findings, [Finding::Unknown(unknown), Finding::Missing(missing)]);
    }

    #[test]
    fn what_is_written_is_sorted_and_rounded_and_reads_as_itself() {
        let text = baseline(&[("write", 380.4), ("append", 199.6)]).to_string();
        let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        assert_eq!(lines, ["append 200", "write 380"]);
        let read = Baseline::parse(&text).unwrap();
        assert_eq!(read, baseline(&[("append", 200.0), ("write", 380.0)]));
        assert_eq!(read.to_string(), text);
    }

    #[test]
    fn a_line_that_says_nothing_clear_is_refused() {
        for text in ["append", "append 1 2", "append x", "append 0", "append NaN", "a 1\na 2"] {
            assert!(Baseline::parse(text).is_err(), "{text}");
        }
    }
}
