//! [`Volume`]: ext4 or XFS of its own, in a loop device over a sparse image. Needs root, loop
//! devices and mkfs.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::stall::Stall;

/// Which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// With a journal of its metadata, in ordered mode.
    Ext4,
    /// With a log of its metadata.
    Xfs,
}

impl FileSystem {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ext4, Self::Xfs];

    /// Of the image; mkfs.xfs makes none below 300 MiB.
    const fn byte_count(self) -> u64 {
        match self {
            Self::Ext4 => 64 << 20,
            Self::Xfs => 320 << 20,
        }
    }

    const fn mkfs(self) -> &'static str {
        match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Xfs => "mkfs.xfs",
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "XFS",
        })
    }
}

/// A mounted file system; unmounted when dropped.
#[derive(Debug)]
pub struct Volume {
    folder: TempDir,
}

impl Volume {
    /// Makes and mounts one over an image in the folder for temporary files.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn mount(kind: FileSystem) -> io::Result<Self> {
        Self::make(kind, tempfile::tempdir()?)
    }

    /// The same over an image in `folder`.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn mount_over(kind: FileSystem, folder: &Path) -> io::Result<Self> {
        Self::make(kind, TempDir::new_in(folder)?)
    }

    fn make(kind: FileSystem, folder: TempDir) -> io::Result<Self> {
        let volume = Self { folder };
        File::create(volume.image())?.set_len(kind.byte_count())?;
        run(Command::new(kind.mkfs()).arg("-q").arg(volume.image()))?;
        fs::create_dir(volume.path())?;
        volume.mount_again()?;
        Ok(volume)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// A directory in it that is removed by itself.
    ///
    /// # Panics
    /// If it is full.
    pub fn directory(&self) -> TempDir {
        TempDir::new_in(self.path()).expect("room for a directory")
    }

    /// Mounts it once more, after [`Volume::unmount`].
    ///
    /// # Errors
    /// Those of mount(8).
    pub fn mount_again(&self) -> io::Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.path()))
    }

    /// Unmounts it, and with it forgets what is cached. What a test dropped may keep it busy for a
    /// moment.
    ///
    /// # Errors
    /// Those of umount(8): it stays busy.
    pub fn unmount(&self) -> io::Result<()> {
        self.unmount_within(Duration::from_secs(5))
    }

    fn unmount_within(&self, patience: Duration) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            let unmounted = run(Command::new("umount").arg(self.path()));
            if unmounted.is_ok() || begin.elapsed() > patience {
                return unmounted;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many transactions the journal of an ext4 committed so far, where the kernel tells.
    pub fn journal_commits(&self) -> Option<u64> {
        let device = fs::metadata(self.path()).ok()?.dev();
        let name = fs::read_link(format!(
            "/sys/dev/block/{}:{}",
            libc::major(device),
            libc::minor(device)
        ));
        let name = name.ok()?.file_name()?.to_str()?.to_owned();
        let info = fs::read_to_string(format!("/proc/fs/jbd2/{name}-8/info")).ok()?;
        info.split_whitespace().next()?.parse().ok()
    }

    /// Makes every write wait until the result is dropped.
    ///
    /// # Panics
    /// If the kernel does not freeze it.
    pub fn stall(&self) -> Stall {
        Stall::begin(&self.path()).expect("frozen")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let device = |path: &Path| fs::metadata(path).map(|it| it.dev()).ok();
        let (inside, outside) = (device(&self.path()), device(self.folder.path()));
        if inside.is_none() || inside == outside {
            return;
        }
        // A backend that leaks a descriptor keeps it busy as long as the process lives.
        if self.unmount_within(Duration::from_secs(1)).is_err() {
            let _ = run(Command::new("umount").arg("-l").arg(self.path()));
        }
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{command:?}: {message}")))
}
