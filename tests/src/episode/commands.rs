//! The calls of an episode, chosen by chance.

use ringzero_core::{Alteration, Claim, Errno, StorageIo, StorageIoError, StorageIoExt};

use super::{Episode, Met, Open, Submitted, Verdict};
use crate::{ensure, random::bytes, scripted::ScriptedBackend};

/// How bytes are brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Copied,
    Gathered,
    Claimed,
    /// Claimed, and given back.
    Dropped,
}

/// Where bytes go.
#[derive(Clone, Copy, Debug)]
enum To {
    Offset(u64),
    Tail,
}

impl Episode {
    /// One random call.
    pub(super) fn step(&mut self) -> Verdict {
        if self.open.is_empty() {
            return self.poll();
        }
        let which = self.choices.below(self.open.len() as u64) as usize;
        let open = self.open[which];
        match self.choices.below(1000) {
            0..240 => self.append(open),
            240..440 => self.write(open),
            440..530 => self.sync(open),
            530..610 => self.read(open),
            610..680 => self.release(),
            680..715 => self.alter(open),
            715..790 => {
                self.io.flush().expect("open");
                Ok(())
            }
            790..950 => self.poll(),
            950..965 => {
                self.io.wait(1, None).map_err(|error| error.to_string())?;
                Ok(())
            }
            965..985 => self.resume(open),
            985..993 => self.close(which),
            _ => self.submit_close(which),
        }
    }

    pub(super) fn length(&mut self) -> usize {
        let max = self.io.max_write() as u64;
        match self.choices.below(20) {
            0 => 0,
            1 => max as usize,
            2 => self.choices.below(max) as usize,
            3..8 => self.choices.below(600).min(max) as usize,
            _ => self.choices.below(100) as usize,
        }
    }

