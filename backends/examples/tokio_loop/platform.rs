//! The example where there is a handle to sleep on, and a word where there is none.

#[cfg(unix)]
#[path = "tasks.rs"]
mod tasks;

#[cfg(unix)]
pub(crate) use tasks::run;

/// Says why nothing is shown.
#[cfg(not(unix))]
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    println!("there is no handle to sleep on here");
    Ok(())
}
