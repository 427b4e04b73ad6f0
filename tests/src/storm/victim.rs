//! [`Victim`]: the writer process as the test has it: started, listened to, killed.

use std::{
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::writer::Acknowledge;
use crate::session::PATIENCE;

/// A writer process; killed when dropped.
#[derive(Debug)]
pub struct Victim {
    child: Child,
    reported: Arc<AtomicUsize>,
    listener: Option<JoinHandle<io::Result<Vec<u64>>>>,
}

impl Victim {
    /// Starts `program`, which calls [`write_until_killed`](super::write_until_killed).
    ///
    /// # Errors
    /// Those of starting a process.
    pub fn start(
        program: &Path,
        mode: &str,
        folder: &Path,
        seed: u64,
        acknowledge: Acknowledge,
    ) -> io::Result<Self> {
        let when = match acknowledge {
            Acknowledge::Completed => "completed",
            Acknowledge::Beforehand => "beforehand",
        };
        let mut child = Command::new(program)
            .arg(mode)
            .arg(folder)
            .args([&seed.to_string(), when])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        let reported = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reported);
        let listener = stdout.map(|stdout| thread::spawn(move || listen(stdout, &count)));
        Ok(Self { child, reported, listener })
    }

    /// Waits until so many operations are reported, or it has ended.
    pub fn wait_for(&mut self, count: usize) {
        let begin = Instant::now();
        let is_over = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        while self.reported.load(Ordering::Relaxed) < count && !is_over(&mut self.child) {
            assert!(begin.elapsed() < PATIENCE, "{self:?} reports nothing");
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Kills it. Returns the numbers of the operations that it reported, in that order.
    ///
    /// # Panics
    /// If it had ended by itself: something failed.
    pub fn kill(mut self) -> io::Result<Vec<u64>> {
        self.child.kill()?;
        let status = self.child.wait()?;
        assert_eq!(status.signal(), Some(libc::SIGKILL), "the writer ended by itself: {status}");
        let listener = self.listener.take();
        listener.map_or(Ok(Vec::new()), |listener| listener.join().expect("no panic there"))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads numbers until the other end is closed. A last one that is cut off is none.
fn listen(mut pipe: ChildStdout, count: &AtomicUsize) -> io::Result<Vec<u64>> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let len = pipe.read(&mut part)?;
        if len == 0 {
            let numbers = bytes.as_chunks::<8>().0;
            return Ok(numbers.iter().map(|number| u64::from_le_bytes(*number)).collect());
        }
        bytes.extend(&part[..len]);
        count.store(bytes.len() / 8, Ordering::Relaxed);
    }
}
