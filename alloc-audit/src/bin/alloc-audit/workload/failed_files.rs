//! Files that fail for good: by a data-sync that the system refuses (EINVAL on a device without
//! storage), and by a write error that leaves the bytes unknown (EPERM on a sealed memfd).
//!
//! Each file can fail once only, so there are several; each refuses everything many times over.

use ringzero::{Errno, IoFd, StorageIoError::Io};

use crate::{
    platform,
    session::{Expected, Session},
    shadow::data,
    stage::{Stage, Stop, device},
    wrong::{Wrong, ensure},
};

const REFUSALS: u64 = 100;
const SEALED_FILES: usize = 5;
const PERM: Errno = Errno::new(1);
const CANCELED: Expected = Expected::Failure(Errno::CANCELED);

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let mut devices = Vec::new();
    for path in ["/dev/null", "/dev/zero"] {
        devices.push(stage.session.io().register_fd(device(path)?)?);
    }
    let mut sealed_files = Vec::new();
    for _ in 0..SEALED_FILES {
        let file = platform::read_only_memory().map_err(|error| {
            Stop::Skipped(format!("there is no memory file that can be sealed: {error}"))
        })?;
        sealed_files.push(stage.session.io().register_fd(file)?);
    }
    let sound = stage.follow("sound")?;
    stage.measured(|session| {
        for fd in &devices {
            fail_sync(session, *fd)?;
            after_failure(session, *fd, Errno::INVAL)?;
            goes_on(session, sound)?;
        }
        for fd in &sealed_files {
            fail_append(session, *fd)?;
            after_failure(session, *fd, PERM)?;
            goes_on(session, sound)?;
        }
        Ok(())
    })
}

/// Writes to a device succeed; it cannot be synced, nor appended to.
fn fail_sync(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    for answer in [
        session.io().tail(fd),
        session.io().room(fd),
        session.io().submit_append(fd, data(1, 0)),
        session.io().resume_append(fd),
    ] {
        session.refused(answer, Io(Errno::INVAL))?;
    }
    for index in 0..10 {
        let answer = session.io().submit_write(fd, data(100, 0), index * 200);
        session.owe(answer, Expected::Bytes(100))?;
    }
    let answer = session.io().submit_datasync(fd);
    session.owe(answer, Expected::Failure(Errno::INVAL))?;
    session.flush()?;
    session.wait_for_all()?;
    cancelled_until_told(session, fd, Errno::INVAL)
}

fn fail_append(session: &mut Session, fd: IoFd) -> Result<(), Wrong> {
    let answer = session.io().submit_append(fd, data(100, 0));
    session.owe(answer, Expected::Failure(PERM))?;
    for _ in 0..3 {
        let answer = session.io().submit_append(fd, data(100, 0));
        session.owe(answer, CANCELED)?;
    }
    let answer = session.io().submit_datasync(fd);
    session.owe(answer, Expected::Failure(PERM))?;
    session.flush()?;
    session.wait_for_all()?;
    let answer = session.io().submit_append(fd, data(10, 0));
    session.owe(answer, CANCELED)?;
    cancelled_until_told(session, fd, PERM)
}

/// The file has failed, and the caller has not been told: accepted, and cancelled.
fn cancelled_until_told(session: &mut Session, fd: IoFd, errno: Errno) -> Result<(), Wrong> {
    let answer = session.io().submit_write(fd, data(10, 0), 0);
    session.owe(answer, CANCELED)?;
    let answer = session.io().resume_append(fd);
    session.refused(answer, Io(errno))?;
    session.drain()
}

fn after_failure(session: &mut Session, fd: IoFd, errno: Errno) -> Result<(), Wrong> {
    for _ in 0..REFUSALS {
        for answer in [
            session.io().submit_write(fd, data(10, 0), 0),
            session.io().submit_write(fd, data(0, 0), 0),
            session.io().submit_append(fd, data(10, 0)),
            session.io().submit_datasync(fd),
            session.io().resume_append(fd),
            session.io().can_accept(fd, 10).map(|()| 0),
        ] {
            session.refused(answer, Io(errno))?;
        }
        let status = session.io().file_status(fd)?;
        ensure(status.failed == Some(errno) && status.pending == 0, "the file is failed")?;
    }
    Ok(())
}

fn goes_on(session: &mut Session, sound: IoFd) -> Result<(), Wrong> {
    session.append(sound, 100)?;
    session.sync(sound)?;
    session.drain()
}
