//! A file system whose writes stall for as long as a test wants: ext4 in a loop device, frozen with
//! FIFREEZE (ioctl_fifreeze(2)). A write to it waits in the kernel, uninterruptibly, until it is
//! thawed, which makes "in flight" a state and not a race. Needs root, loop devices and mkfs.ext4.
#![allow(unsafe_code, reason = "calls of libc that std has no form of")]

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)` of linux/fs.h.
const FIFREEZE: libc::Ioctl = 0xC004_5877_u32 as libc::Ioctl;
const FITHAW: libc::Ioctl = 0xC004_5878_u32 as libc::Ioctl;

/// A stall ends by itself after this, so that a failed test leaves nothing behind that waits.
const LONGEST: Duration = Duration::from_secs(20);

/// A small mounted file system of its own.
pub(crate) struct Volume {
    folder: tempfile::TempDir,
}

impl Volume {
    /// Mounts one, or says why it cannot.
    pub(crate) fn mount() -> Option<Self> {
        match Self::try_mount() {
            Ok(volume) => Some(volume),
            Err(error) => {
                println!("skipped, needs a loop-mounted ext4: {error}");
                None
            }
        }
    }

    fn try_mount() -> io::Result<Self> {
        let volume = Self { folder: tempfile::tempdir()? };
        let image = volume.folder.path().join("image");
        File::create(&image)?.set_len(64 << 20)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
        std::fs::create_dir(volume.path())?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(volume.path()))?;
        Ok(volume)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// How many transactions its journal committed so far, where the kernel tells.
    pub(crate) fn journal_commits(&self) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;

        let device = std::fs::metadata(self.path()).ok()?.dev();
        let name = std::fs::read_link(format!(
            "/sys/dev/block/{}:{}",
            libc::major(device),
            libc::minor(device)
        ));
        let name = name.ok()?.file_name()?.to_str()?.to_owned();
        let info = std::fs::read_to_string(format!("/proc/fs/jbd2/{name}-8/info")).ok()?;
        info.split_whitespace().next()?.parse().ok()
    }

    /// Makes every write wait until the result is dropped.
    pub(crate) fn stall(&self) -> Stall {
        Stall::begin(&self.path()).unwrap()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // What a test leaked may keep it busy for a moment.
        for _ in 0..100 {
            if run(Command::new("umount").arg(self.path())).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = run(Command::new("umount").arg("-l").arg(self.path()));
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

/// While it lives, writes stall.
pub(crate) struct Stall {
    end: Option<Sender<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Stall {
    fn begin(path: &Path) -> io::Result<Self> {
        let folder = File::open(path)?;
        // SAFETY: the descriptor is open; the request takes nothing.
        if unsafe { libc::ioctl(folder.as_raw_fd(), FIFREEZE, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let (end, ended) = mpsc::channel();
        let watch = thread::spawn(move || {
            if ended.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                println!("a stall was ended after {LONGEST:?}");
            }
            // SAFETY: the descriptor is open; the request takes nothing.
            unsafe { libc::ioctl(folder.as_raw_fd(), FITHAW, 0) };
        });
        Ok(Self { end: Some(end), watch: Some(watch) })
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.watch.take().map(JoinHandle::join);
    }
}
