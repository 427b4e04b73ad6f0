//! [`Mount`]: the file system in user space, mounted for one test.
//!
//! Mounted and unmounted here and not by the crate `fuser`, because an unmounting that waits for
//! open files would not end with a backend that leaked some.
//!
//! # Safety
//! mount(2) is given strings that end in zero, and nothing else.
#![allow(unsafe_code)]

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::PathBuf,
    thread::{self, JoinHandle},
};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use tempfile::TempDir;

use super::{
    server::Server,
    state::Shared,
    watchdog::{Watchdog, abort},
};

/// What close(2) of a file does while a request of it is unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Returns at once, as on a local file system.
    AtOnce,
    /// Waits for the writes of the file first, as on NFS.
    Waits,
}

/// How it is mounted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most bytes of one WRITE; a longer write(2) becomes several, one after the other.
    pub max_write: u32,
    /// What closing does.
    pub close: Close,
}

impl Default for Options {
    /// The largest requests, and files that close at once.
    fn default() -> Self {
        Self { max_write: 1 << 20, close: Close::AtOnce }
    }
}

/// A mounted file system.
#[derive(Debug)]
pub struct Mount {
    /// Its files, script and log.
    pub shared: Shared,
    directory: TempDir,
    target: CString,
    session: Option<BackgroundSession>,
    postman: Option<JoinHandle<()>>,
    _watchdog: Watchdog,
}

impl Mount {
    /// Mounts it.
    ///
    /// # Errors
    /// Why that is not possible: no /dev/fuse, or not root, as a rule.
    pub fn new(options: Options) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let directory = TempDir::new()?;
        let target = CString::new(directory.path().as_os_str().as_bytes())?;
        attach(&target, &device)?;
        let shared = Shared::default();
        let server = Server { shared: shared.clone(), options };
        let watchdog = Watchdog::start(&target);
        let config = Config::default();
        let session = Session::from_fd(server, device.into(), SessionACL::Owner, config);
        let (session, watchdog) = match (session.and_then(Session::spawn), watchdog) {
            (Ok(session), Ok(watchdog)) => (session, watchdog),
            (Err(error), _) | (_, Err(error)) => {
                abort(&target);
                return Err(error);
            }
        };
        let answering = shared.clone();
        let postman = thread::Builder::new()
            .name("answers".to_owned())
            .spawn(move || answering.answer_in_time())
            .expect("a thread");
        Ok(Self {
            shared,
            directory,
            target,
            session: Some(session),
            postman: Some(postman),
            _watchdog: watchdog,
        })
    }

    /// Where a file of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a file with this content, without a request, and opens it.
    pub fn create(&self, name: &str, content: &[u8]) -> File {
        self.shared.create(name, content);
        self.open(name)
    }

    /// Opens a file that exists.
    pub fn open(&self, name: &str) -> File {
        OpenOptions::new().read(true).write(true).open(self.path(name)).expect("opened")
    }
}

/// Mounts the connection `device` at `target`: mount(2), and fuse(4) for the options.
fn attach(target: &CString, device: &File) -> io::Result<()> {
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let options = CString::new(options)?;
    // SAFETY: all four are strings that end in zero and live until the call returns.
    let result = unsafe {
        libc::mount(
            c"ringzero-faults".as_ptr(),
            target.as_ptr(),
            c"fuse".as_ptr(),
            libc::MS_NODEV | libc::MS_NOSUID,
            options.as_ptr().cast(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.shared.stop();
        if abort(&self.target) != 0 {
            println!("not unmounted: {}", io::Error::last_os_error());
            return;
        }
        if let Some(postman) = self.postman.take() {
            let _ = postman.join();
        }
        if let Some(session) = self.session.take() {
            let _ = session.join();
        }
    }
}
