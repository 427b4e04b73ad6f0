//! The device of a test that cuts the power: `power-device FOLDER FILE_SYSTEM`, ends when its
//! standard input does. See `ringzero_tests::power`.
#![allow(clippy::print_stderr)]

use std::{path::Path, process::ExitCode};

use ringzero_tests::power::{FileSystem, serve};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: power-device FOLDER FILE_SYSTEM");
        return ExitCode::FAILURE;
    };
    let Some(file_system) = FileSystem::of_name(&name) else {
        eprintln!("no such file system: {name}");
        return ExitCode::FAILURE;
    };
    match serve(Path::new(&folder), file_system) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
