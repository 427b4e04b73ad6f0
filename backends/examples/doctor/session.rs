//! What every measurement needs: the time it may take, a progress bar, a place to print
//! ([`Session`]).

use std::{
    env,
    fmt::Display,
    io::{IsTerminal, Write, stdout},
    mem,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{budget::Budget, failure::Failure, platform, screen::Ink};

/// How often the bar moves by itself.
const TICK: Duration = Duration::from_millis(200);

/// One run of the program.
pub(crate) struct Session {
    /// How text is printed.
    pub(crate) ink: Ink,
    end: Instant,
    budget: Budget,
    /// The weight of what is being measured.
    under_way: u32,
    bar: ProgressBar,
}

impl Session {
    /// Begins; all measurements are to be over after `time`.
    pub(crate) fn start(time: Duration) -> Self {
        let is_coloured = stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
        // Draws on standard error, and only if that is a terminal.
        let bar = ProgressBar::new(1);
        let style = ProgressStyle::with_template("  {wide_bar:.cyan/dim} {percent:>3} %  {msg:44}");
        let bar = match style {
            Ok(style) => bar.with_style(style.progress_chars("█▉▊▋▌▍▎▏ ")),
            Err(_) => bar,
        };
        Self {
            ink: if is_coloured { Ink::Coloured } else { Ink::Plain },
            end: Instant::now() + time,
            budget: Budget::new(0),
            under_way: 0,
            bar,
        }
    }

    /// How much all measurements weigh.
    pub(crate) fn weigh(&mut self, weight: u32) {
        self.budget = Budget::new(weight);
        self.bar.set_length(weight.into());
        self.bar.enable_steady_tick(TICK);
    }

    /// Begins the next measurement, and says how long it may take.
    ///
    /// # Errors
    /// The user does not want to wait any longer.
    pub(crate) fn next(&mut self, what: impl Display, weight: u32) -> Result<Duration, Failure> {
        if platform::is_interrupted() {
            return Err(Failure::interrupted());
        }
        self.bar.set_message(what.to_string());
        self.bar.inc(mem::replace(&mut self.under_way, weight).into());
        let left = self.end.saturating_duration_since(Instant::now());
        Ok(self.budget.take(weight, left))
    }

    /// Prints above the bar.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        // Not print: it panics where the other end of a pipe is closed.
        let printed = self.bar.suspend(|| {
            let mut out = stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        printed.map_err(|error| {
            Failure::new(
                format_args!("cannot print the result: {error}"),
                "look at standard output",
            )
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
