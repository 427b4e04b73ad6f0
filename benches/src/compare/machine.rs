//! What the figures were measured on: [`Machine`].

use std::{fs, path::Path};

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
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            kernel: kernel.trim().to_owned(),
            processor: model.unwrap_or_default().trim_start_matches(['\t', ' ', ':']).to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            file_system: file_system(directory).unwrap_or_default(),
            date: now.as_secs(),
        }
    }
}

/// The type of the file system with the longest mount point above `directory` (proc(5), mounts).
/// Of two at the same place the later one hides the earlier.
fn file_system(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        directory.starts_with(point).then(|| (Path::new(point).components().count(), kind))
    });
    above.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount_point() {
        assert_eq!(Machine::here(Path::new("/proc/self")).file_system, "proc");
        let here = Machine::here(&std::env::temp_dir());
        assert!(!here.file_system.is_empty() && here.file_system != "proc", "{here:?}");
    }
}
