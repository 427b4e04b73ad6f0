//! An [`Advice`] in Rust, to copy: [`Snippet`]. Pure; formatted as rustfmt would.

use std::fmt::{self, Display, Formatter};

use ringzero::{Choice, Config, UringMode};

use crate::{
    advice::{Advice, DEFAULT_BLOCK_BYTES},
    variant::limits,
};

/// Prints a function that returns [`Advice::config`], with the reasons as comments.
#[derive(Debug)]
pub(crate) struct Snippet<'a>(pub(crate) &'a Advice);

impl Display for Snippet<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Config { backend, uring, sync, worker, .. } = self.0.config();
        if matches!(uring.mode, UringMode::SqPoll { .. }) {
            writeln!(f, "use std::time::Duration;\n")?;
        }
        let names = match backend {
            Choice::Sync => "SyncConfig, SyncMode",
            Choice::Worker => "WorkerConfig",
            _ => "UringConfig, UringMode, WorkerConfig",
        };
        writeln!(f, "use ringzero::{{Choice, Config, Limits, {names}}};\n")?;
        writeln!(f, "pub fn storage_config() -> Config {{\n    Config {{")?;
        writeln!(f, "        // {}.", self.0.backend.why)?;
        writeln!(f, "        backend: Choice::{backend:?},")?;
        if backend == Choice::Sync {
            writeln!(f, "        // {}.", self.0.why_sync)?;
            writeln!(f, "        sync: SyncConfig {{ mode: SyncMode::{:?} }},", sync.mode)?;
        } else {
            if backend != Choice::Worker {
                self.write_uring(f)?;
            }
            writeln!(f, "        // {}.", self.0.threads.why)?;
            writeln!(f, "        worker: WorkerConfig {{ threads: {} }},", worker.threads)?;
        }
        self.write_limits(f)?;
        writeln!(f, "        ..Config::default()\n    }}\n}}\n")?;
        self.write_segments(f)
    }
}

impl Snippet<'_> {
    fn write_uring(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let uring = self.0.config().uring;
        let mode = match uring.mode {
            UringMode::SqPoll { idle } => {
                format!("SqPoll {{ idle: Duration::from_millis({}) }}", idle.as_millis())
            }
            other => format!("{other:?}"),
        };
        writeln!(f, "        uring: UringConfig {{")?;
        writeln!(f, "            // {}.", self.0.why_mode)?;
        writeln!(f, "            mode: UringMode::{mode},")?;
        writeln!(f, "            // {}.", self.0.why_buffers)?;
        writeln!(f, "            register_buffers: {},", uring.register_buffers)?;
        writeln!(f, "            ..UringConfig::default()\n        }},")
    }

    fn write_limits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let block_bytes = &self.0.block_bytes;
        writeln!(f, "        limits: Limits {{\n            // {}.", block_bytes.why)?;
        writeln!(f, "            block_bytes: {} << 10,", block_bytes.what >> 10)?;
        if block_bytes.what != DEFAULT_BLOCK_BYTES {
            // As much memory as by default.
            let count = limits(block_bytes.what).blocks_common;
            writeln!(f, "            blocks_common: {count},")?;
        }
        writeln!(f, "            ..Limits::default()\n        }},")
    }

    fn write_segments(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let segments = &self.0.segments;
        if segments.what {
            writeln!(f, "// A log in segments: yes. {}.", segments.why)?;
            writeln!(f, "//     let file = prepare_segment(path, BYTES, |_, _| ())?;")?;
            writeln!(f, "//     let log = io.register_segment(file, 0, BYTES)?;")
        } else {
            writeln!(f, "// A log in segments: no. {}.", segments.why)?;
            writeln!(f, "//     let log = io.register_fd(File::create_new(path)?)?;")
        }
    }
}