    fn way(&mut self) -> Way {
        match self.choices.below(8) {
            0..4 => Way::Copied,
            4 => Way::Gathered,
            5 | 6 => Way::Claimed,
            _ => Way::Dropped,
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn append(&mut self, open: Open) -> Verdict {
        let (way, len) = (self.way(), self.length());
        let offset = self.io.tail(open.fd).expect("known");
        let id = self.id();
        let may = self.io.can_accept(open.fd, len);
        let what = Submitted::Append { id, offset, len: len as u64 };
        let data = bytes(id, offset, len);
        let answer = self.bring(open, way, (To::Tail, what), &data)?;
        let is_as_told = answer.is_none_or(|answer| may == answer.map(|_| ()));
        ensure!(is_as_told, "can_accept says {may:?}, an append {answer:?}");
        Ok(())
    }

    fn write(&mut self, open: Open) -> Verdict {
        let (way, len) = (self.way(), self.length());
        let tail = self.io.tail(open.fd).expect("known");
        let offset = match self.choices.below(4) {
            0 => self.choices.below(tail + 200),
            1 => tail.saturating_sub(self.choices.below(300)),
            // Neighbours, to be merged.
            _ => self.choices.below(40) * 64,
        };
        let len = if self.choices.chance(300) { 64 } else { len };
        let id = self.id();
        let what = Submitted::Write { id, offset, len: len as u64 };
        let range = offset..offset + len as u64;
        let is_behind_read =
            self.io.engine().deliverable() == 0 && self.model.files[open.model].is_reading(&range);
        let data = bytes(id, offset, len);
        let answer = self.bring(open, way, (To::Offset(offset), what), &data)?;
        let is_behind_read = is_behind_read && matches!(answer, Some(Ok(_)));
        self.counts.add_if(is_behind_read, Met::WriteBehindRead);
        Ok(())
    }

    /// Submits bytes, unless it claims memory for them and gives it back: `None`.
    fn bring(
        &mut self,
        open: Open,
        way: Way,
        (to, what): (To, Submitted),
        data: &[u8],
    ) -> Result<Option<Result<u64, StorageIoError>>, String> {
        if way == Way::Dropped {
            return self.drop_claim(open, (to, what), data);
        }
        let (io, fd) = (&mut self.io, open.fd);
        let (front, back) = data.split_at(data.len() / 3);
        let mut met = Vec::new();
        let answer = match (way, to) {
            (Way::Copied | Way::Dropped, _) => copy(io, open, to, data),
            (Way::Gathered, to) => {
                met.push(Met::Gathered);
                match to {
                    To::Offset(offset) => io.submit_writev(fd, &[front, &[], back], offset),
                    To::Tail => io.submit_appendv(fd, &[front, back]),
                }
            }
            (Way::Claimed, to) => match claim(io, open, to, data.len()) {
                Ok(mut claim) => {
                    met.push(Met::Claimed);
                    let is_split = !claim.parts()[1].is_empty();
                    met.extend(is_split.then_some(Met::ClaimedInTwoParts));
                    let copied = claim.copy_in(0, data);
                    let answer = claim.submit();
                    let is_whole = copied == data.len() && answer.is_ok();
                    ensure!(is_whole, "a claim of {} takes {copied}: {answer:?}", data.len());
                    answer
                }
                Err(error) => return self.claim_refused(open, what, error).map(|()| None),
            },
        };
        if let Ok(token) = answer {
            self.if_good.insert(token, met);
        }
        self.count_later(open, answer);
        self.judge(open, what, answer)?;
        Ok(Some(answer))
    }

    /// A claim that is given back leaves no trace.
    fn drop_claim(
        &mut self,
        open: Open,
        (to, what): (To, Submitted),
        data: &[u8],
    ) -> Result<Option<Result<u64, StorageIoError>>, String> {
        let before = self.seen(open);
        let claimed = claim(&mut self.io, open, to, data.len());
        // What it was filled with is nobody's.
        if let Err(error) = claimed.map(|mut claim| claim.copy_in(0, &vec![0xEE; data.len()])) {
            return self.claim_refused(open, what, error).map(|()| None);
        }
        let after = self.seen(open);
        ensure!(after == before, "a claim given back leaves {after}, before it was {before}");
        self.counts.add(Met::ClaimDropped);
        self.tell(|| format!("{}: a claim for {what:?} given back", open.name));
        if self.choices.chance(500) {
            return Ok(None);
        }
        let answer = copy(&mut self.io, open, to, data);
        ensure!(answer.is_ok(), "a claim for {what:?} was taken, and it itself is {answer:?}");
        self.judge(open, what, answer)?;
        Ok(Some(answer))
    }

    /// All that can be asked.
    fn seen(&self, Open { fd, .. }: Open) -> String {
        let io = &self.io;
        let room = [0, 1, 100, io.max_claim(), io.max_write()].map(|len| io.can_accept(fd, len));
        let tails = (io.tail(fd), io.durable_tail(fd));
        format!("{:?} {:?} {tails:?} {room:?}", io.stats(), io.file_status(fd))
    }

    fn claim_refused(&mut self, open: Open, what: Submitted, error: StorageIoError) -> Verdict {
        self.counts.add(Met::ClaimRefused);
        self.count_later(open, Err(error));
        let (Submitted::Write { len, .. } | Submitted::Append { len, .. }) = what else {
            return Err(format!("no claim is for {what:?}"));
        };
        let is_too_long = len > self.io.max_claim() as u64;
        if is_too_long && error == StorageIoError::Io(Errno::MSGSIZE) {
            return Ok(());
        }
        self.judge(open, what, Err(error))
    }

    fn sync(&mut self, open: Open) -> Verdict {
        let tail = self.io.tail(open.fd).expect("known");
        let answer = if self.choices.chance(200) {
            let answer = self.io.submit_fsync(open.fd);
            self.if_good.extend(answer.ok().map(|token| (token, vec![Met::FullSync])));
            answer
        } else {
            self.io.submit_datasync(open.fd)
        };
        self.judge(open, Submitted::Sync { tail }, answer)
    }

    fn resume(&mut self, Open { name, fd, model }: Open) -> Verdict {
        let answer = self.io.resume_append(fd);
        self.counts.add_if(answer.is_ok(), Met::Resumed);
        self.tell(|| format!("{name}: resume_append {answer:?}"));
        let state = self.disk.state();
        self.model.files[model].follow(state.file(name))?;
        self.model.files[model].resumed(answer)
    }

    fn alter(&mut self, open: Open) -> Verdict {
        let tail = self.io.tail(open.fd).expect("known");
        let (offset, len) = (self.choices.below(tail + 200), self.choices.below(900));
        let fd = open.fd;
        let (what, answer, met) = match self.choices.below(4) {
            0 => {
                let answer = self.io.submit_allocate(fd, offset, len);
                (Alteration::Allocate { offset, len }, answer, Met::Allocated)
            }
            1 => {
                let answer = self.io.submit_punch(fd, offset, len);
                (Alteration::Punch { offset, len }, answer, Met::Punched)
            }
            _ => {
                // Half of the time near the tail, so that files grow.
                let len = if len % 2 == 0 { offset } else { tail.saturating_sub(len % 300) };
                let met = if len < tail { Met::Shortened } else { Met::Lengthened };
                (Alteration::Truncate { len }, self.io.submit_truncate(fd, len), met)
            }
        };
        let is_broken = self.model.files[open.model].is_broken();
        let mut met = vec![met];
        if is_broken && matches!(what, Alteration::Truncate { .. }) {
            met.push(Met::TruncatedBrokenStream);
        }
        self.judge_alteration(open, what, (answer, met))
    }

    fn judge_alteration(
        &mut self,
        open: Open,
        what: Alteration,
        (answer, met): (Result<u64, StorageIoError>, Vec<Met>),
    ) -> Verdict {
        self.if_good.extend(answer.ok().map(|token| (token, met)));
        let is_refused = matches!(answer, Err(StorageIoError::Io(_)));
        self.counts.add_if(is_refused, Met::AlterationRefused);
        let is_later = answer == Err(StorageIoError::QueueFull)
            && self.model.files[open.model].has_alteration();
        self.counts.add_if(is_later, Met::AlterationLater);
        self.judge(open, Submitted::Alter(what), answer)
    }

    /// Closes a file without waiting for it.
    fn submit_close(&mut self, which: usize) -> Verdict {
        let open = self.open[which];
        let answer = self.io.submit_close(open.fd);
        if answer.is_ok() {
            self.closing.push(self.open.swap_remove(which));
            let tail = self.io.tail(open.fd);
            ensure!(tail == Err(StorageIoError::BadFd), "G9: {} is closing: {tail:?}", open.name);
        }
        self.judge_alteration(open, Alteration::Close, (answer, vec![Met::Closed]))
    }

    /// Counts what was refused for now because of an alteration.
    pub(super) fn count_later(&mut self, open: Open, answer: Result<u64, StorageIoError>) {
        let is_later = answer == Err(StorageIoError::QueueFull)
            && self.model.files[open.model].has_exclusive_alteration();
        self.counts.add_if(is_later, Met::LaterThanAlteration);
    }
}

fn copy(
    io: &mut ScriptedBackend,
    Open { fd, .. }: Open,
    to: To,
    data: &[u8],
) -> Result<u64, StorageIoError> {
    match to {
        To::Offset(offset) => io.submit_write(fd, data, offset),
        To::Tail => io.submit_append(fd, data),
    }
}

fn claim(
    io: &mut ScriptedBackend,
    Open { fd, .. }: Open,
    to: To,
    len: usize,
) -> Result<Claim<'_>, StorageIoError> {
    match to {
        To::Offset(offset) => io.claim_write(fd, len, offset),
        To::Tail => io.claim_append(fd, len),
    }
}
