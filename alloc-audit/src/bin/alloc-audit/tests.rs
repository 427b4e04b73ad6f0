//! The workloads on the backend that runs everywhere, and whether the audit finds what is wrong.

use std::{fs, hint::black_box, io, path::Path};

use crate::{
    backend::{self, Column},
    cell::{self, Cell, Verdict},
    session::Expected,
    shadow::data,
    stage::{Stage, Stop},
    table::Table,
    workload::{self, Workload},
};

fn run_on_sync(run: fn(&mut Stage) -> Result<(), Stop>) -> Cell {
    cell::run(&Workload { name: "test", run }, &backend::sync())
}

/// Appends a few bytes and polls, inside a zone.
fn work(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("log")?;
    stage.measured(|session| {
        session.append(fd, 5)?;
        session.drain()
    })
}

#[track_caller]
fn assert_wrong(cell: &Cell, text: &str) {
    assert!(matches!(&cell.verdict, Verdict::Wrong(wrong) if wrong.contains(text)), "{cell:?}");
}

#[test]
fn every_workload_is_clean_and_does_its_work() {
    for workload in workload::all() {
        let cell = cell::run(&workload, &backend::sync());
        match &cell.verdict {
            Verdict::Clean => {}
            Verdict::Skipped(reason) => {
                println!("skipped: {}: {reason}", workload.name);
                continue;
            }
            _ => panic!("{}: {cell:?}", workload.name),
        }
        assert!(cell.tally.completions > 50, "{}: {cell:?}", workload.name);
        assert_eq!(cell.tally.accepted, cell.tally.completions, "{}", workload.name);
        assert!(cell.first_offence.is_none());
    }
}

#[test]
fn the_control_is_found_on_every_backend_and_named() {
    for column in backend::all() {
        let cell = cell::run(&workload::control(), &column);
        if let Verdict::Skipped(reason) = &cell.verdict {
            println!("skipped: {}: {reason}", column.name);
            continue;
        }
        assert!(matches!(cell.verdict, Verdict::Offended), "{}: {cell:?}", column.name);
        assert_eq!((cell.allocations, cell.reallocations, cell.deallocations), (1, 0, 0));
        let offence = cell.first_offence.unwrap();
        assert_eq!(offence.to_string(), "allocation of 48 bytes, align 8");
        let place = offence.place().unwrap();
        assert!(place.file.unwrap().ends_with(Path::new("workload/control.rs")));
    }
}

#[test]
fn a_workload_that_does_its_work_is_clean() {
    assert!(matches!(run_on_sync(work).verdict, Verdict::Clean));
}

#[test]
fn a_workload_that_does_nothing_is_not_clean() {
    assert_wrong(&run_on_sync(|_| Ok(())), "it did nothing");
    assert_wrong(&run_on_sync(|stage| stage.measured(|_| Ok(()))), "it did nothing");
}

#[test]
fn work_outside_of_a_zone_does_not_count() {
    let cell = run_on_sync(|stage| {
        let fd = stage.follow("log")?;
        stage.session.append(fd, 5)?;
        Ok(stage.session.drain()?)
    });
    assert_wrong(&cell, "it did nothing");
}

#[test]
fn freeing_is_an_offence() {
    let cell = run_on_sync(|stage| {
        work(stage)?;
        let block = black_box(Box::new([0_u8; 321]));
        stage.measured(|_| {
            drop(block);
            Ok(())
        })
    });
    assert!(matches!(cell.verdict, Verdict::Offended));
    assert_eq!((cell.allocations, cell.reallocations, cell.deallocations), (0, 0, 1));
    assert_eq!(cell.first_offence.unwrap().size_bytes(), 321);
}

#[test]
fn an_offence_on_the_other_thread_is_found() {
    let cell = run_on_sync(|stage| {
        work(stage)?;
        stage.measured_elsewhere(|_| {
            black_box(Vec::<u8>::with_capacity(black_box(123)));
            Ok(())
        })
    });
    assert!(matches!(cell.verdict, Verdict::Offended));
    assert_eq!((cell.allocations, cell.deallocations), (1, 1));
}

#[test]
fn an_offence_is_told_even_if_the_work_goes_wrong_after_it() {
    let cell = run_on_sync(|stage| {
        stage.measured(|session| {
            black_box(Box::new(1));
            session.poll_few::<1>()?;
            Err(crate::wrong::Wrong::untrue("on purpose"))
        })
    });
    assert!(matches!(cell.verdict, Verdict::Offended));
}

#[test]
fn a_result_that_is_not_the_expected_one_is_wrong() {
    let cell = run_on_sync(|stage| {
        let fd = stage.register("log")?;
        stage.measured(|session| {
            let answer = session.io().submit_append(fd, data(5, 0));
            session.owe(answer, Expected::Bytes(6))?;
            session.drain()
        })
    });
    assert_wrong(&cell, "the result of an operation: 5, expected 6");
}

#[test]
fn a_refusal_that_does_not_come_is_wrong() {
    let cell = run_on_sync(|stage| {
        let fd = stage.register("log")?;
        stage.measured(|session| {
            let answer = session.io().submit_append(fd, data(5, 0));
            session.refused(answer, ringzero::StorageIoError::BadFd)
        })
    });
    assert_wrong(&cell, "a refusal: accepted, expected BadFd");
}

#[test]
fn a_completion_that_is_left_is_wrong() {
    let cell = run_on_sync(|stage| {
        let fd = stage.follow("log")?;
        stage.measured(|session| {
            session.append(fd, 5)?;
            session.append(fd, 5)?;
            session.poll_few::<1>().map(|_| ())
        })
    });
    assert_wrong(&cell, "owed at the end: 1, expected 0");
}

#[test]
fn bytes_that_are_not_those_written_are_wrong() {
    let cell = run_on_sync(|stage| {
        work(stage)?;
        Ok(fs::write(stage.path("log"), b"other")?)
    });
    assert_wrong(&cell, "every byte of the file is what was written last");
}

#[test]
fn an_error_of_the_workload_itself_is_wrong_and_a_panic_too() {
    let error = run_on_sync(|_| Err(io::Error::from(io::ErrorKind::NotFound).into()));
    assert_wrong(&error, "a file of the workload");
    assert_wrong(&run_on_sync(|_| panic!("on purpose")), "it panicked");
}

#[test]
fn the_table_counts_every_verdict_and_says_why() {
    let columns: [Column; 4] = [backend::sync(); 4];
    let mut table = Table::new(&columns);
    let cells = vec![
        run_on_sync(work),
        run_on_sync(|_| Err(Stop::Skipped("no such device".to_owned()))),
        run_on_sync(|_| Ok(())),
        cell::run(&workload::control(), &backend::sync()),
    ];
    table.add("row", cells);
    assert_eq!((table.clean_count(), table.bad_count(), table.skipped_count()), (1, 2, 1));
    assert!(!table.is_full_of(workload::CONTROL_BYTES), "not every cell");
    let findings = table.findings();
    for text in [
        "skipped: row on sync: no such device",
        "wrong: row on sync: it did nothing",
        "offence: row on sync: allocation of 48 bytes, align 8, in ",
        "control.rs:",
    ] {
        assert!(findings.contains(text), "{findings}");
    }
    assert!(!Table::new(&columns).is_full_of(workload::CONTROL_BYTES), "nothing ran");
}
