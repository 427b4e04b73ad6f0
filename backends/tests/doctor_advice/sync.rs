//! What the example `doctor` prints where nothing works but calls that wait.

use ringzero::{Choice, Config, Limits, SyncConfig, SyncMode};

pub fn storage_config() -> Config {
    Config {
        // Nothing else works here; its calls wait for the device.
        backend: Choice::Sync,
        // Merging until the flush gave clearly more commits/s.
        sync: SyncConfig { mode: SyncMode::UntilFlush },
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
