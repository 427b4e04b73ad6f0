//! What the example `doctor` prints where io_uring does not work.

use ringzero::{Choice, Config, Limits, WorkerConfig};

pub fn storage_config() -> Config {
    Config {
        // Worker threads: io_uring does not work here.
        backend: Choice::Worker,
        // With four files, 4 threads give 1.08 times the commits/s of one.
        worker: WorkerConfig { threads: 1 },
        limits: Limits {
            // Bytes/s of small appends: 0.90 times with 16 KiB, 1.05 times with 256 KiB.
            block_bytes: 64 << 10,
            ..Limits::default()
        },
        ..Config::default()
    }
}

// A log in segments: yes. 1.80 times the commits/s of a growing file.
//     let file = prepare_segment(path, BYTES, |_, _| ())?;
//     let log = io.register_segment(file, 0, BYTES)?;
