//! [`Table`]: the cells, and how they are printed.

use std::{collections::BTreeMap, fmt::Write};

use ringzero_alloc_audit::Offence;

use crate::{
    backend::Column,
    cell::{Cell, Verdict},
};

const LEGEND: &str = "calls of the interface / completions checked / allocations + reallocations + \
                      deallocations";
const NAME_COLUMNS: usize = 14;
const CELL_COLUMNS: usize = 21;

struct Row {
    name: &'static str,
    cells: Vec<Cell>,
}

/// The cells of all rows, one per backend.
pub(crate) struct Table {
    backends: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { backends: columns.iter().map(|column| column.name).collect(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &'static str, cells: Vec<Cell>) {
        self.rows.push(Row { name, cells });
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rows.iter().flat_map(|row| &row.cells)
    }

    pub(crate) fn clean_count(&self) -> usize {
        self.cells().filter(|cell| matches!(cell.verdict, Verdict::Clean)).count()
    }

    pub(crate) fn skipped_count(&self) -> usize {
        self.cells().filter(|cell| matches!(cell.verdict, Verdict::Skipped(_))).count()
    }

    pub(crate) fn bad_count(&self) -> usize {
        self.cells().count() - self.clean_count() - self.skipped_count()
    }

    /// Whether every cell that could run has one offence and no other: an allocation of
    /// `size_bytes` with a place. Not so if none could run.
    pub(crate) fn is_full_of(&self, size_bytes: usize) -> bool {
        let has_run = |cell: &&Cell| !matches!(cell.verdict, Verdict::Skipped(_));
        let is_found = |cell: &Cell| {
            let Cell { allocations, reallocations, deallocations, first_offence, .. } = cell;
            let is_it =
                |offence: &Offence| offence.size_bytes() == size_bytes && offence.place().is_some();
            (*allocations, *reallocations, *deallocations) == (1, 0, 0)
                && first_offence.as_ref().is_some_and(is_it)
        };
        self.cells().filter(has_run).count() > 0 && self.cells().filter(has_run).all(is_found)
    }

    /// What the figures mean, and the names of the backends.
    pub(crate) fn header(&self) -> String {
        let mut text = format!("{LEGEND}\n\n{:<NAME_COLUMNS$}", "workload");
        for name in &self.backends {
            let _ = write!(text, "{name:>CELL_COLUMNS$}");
        }
        text.push('\n');
        text
    }

    pub(crate) fn last_row(&self) -> String {
        let mut text = String::new();
        if let Some(Row { name, cells }) = self.rows.last() {
            let _ = write!(text, "{name:<NAME_COLUMNS$}");
            for cell in cells {
                let _ = write!(text, "{:>CELL_COLUMNS$}", figures(cell));
            }
            text.push('\n');
        }
        text
    }

    /// Every cell that is not clean, with its reason or its first offence, and the stack of the
    /// first offence of all.
    pub(crate) fn findings(&self) -> String {
        let mut text = self.skips();
        let mut first_stack = None;
        for (name, backend, cell) in self.named_cells() {
            match &cell.verdict {
                Verdict::Clean | Verdict::Skipped(_) => {}
                Verdict::Wrong(wrong) => {
                    let _ = writeln!(text, "wrong: {name} on {backend}: {wrong}");
                }
                Verdict::Offended => {
                    let _ = writeln!(text, "offence: {name} on {backend}: {}", offence(cell));
                    first_stack = first_stack.or(cell.first_offence.as_ref());
                }
            }
        }
        if let Some(offence) = first_stack {
            let _ = write!(text, "\nstack of the first offence:\n{}", offence.trace());
        }
        text
    }

    /// One line for each reason on each backend, with the workloads it keeps from running.
    fn skips(&self) -> String {
        let mut workloads = BTreeMap::<_, Vec<_>>::new();
        for (name, backend, cell) in self.named_cells() {
            if let Verdict::Skipped(reason) = &cell.verdict {
                workloads.entry((backend, reason.as_str())).or_default().push(name);
            }
        }
        let line = |((backend, reason), names): (&(_, _), &Vec<_>)| {
            format!("skipped: {} on {backend}: {reason}\n", names.join(", "))
        };
        workloads.iter().map(line).collect()
    }

    fn named_cells(&self) -> impl Iterator<Item = (&'static str, &'static str, &Cell)> {
        self.rows.iter().flat_map(|row| {
            let cells = self.backends.iter().zip(&row.cells);
            cells.map(|(backend, cell)| (row.name, *backend, cell))
        })
    }
}

fn figures(cell: &Cell) -> String {
    let Cell { tally, allocations, reallocations, deallocations, .. } = cell;
    match cell.verdict {
        Verdict::Skipped(_) => "skipped".to_owned(),
        Verdict::Wrong(_) => "wrong".to_owned(),
        Verdict::Clean | Verdict::Offended => format!(
            "{}/{}/{allocations}+{reallocations}+{deallocations}",
            tally.calls, tally.completions
        ),
    }
}

/// Size and place of a cell's first offence.
fn offence(cell: &Cell) -> String {
    let Some(offence) = &cell.first_offence else { return "of unknown kind".to_owned() };
    match offence.place() {
        Some(place) => format!("{offence}, in {place}"),
        None => format!("{offence}, place unknown (no symbols)"),
    }
}
