//! What a child says of its run: [`Measured`]. One line of JSON.

use serde::{Deserialize, Serialize};

/// What one run of one contestant took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// From before the first submission to after the last completion.
    pub elapsed_ns: u64,
    /// Records or commits completed, each with full success.
    pub operations: u64,
    /// Bytes of these records.
    pub bytes: u64,
    /// Processor time, user and system, of all threads of the child in that time. Kernel workers
    /// and polling threads of io_uring are threads of the process, so they count.
    pub cpu_ns: u64,
    /// Most memory resident in the child from its start to its end, in bytes.
    pub peak_memory_bytes: u64,
    /// How long single operations took, where that counts.
    pub latency: Option<Percentiles>,
    /// What the file holds now.
    #[serde(default)]
    pub contents: Contents,
    /// What is worth telling of this run: "12 records per kernel write".
    pub notes: Vec<String>,
}

/// What a contestant wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contents {
    /// The records of the job: the parent checks them.
    #[default]
    Records,
    /// Bytes of its own, as a program that is no child of ours does: nothing to check.
    Foreign,
}

/// Latencies in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half are faster.
    pub p50_ns: u64,
    /// 99 of 100 are faster.
    pub p99_ns: u64,
    /// 999 of 1,000 are faster.
    pub p999_ns: u64,
}

impl Measured {
    /// Operations per second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 * 1e9 / self.elapsed_ns.max(1) as f64
    }

    /// Processor time per operation.
    pub fn cpu_ns_per_operation(&self) -> f64 {
        self.cpu_ns as f64 / self.operations.max(1) as f64
    }

    /// The same with something worth telling.
    #[must_use]
    pub fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_and_costs_per_operation() {
        let measured = Measured {
            elapsed_ns: 500_000_000,
            operations: 1_000,
            cpu_ns: 50_000,
            ..Measured::default()
        };
        assert_eq!(measured.rate(), 2_000.0);
        assert_eq!(measured.cpu_ns_per_operation(), 50.0);
    }
}
