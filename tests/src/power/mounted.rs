//! [`Mounted`]: an image as a file system, through a loop device.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use super::{command::run, file_system::FileSystem};

/// A mounted image; unmounted when dropped. Its loop device goes with it.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
}

impl Mounted {
    /// Mounts `image` at the folder `at`.
    ///
    /// # Errors
    /// What mount(8) says.
    pub fn new(file_system: FileSystem, image: &Path, at: &Path) -> io::Result<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", file_system.kind(), "-o", "loop,noatime"]).arg(image).arg(at);
        // Another may take the loop device that mount(8) found free, more often than it tries.
        patiently(|| run(&mut command, 0), |error| error.to_string().contains("loop device"))?;
        Ok(Self { at: at.to_owned() })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Unmounts it, which writes everything back.
    ///
    /// # Errors
    /// What umount(8) says, after the last attempt.
    pub fn unmount(self) -> io::Result<()> {
        unmount(&self.at)?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.at) {
            // Whoever listened may be gone.
            let _ = writeln!(io::stderr(), "unmounted lazily: {error}");
            unmount_lazily(&self.at);
        }
    }
}

/// A ring that was dropped gives its files up on its own time, and keeps the mount busy until then;
/// a loop device does the same with its image.
pub(super) fn unmount(at: &Path) -> io::Result<()> {
    patiently(|| run(Command::new("umount").arg(at), 0), |error| error.to_string().contains("busy"))
}

/// Takes it out of sight at once; it ends when nobody uses it any more.
pub(super) fn unmount_lazily(at: &Path) {
    let _ = run(Command::new("umount").arg("-l").arg(at), 0);
}

fn patiently(
    mut attempt: impl FnMut() -> io::Result<()>,
    may_pass: impl Fn(&io::Error) -> bool,
) -> io::Result<()> {
    let mut attempts_left = 500;
    loop {
        match attempt() {
            Err(error) if attempts_left > 0 && may_pass(&error) => {
                attempts_left -= 1;
                thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}
