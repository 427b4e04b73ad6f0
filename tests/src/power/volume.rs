//! [`Volume`]: a mounted file system on a device whose power can be cut, as a test has it.

use std::{
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    device::{BASE, LOG, MOUNTED, READY, SERVED},
    file_system::FileSystem,
    image::Image,
    log::Log,
    mounted::unmount_lazily,
    namespace,
};

/// Long enough to unmount on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mounted file system and the process that is its device. Dropping unmounts it.
#[derive(Debug)]
pub struct Volume {
    file_system: FileSystem,
    folder: TempDir,
    device: Child,
}

impl Volume {
    /// Starts `program`, which calls [`serve`](super::serve), and waits until it has mounted. Moves
    /// the calling thread into a mount namespace of its own.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn mount(program: &Path, file_system: FileSystem) -> io::Result<Self> {
        namespace::enter()?;
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())?;
        let device = Command::new(program)
            .arg(folder.path())
            .arg(file_system.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut volume = Self { file_system, folder, device };
        let mut said = String::new();
        if let Some(stdout) = volume.device.stdout.take() {
            BufReader::new(stdout).read_line(&mut said)?;
        }
        if said.trim() == READY {
            return Ok(volume);
        }
        Err(io::Error::other(volume.complaint()?))
    }

    /// What the device says is wrong, before it ends.
    fn complaint(&mut self) -> io::Result<String> {
        let complaint = self.device.stderr.take().map(io::read_to_string).transpose()?;
        Ok(complaint.unwrap_or_default().trim().to_owned())
    }

    /// What is mounted.
    pub fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// The root of the file system.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(MOUNTED)
    }

    /// How long the log is now.
    ///
    /// # Errors
    /// Those of asking for a file's length.
    pub fn position(&self) -> io::Result<u64> {
        Ok(self.folder.path().join(LOG).metadata()?.len())
    }

    /// Unmounts it. Returns what was on the device before it was mounted, and the log since.
    ///
    /// # Errors
    /// The device could not unmount, or what it left cannot be read.
    pub fn unmount(mut self) -> io::Result<(Image, Log)> {
        if !self.end_device()? {
            return Err(io::Error::other(self.complaint()?));
        }
        Ok((
            Image::load(&self.folder.path().join(BASE))?,
            Log::load(&self.folder.path().join(LOG))?,
        ))
    }

    /// Tells the device to end, and kills it if it does not. Says whether it ended well.
    fn end_device(&mut self) -> io::Result<bool> {
        drop(self.device.stdin.take());
        let begin = Instant::now();
        loop {
            if let Some(status) = self.device.try_wait()? {
                return Ok(status.success());
            }
            if begin.elapsed() > PATIENCE {
                // Its FUSE connection ends with it; whoever waits for the device gets an error.
                self.device.kill()?;
                self.device.wait()?;
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if !self.end_device().unwrap_or(false) {
            unmount_lazily(&self.folder.path().join(MOUNTED));
            unmount_lazily(&self.folder.path().join(SERVED));
        }
    }
}
