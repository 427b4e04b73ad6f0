//! The pure parts of the example `doctor`: what is parsed, drawn and advised.
//!
//! The files in `doctor_advice` are what the program prints for some figures. They are compiled
//! here, so that what a user copies is known to compile, and to be the configuration it was meant
//! to be; `cargo fmt --check` says that it is formatted.
//!
//! # Mutations
//! Each turns a test here red: a bar of one sample rounded to nothing; bins counted from the
//! second; the first mount above a directory instead of the nearest; a mount that a later one of
//! the same place hides; `\040` read as decimal; a budget that forgets what was taken; advice by
//! the median alone, or only by how often it was better; SQPOLL advised on any number of
//! processors; backends that block advised like others; blocks of another size without their
//! number; a star on everything; signals counted from 0; a chart without names.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]
#![allow(dead_code, reason = "the program uses the rest")]

#[path = "../examples/doctor/advice.rs"]
mod advice;
#[path = "../examples/doctor/budget.rs"]
mod budget;
#[path = "../examples/doctor/chart.rs"]
mod chart;
#[path = "../examples/doctor/failure.rs"]
mod failure;
#[path = "../examples/doctor/figures.rs"]
mod figures;
#[path = "../examples/doctor/file_systems.rs"]
mod file_systems;
#[path = "../examples/doctor/histogram.rs"]
mod histogram;
#[path = "../examples/doctor/mounts.rs"]
mod mounts;
#[path = "../examples/doctor/proc_facts.rs"]
mod proc_facts;
#[path = "../examples/doctor/rates.rs"]
mod rates;
#[path = "../examples/doctor/screen.rs"]
mod screen;
#[path = "../examples/doctor/snippet.rs"]
mod snippet;
#[path = "../examples/doctor/variant.rs"]
mod variant;

mod doctor_advice;
mod doctor_shown;
mod doctor_told;
