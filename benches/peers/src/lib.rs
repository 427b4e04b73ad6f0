//! What a user would pick instead of ringzero: tokio-uring, monoio, compio and glommio, as
//! contestants of the side-by-side harness.
//!
//! Every program is written once, over [`runtime`], and each library runs the same one on its own
//! current-thread executor, set up as its documentation recommends for this. Each library's file
//! says what it does per operation and what its interface forces. One optional feature per library.
//!
//! | module | noun |
//! |---|---|
//! | `runtime` | what the programs ask of a library |
//! | `stream` | records, many under way; and commits by tasks on their own |
//! | `group` | group commit by hand, in a task |
//! | `tokio_uring`, `monoio`, `compio`, `glommio` | the libraries |
//! | `buffer`, `tasks` | what they share |
//! | `fio` | a program, not a library |

mod buffer;
#[cfg(feature = "compio")]
mod compio;
mod fio;
#[cfg(feature = "glommio")]
mod glommio;
mod group;
#[cfg(feature = "monoio")]
mod monoio;
mod runtime;
mod stream;
mod tasks;
#[cfg(feature = "tokio-uring")]
mod tokio_uring;

use ringzero_benches::{
    Failure,
    compare::{
        contestant::{Contestant, Window},
        job::{Access, Job, Workload},
        measured::Measured,
    },
};

/// What every library does.
const WORKLOADS: &[Workload] = &[
    Workload::Appends,
    Workload::Sequential,
    Workload::Overwrites,
    Workload::Commits,
    Workload::Discards,
    Workload::Burst,
    Workload::Idle,
];

/// The contestants: the libraries that were built in, and fio if it is installed.
pub fn contestants() -> Vec<Contestant> {
    let mut contestants = Vec::new();
    #[cfg(feature = "tokio-uring")]
    contestants.extend(of::<tokio_uring::TokioUring>(
        ["tokio-uring", "tokio-uring-merged", "tokio-uring-group"],
        "tokio-uring 0.5: a task per operation under way, COOP_TASKRUN",
    ));
    #[cfg(feature = "monoio")]
    contestants.extend(of::<monoio::Monoio>(
        ["monoio", "monoio-merged", "monoio-group"],
        "monoio 0.2: a task per operation under way, ring with DEFER_TASKRUN",
    ));
    #[cfg(feature = "compio")]
    contestants.extend(of::<compio::Compio>(
        ["compio", "compio-merged", "compio-group"],
        "compio 0.19: a task per operation under way, ring with DEFER_TASKRUN",
    ));
    #[cfg(feature = "glommio")]
    contestants.extend(of::<glommio::Glommio>(
        ["glommio", "glommio-merged", "glommio-group"],
        "glommio 0.9: a task per operation under way, BufferedFile, with O_DIRECT DmaFile",
    ));
    if fio::is_installed() {
        contestants.push(fio::CONTESTANT);
    }
    contestants
}

/// A library's own way, and merging and group commit by hand with it.
fn of<R: runtime::Runtime>(
    [name, merged, group]: [&'static str; 3],
    about: &'static str,
) -> [Contestant; 3] {
    let plain = Contestant {
        name,
        about,
        workloads: WORKLOADS,
        access: &[Access::Buffered],
        window: Window::Best,
        run: run::<R>,
    };
    let merged = Contestant {
        name: merged,
        about: "the same library, merged by hand: each write takes 64 KiB of records, 4 under way",
        workloads: &[Workload::Appends, Workload::Sequential],
        window: Window::Full,
        run: stream::merged::<R>,
        ..plain
    };
    let group = Contestant {
        name: group,
        about: "the same library, grouped by hand: a task writes and syncs what has gathered",
        workloads: &[Workload::Commits],
        run: group::commits::<R>,
        ..plain
    };
    [plain, merged, group]
}

fn run<R: runtime::Runtime>(job: &Job) -> Result<Measured, Failure> {
    match job.workload {
        Workload::Commits => stream::commits::<R>(job),
        Workload::Idle => stream::writes::<R>(&Job { operations: 0, ..job.clone() }),
        _ => stream::writes::<R>(job),
    }
}
