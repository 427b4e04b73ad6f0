//! Counting a child's user-space instructions with `valgrind --tool=callgrind`.
//!
//! The child runs a loop of N operations. Two runs with different N tell the cost of one operation,
//! free of set-up: `(I(N2) − I(N1)) / (N2 − N1)`. The count is repeatable to a fraction of an
//! instruction, whatever else the machine does; it says nothing of the kernel's side.

use std::{path::Path, process::Command};

use crate::Failure;

/// Operations of the shorter and the longer run.
const COUNTS: [u64; 2] = [20_000, 60_000];

/// What of a child is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// What runs inside the functions whose path ends like this, calls included.
    Within(&'static str),
}

/// Instructions per operation of the child `program` with `arguments` and the count as the last.
///
/// # Errors
/// valgrind is missing, the child failed, or nothing was counted; the text says which and what to
/// do.
pub fn per_operation(program: &Path, arguments: &[&str], extent: Extent) -> Result<f64, Failure> {
    let [short, long] = COUNTS;
    let [less, more] =
        [short, long].map(|operations| count(program, arguments, extent, operations));
    let difference = more? - less?;
    if difference <= 0.0 {
        return Err(format!("nothing of {arguments:?} was counted ({extent:?})").into());
    }
    Ok(difference / (long - short) as f64)
}

fn count(
    program: &Path,
    arguments: &[&str],
    extent: Extent,
    operations: u64,
) -> Result<f64, Failure> {
    let toggle = match extent {
        Extent::Whole => None,
        Extent::Within(function) => Some(format!("--toggle-collect=*::{function}")),
    };
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(toggle)
        .arg(program)
        .args(arguments)
        .arg(operations.to_string())
        .output()
        .map_err(|error| format!("cannot run valgrind ({error}): install the package valgrind"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("the measured program failed:\n{report}").into()),
    }
}
