//! What the example `doctor` prints where a polling kernel thread is worth it.

use std::time::Duration;

use ringzero::{Choice, Config, Limits, UringConfig, UringMode, WorkerConfig};

pub fn storage_config() -> Config {
    Config {
        // io_uring, else what works: 1.67 times the commits/s of worker threads.
        backend: Choice::Auto,
        uring: UringConfig {
            // Keeps a processor busy, but SQPOLL 1.50 times as fast as the default.
            mode: UringMode::SqPoll { idle: Duration::from_millis(10) },
            // 1.02 times the commits/s with them: not worth pinning all blocks.
            register_buffers: false,
            ..UringConfig::default()
        },
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
