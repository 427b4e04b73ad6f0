//! The process that is killed: `storm-writer MODE FOLDER SEED completed|beforehand`. See
//! `ringzero_tests::storm`.
#![allow(clippy::print_stderr)]

use std::{error::Error, path::Path, process::ExitCode};

use ringzero_tests::{
    real,
    storm::{Acknowledge, config, write_until_killed},
};

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [mode, folder, seed, when] = arguments else {
        return Err("usage: storm-writer MODE FOLDER SEED completed|beforehand".into());
    };
    let acknowledge = match when.as_str() {
        "completed" => Acknowledge::Completed,
        "beforehand" => Acknowledge::Beforehand,
        _ => return Err(format!("{when}?").into()),
    };
    let io = real::by_name(mode, &config()).ok_or("no such mode")??;
    write_until_killed(io, Path::new(folder), seed.parse()?, acknowledge)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("storm-writer: {error}");
            ExitCode::FAILURE
        }
    }
}
