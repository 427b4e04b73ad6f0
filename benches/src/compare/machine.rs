//! What the figures were measured on: [`Machine`].

use std::{fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};

/// Where and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Release of the kernel.
    pub kernel: String,
    /// Model of the processor.
    pub processor: String,
    /// Processors that this program may use.
    pub processors: usize,
    /// Type of the file system the files are on.
    pub file_system: String,
    /// Seconds since 1970, UTC.
    pub date: u64,
}

impl Machine {
    /// This one, with files in `directory`. What cannot be found out is left empty.
    pub fn here(directory: &Path) -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
        let stat = Command::new("stat").args(["-f", "-c", "%T"]).arg(directory).output();
        let stat = stat.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            kernel: kernel.trim().to_owned(),
            processor: model.unwrap_or_default().trim_start_matches(['\t', ' ', ':']).to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            file_system: stat.unwrap_or_default(),
            date: now.as_secs(),
        }
    }
}
