//! [`explore`]: every execution of a model, counted.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use loom::model::Builder;

/// What an exploration found.
#[derive(Clone, Debug)]
pub(crate) struct Exploration {
    /// Executions that were run, the failed one among them.
    pub(crate) executions: u64,
    /// What the first failed execution said, if one failed.
    pub(crate) failure: Option<String>,
}

/// A model, and how much of it is explored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    /// How often a thread that could go on is made to wait; `None` for any number of times.
    pub(crate) preemptions: Option<usize>,
}

impl Model {
    /// Runs it in every way that its threads can interleave and its loads can be answered, until
    /// one fails.
    pub(crate) fn explore(self) -> Exploration {
        let count = Arc::new(AtomicU64::new(0));
        let counter = count.clone();
        let mut builder = Builder::new();
        builder.preemption_bound = self.preemptions;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            builder.check(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                (self.run)();
            });
        }));
        let failure = outcome.err().map(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or(literal).unwrap_or_else(|| "a panic without words".to_owned())
        });
        Exploration { executions: count.load(Ordering::Relaxed), failure }
    }

    /// Expects that every execution passes, and says how many there are.
    #[track_caller]
    pub(crate) fn holds(self) {
        let Exploration { executions, failure } = self.explore();
        println!("{}: {executions} executions", self.name);
        assert_eq!(failure, None, "{}, execution {executions}", self.name);
        assert!(executions > 1, "{}: nothing was interleaved", self.name);
    }
}
