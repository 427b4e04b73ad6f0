//! What the example `doctor` prints where one thread alone is clearly faster, and so are others.

use ringzero::{Choice, Config, Limits, UringConfig, UringMode, WorkerConfig};

pub fn storage_config() -> Config {
    Config {
        // io_uring, else what works: 1.44 times the commits/s of worker threads.
        backend: Choice::Auto,
        uring: UringConfig {
            // Bound to one thread, but thread-bound 1.30 times as fast as the default.
            mode: UringMode::ThreadBound,
            // 1.02 times the commits/s with them: not worth pinning all blocks.
            register_buffers: false,
            ..UringConfig::default()
        },
        // With four files: 1.90 times the commits/s of one thread.
        worker: WorkerConfig { threads: 2 },
        limits: Limits {
            // Bytes/s of small appends: 1.40 times those of 64 KiB.
            block_bytes: 256 << 10,
            blocks_common: 16,
            ..Limits::default()
        },
        ..Config::default()
    }
}

// A log in segments: no. 1.00 times the commits/s of a growing file.
//     let log = io.register_fd(File::create_new(path)?)?;
