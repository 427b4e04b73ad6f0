//! A progress bar that the loop pays one store for: [`Progress`].
//!
//! Drawing allocates, so a thread of its own draws; the loop only moves a [`Counter`]. Nothing is
//! drawn, and no thread started, unless standard error is a terminal.

use std::{
    io::{IsTerminal, stderr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{Builder, JoinHandle, park_timeout},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

const REDRAW: Duration = Duration::from_millis(100);

/// How far the work is.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    byte_count: AtomicU64,
    record_count: AtomicU64,
    is_finished: AtomicBool,
}

impl Counter {
    /// The work is so far. The figures need not be in step with each other.
    pub(crate) fn set(&self, byte_count: u64, record_count: u64) {
        self.byte_count.store(byte_count, Ordering::Relaxed);
        self.record_count.store(record_count, Ordering::Relaxed);
    }
}

/// A bar, or nothing. Vanishes when dropped.
pub(crate) struct Progress {
    counter: Arc<Counter>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to show the work on `total_bytes`, or on an unknown number of them.
    pub(crate) fn start(label: &'static str, total_bytes: Option<u64>) -> Self {
        let counter = Arc::new(Counter::default());
        let thread = stderr().is_terminal().then(|| {
            let counter = Arc::clone(&counter);
            Builder::new().spawn(move || draw(&counter, &bar(label, total_bytes))).ok()
        });
        Self { counter, thread: thread.flatten() }
    }

    /// What the loop moves.
    pub(crate) fn counter(&self) -> &Counter {
        &self.counter
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.counter.is_finished.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It draws and nothing else; if it panicked, the bar is missing and no more.
            let _ = thread.join();
        }
    }
}

fn draw(counter: &Counter, bar: &ProgressBar) {
    while !counter.is_finished.load(Ordering::Relaxed) {
        bar.set_position(counter.byte_count.load(Ordering::Relaxed));
        bar.set_message(format!("{} records", counter.record_count.load(Ordering::Relaxed)));
        park_timeout(REDRAW);
    }
    bar.finish_and_clear();
}

fn bar(label: &'static str, total_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match total_bytes {
        Some(byte_count) => (
            ProgressBar::new(byte_count),
            "{prefix} {wide_bar} {bytes} of {total_bytes}, {msg}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{prefix} {spinner} {bytes}, {msg}, {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style).with_prefix(label),
        Err(_) => bar,
    }
}
