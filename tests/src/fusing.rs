//! What the tests of fusing share: a file whose next group may be fused, and its requests as they
//! are written down: [`Was`].

use ringzero_core::{Alteration, IoFd, StorageIoExt, WriteKind};

use crate::{
    disk::Ask,
    fixture::{Place, Scripted, Setup},
    script::{Action, Of, Rule},
    session::Session,
};

/// What the tests drive.
pub type Plain = Session<Scripted<false>>;

/// What was handed over, as the tests write it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// A plain write of this range.
    Plain(u64, u64),
    /// A durable write of this range.
    Durable(u64, u64),
    /// A data-sync.
    Sync,
    /// An alteration.
    Altered(Alteration),
}

/// A backend with one empty file that has had its full data-sync, the one request so far.
pub fn synced() -> (Plain, IoFd) {
    synced_with(&Setup::default())
}

/// The same with other capacities.
pub fn synced_with(setup: &Setup) -> (Plain, IoFd) {
    let (mut s, fd) = unsynced(setup);
    s.sync(fd).unwrap();
    s.drain();
    (s, fd)
}

/// A backend with one empty file, and nothing handed over.
pub fn unsynced(setup: &Setup) -> (Plain, IoFd) {
    let mut s = Plain::at(Place::Memory, setup).expect("runs everywhere");
    let fd = s.open("file", &[]);
    (s, fd)
}

/// The requests behind the first `skip`.
pub fn requests(s: &Plain, skip: usize) -> Vec<Was> {
    let was = |(_, ask)| match ask {
        Ask::Write { offset, len, kind: WriteKind::Plain, .. } => Was::Plain(offset, offset + len),
        Ask::Write { offset, len, kind: WriteKind::Durable, .. } => {
            Was::Durable(offset, offset + len)
        }
        Ask::Sync(_) => Was::Sync,
        Ask::Read { .. } => unreachable!("these tests read nothing"),
        Ask::Alter(what) => Was::Altered(what),
    };
    s.fixture.disk.requests("file").into_iter().skip(skip).map(was).collect()
}

/// The next request of this kind does this.
pub fn script(s: &Plain, of: Of, action: Action) {
    s.fixture.disk.script(Rule::once("file", of, action));
}

/// Submits an append and a sync.
pub fn commit(s: &mut Plain, fd: IoFd, data: &[u8]) -> [u64; 2] {
    [s.append(fd, data).unwrap(), s.sync(fd).unwrap()]
}

/// Results of tokens that were delivered.
pub fn results<const N: usize>(s: &Plain, tokens: [u64; N]) -> [i32; N] {
    tokens.map(|token| s.result(token))
}

/// The next group is fused: the file is usable, and nothing of it is unsynced.
pub fn assert_next_is_fused(s: &mut Plain, fd: IoFd) {
    let before = requests(s, 0).len();
    let tail = s.io.tail(fd).unwrap();
    let tokens = commit(s, fd, b"next");
    s.drain();
    assert_eq!(results(s, tokens), [4, 0]);
    assert_eq!(requests(s, before), [Was::Durable(tail, tail + 4)]);
}
