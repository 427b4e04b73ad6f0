//! Reads of an episode, and their bytes until they are released.

use ringzero_core::{Errno, StorageIoError, StorageIoExt};

use super::{Episode, Met, Open, Submitted, Verdict};
use crate::ensure;

/// A read that was delivered.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) token: u64,
    pub(super) model: usize,
    /// What it showed.
    pub(super) bytes: Vec<u8>,
}

const NO_READ: StorageIoError = StorageIoError::Io(Errno::INVAL);

impl Episode {
    /// Reads anywhere, half of the time near the tail.
    pub(super) fn read(&mut self, open: Open) -> Verdict {
        let tail = self.io.tail(open.fd).expect("known");
        let offset = match self.choices.below(3) {
            0 => self.choices.below(tail + 200),
            1 => tail.saturating_sub(self.choices.below(300)),
            _ => self.choices.below(40) * 64,
        };
        let len = self.length();
        // What is finished is about to be delivered: nothing waits for that.
        let is_all_open = self.io.engine().deliverable() == 0;
        let model = &self.model.files[open.model];
        let range = offset..(offset + len as u64).min(tail);
        let waits = is_all_open && model.is_changing(&range);
        let mut met = vec![Met::Read];
        met.extend(waits.then_some(Met::ReadWaited));
        met.extend(model.failed().map(|_| Met::ReadOfFailedFile));
        met.extend(model.is_broken().then_some(Met::ReadOfBrokenStream));
        let answer = self.io.submit_read(open.fd, len, offset);
        if let Ok(token) = answer {
            let early = self.io.read_bytes(token, 0).map(<[u8]>::len);
            ensure!(early == Err(NO_READ), "read {token} shows bytes before it is delivered");
            self.if_good.insert(token, met);
        }
        self.count_later(open, answer);
        let what = Submitted::Read { offset, len: len as u64, tail };
        self.judge(open, what, answer)
    }

    /// What a read that is being delivered shows; `None` if the token is no read's.
    pub(super) fn read_bytes(
        &mut self,
        owner: usize,
        token: u64,
        result: i32,
    ) -> Result<Option<Vec<u8>>, String> {
        let Some(asked_bytes) = self.model.files[owner].read_len(token) else { return Ok(None) };
        if result < 0 {
            let shown = self.io.read_bytes(token, 0).map(<[u8]>::len);
            ensure!(shown == Err(NO_READ), "read {token} failed, and shows {shown:?}");
            return Ok(Some(Vec::new()));
        }
        self.counts.add_if((result as u64) < asked_bytes, Met::ReadShort);
        self.bytes_of(token).map(Some)
    }

    /// The bytes of a read that was delivered.
    fn bytes_of(&self, token: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        loop {
            let part = self.io.read_bytes(token, bytes.len());
            let part = part.map_err(|error| format!("read {token} shows nothing: {error}"))?;
            if part.is_empty() {
                return Ok(bytes);
            }
            let is_first = bytes.is_empty();
            bytes.extend_from_slice(part);
            let in_one_piece = is_first || bytes.len() > self.io.max_claim();
            ensure!(in_one_piece, "read {token}: a block, in more than one piece");
        }
    }

    /// Gives a read back, which shows what it showed, whatever was written since.
    pub(super) fn release(&mut self) -> Verdict {
        if self.kept.is_empty() {
            return Ok(());
        }
        let which = self.choices.below(self.kept.len() as u64) as usize;
        let Kept { token, model, bytes } = self.kept.swap_remove(which);
        self.tell(|| format!("file {model}: release {token}"));
        let is_same = self.bytes_of(token)? == bytes;
        ensure!(is_same, "read {token} shows something else than when it was delivered");
        self.io.release_read(token).map_err(|error| format!("release {token}: {error}"))?;
        let again = self.io.release_read(token);
        ensure!(again == Err(NO_READ), "read {token} released twice: {again:?}");
        let model = &mut self.model.files[model];
        model.released();
        self.counts.add_if(model.is_closed, Met::ReadOutlivedFile);
        Ok(())
    }
}
