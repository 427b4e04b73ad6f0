//! The scripts that the fuzz target `engine` starts from, each judged by the model: what a fuzzer
//! would find at once, every test run finds.
//!
//! `RINGZERO_SCRIPT=FILE` runs this one script instead, each call printed; with `RINGZERO_TRACE`
//! each request too. That is how a crash of the fuzzer is looked at.
//!
//! Each seed says what it holds. When what bytes mean has changed, a seed may hold something else;
//! then `RINGZERO_MAKE_SEEDS=1` looks for scripts that hold it again, by chance, and writes them.
//!
//! # Mutations
//! Those of `random_faults` that are marked there turn seeds red.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use ringzero_tests::{
    choices::Choices,
    counts::{Counts, Met},
    episode::{Episode, Trace},
    random::Random,
};

/// A script, and what it holds.
struct Seed {
    name: &'static str,
    /// It meets each of these,
    met: &'static [Met],
    /// and none of these.
    never: &'static [Met],
}

const fn seed(name: &'static str, met: &'static [Met]) -> Seed {
    Seed { name, met, never: &[] }
}

const SEEDS: &[Seed] = &[
    Seed {
        name: "nothing-fails",
        met: &[Met::Read, Met::ReadWaited, Met::Sync, Met::Shortened, Met::Closed],
        never: &[Met::Failed],
    },
    seed("writes-fail", &[Met::FailedSync, Met::Good, Met::Resumed]),
    seed("short-and-again", &[Met::Continued, Met::SentAgain, Met::Gathered, Met::ReadWaited]),
    seed("syncs-fail", &[Met::FailedSync, Met::LostFile, Met::FullSync]),
    seed("two-losses", &[Met::LostTwice]),
    seed("appends-resumed", &[Met::Resumed, Met::TruncatedBrokenStream, Met::ReadOfBrokenStream]),
    seed("files-lost", &[Met::LostFile, Met::AlterationCancelled, Met::AlterationRefused]),
    seed("files-lost-are-read", &[Met::LostFile, Met::ReadOfFailedFile, Met::ReadOutlivedFile]),
    seed("reads-wait", &[Met::ReadWaited, Met::WriteBehindRead, Met::ReadShort]),
    seed("reads-fail", &[Met::ReadFailed, Met::Read, Met::ReadOutlivedFile]),
    seed("claims", &[Met::Claimed, Met::ClaimedInTwoParts, Met::ClaimDropped, Met::ClaimRefused]),
    seed("gathered", &[Met::Gathered, Met::FullSync, Met::DurableTailMoved]),
    seed("sizes", &[Met::Shortened, Met::Lengthened, Met::DurableTailCut, Met::DurableTailMoved]),
    seed("holes", &[Met::Punched, Met::Allocated, Met::LaterThanAlteration, Met::AlterationLater]),
    seed("alterations-fail", &[Met::AlterationFailed, Met::Punched, Met::Resumed]),
    seed("closes", &[Met::Closed, Met::Resumed, Met::LostFile, Met::ReadOutlivedFile]),
];

fn play(script: &[u8], trace: Trace) -> Result<Counts, String> {
    let mut episode = Episode::new(Choices::scripted(script), trace);
    let verdict = episode.run(u64::MAX);
    verdict.map_err(|reason| format!("{reason}\n{:?}", episode.stats()))?;
    Ok(episode.counts())
}

fn run(path: &Path, trace: Trace) -> Counts {
    let script = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    play(&script, trace).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

impl Seed {
    /// Whether a script holds what this one is to hold.
    fn is_held(&self, counts: &Counts) -> bool {
        self.met.iter().all(|met| counts[*met] > 0)
            && self.never.iter().all(|met| counts[*met] == 0)
    }

    /// The first script of those tried that does.
    fn make(&self, random: &mut Random) -> Vec<u8> {
        (0..1_000_000_u64)
            .map(|number| {
                let len = 200 + number % 700;
                (0..len).map(|_| random.below(256) as u8).collect::<Vec<u8>>()
            })
            .find(|script| play(script, Trace::Silent).is_ok_and(|counts| self.is_held(&counts)))
            .unwrap_or_else(|| panic!("no script is {}", self.name))
    }
}

#[test]
fn every_script_of_the_corpus_is_what_the_contract_allows() {
    if let Some(path) = std::env::var_os("RINGZERO_SCRIPT") {
        println!("{:?}", run(Path::new(&path), Trace::Calls));
        return;
    }
    if std::env::var_os("RINGZERO_MAKE_SEEDS").is_some() {
        let mut random = Random::new(5);
        for seed in SEEDS {
            fs::write(folder().join(seed.name), seed.make(&mut random)).expect("written");
        }
    }
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(folder()).expect("the seeds").map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    let (mut total, mut held) = (Counts::default(), 0);
    for script in &scripts {
        let counts = run(script, Trace::Silent);
        let name = script.file_name().unwrap().to_str().unwrap();
        println!("{name}: {counts:?}");
        assert!(counts[Met::Call] > 0, "{name} is empty");
        if let Some(seed) = SEEDS.iter().find(|seed| seed.name == name) {
            assert!(seed.is_held(&counts), "{name} holds something else");
            held += 1;
        }
        total += counts;
    }
    assert_eq!(held, SEEDS.len(), "each is there");
    assert!(total.missing().is_empty(), "never met: {:?}", total.missing());
}
