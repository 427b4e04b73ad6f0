//! [`Program`]: a random program over a database: transactions of every kind, savepoints, readers,
//! closing and opening again; a pure function of its seed.
//!
//! It knows what every answer must be, and panics at one that is not. An error of the storage ends
//! it. What a power cut may leave at any moment is in the `Progress` that it was given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Builder, Database, Durability, ReadTransaction, ReadableDatabase, Savepoint};
use redb::{StorageBackend, WriteTransaction};
use ringzero_tests::random::Random;

use crate::{
    contents::Contents,
    edits::{Edits, Sizes},
    state::{Progress, State},
};

/// What a program did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Write transactions that were committed, durably or not.
    pub commits: u64,
    /// Those that were not durable.
    pub lasting_later: u64,
    /// Those that were given up.
    pub aborts: u64,
    /// Savepoints that were restored.
    pub restored: u64,
    /// Times that the database was closed and opened again.
    pub reopened: u64,
    /// Times that a reader was found to see what it saw when it began.
    pub looks: u64,
    /// Times that the database was compacted.
    pub compacted: u64,
}

/// A savepoint, as old as its number says.
enum Kept {
    Ephemeral(Savepoint),
    Persistent(u64),
}

/// A random program over one database.
pub struct Program<'a> {
    random: Random,
    sizes: Sizes,
    open: &'a mut dyn FnMut() -> Result<Database, redb::Error>,
    database: Option<Database>,
    now: State,
    /// What a power cut may leave.
    progress: Arc<Mutex<Progress>>,
    readers: Vec<(ReadTransaction, Contents)>,
    /// In the order in which they were made.
    savepoints: Vec<(Kept, Contents)>,
    /// What it did.
    pub tally: Tally,
}

/// A database over a storage, with a cache so small that pages come and go.
///
/// # Errors
/// What redb says.
pub fn open_database(backend: impl StorageBackend) -> Result<Database, redb::Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(256 << 10);
    Ok(builder.create_with_backend(backend)?)
}

/// The progress of a program, whoever panicked.
pub fn look(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Program<'a> {
    /// A program that opens its database, now and later, with `open`.
    ///
    /// # Errors
    /// What redb says.
    pub fn new(
        seed: u64,
        sizes: Sizes,
        progress: &Arc<Mutex<Progress>>,
        open: &'a mut dyn FnMut() -> Result<Database, redb::Error>,
    ) -> Result<Self, redb::Error> {
        let database = Some(open()?);
        look(progress).is_made = true;
        Ok(Self {
            random: Random::new(seed),
            sizes,
            open,
            database,
            now: State::default(),
            progress: Arc::clone(progress),
            readers: Vec::new(),
            savepoints: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// Runs so many steps, and closes the database.
    ///
    /// # Errors
    /// What redb says.
    pub fn run(&mut self, steps: u64) -> Result<(), redb::Error> {
        for _ in 0..steps {
            match self.random.below(100) {
                0..74 => self.write()?,
                74..82 => self.begin_reader()?,
                82..90 => self.look_at_reader()?,
                90..95 => assert_eq!(Contents::read(self.database())?, self.now.contents),
                95..97 => self.check_integrity()?,
                97..98 => self.compact()?,
                _ => self.reopen()?,
            }
        }
        self.reopen()?;
        assert_eq!(Contents::read(self.database())?, self.now.contents);
        self.close()
    }

    /// The database, which is open in every step.
    fn database(&mut self) -> &mut Database {
        self.database.as_mut().expect("open between steps")
    }

    /// Whatever is durable from now on may be `state`, until [`Program::settle`].
    fn begin_commit(&self, state: &State) {
        look(&self.progress).committing = Some(state.clone());
    }

    /// What may have become durable is.
    fn settle(&self) {
        let mut progress = look(&self.progress);
        if let Some(state) = progress.committing.take() {
            progress.durable = state;
        }
    }

    fn write(&mut self) -> Result<(), redb::Error> {
        let mut transaction = self.database().begin_write()?;
        let mut state = self.now.clone();
        let is_durable = !self.random.chance(200);
        if is_durable {
            transaction.set_two_phase_commit(self.random.chance(120));
            transaction.set_quick_repair(self.random.chance(120));
        } else {
            transaction.set_durability(Durability::None)?;
        }
        let known = self.savepoints.len();
        // How many savepoints are left if this is committed.
        let mut kept = self.make_savepoint(&transaction, &mut state, is_durable)?;
        if is_durable && self.random.chance(80) {
            kept = self.restore_savepoint(&mut transaction, &mut state, kept)?;
        }
        for _ in 0..self.random.below(14) {
            let random = &mut self.random;
            let (contents, sizes) = (&mut state.contents, self.sizes);
            Edits { transaction: &transaction, contents, random, sizes }.make_one()?;
        }
        if self.random.chance(120) {
            self.savepoints.truncate(known);
            transaction.abort()?;
            self.tally.aborts += 1;
            return Ok(());
        }
        if is_durable {
            self.begin_commit(&state);
        }
        transaction.commit()?;
        if is_durable {
            self.settle();
        }
        self.now = state;
        self.savepoints.truncate(kept);
        self.forget_deleted();
        self.tally.commits += 1;
        self.tally.lasting_later += u64::from(!is_durable);
        Ok(())
    }

    /// Makes a savepoint of what was before the transaction, or deletes one. Returns how many there
    /// are.
    fn make_savepoint(
        &mut self,
        transaction: &WriteTransaction,
        state: &mut State,
        is_durable: bool,
    ) -> Result<usize, redb::Error> {
        let contents = self.now.contents.clone();
        match self.random.below(100) {
            0..8 => {
                let savepoint = transaction.ephemeral_savepoint()?;
                self.savepoints.push((Kept::Ephemeral(savepoint), contents));
            }
            8..14 if is_durable => {
                let number = transaction.persistent_savepoint()?;
                state.savepoints.insert(number, contents.clone());
                self.savepoints.push((Kept::Persistent(number), contents));
            }
            14..18 if is_durable => {
                let number = state.savepoints.keys().next().copied();
                if let Some(number) = number {
                    assert!(transaction.delete_persistent_savepoint(number)?);
                    state.savepoints.remove(&number);
                }
            }
            _ => {}
        }
        Ok(self.savepoints.len())
    }

    /// Restores a savepoint, which ends those made after it. Returns how many are left.
    fn restore_savepoint(
        &mut self,
        transaction: &mut WriteTransaction,
        state: &mut State,
        count: usize,
    ) -> Result<usize, redb::Error> {
        if count == 0 {
            return Ok(0);
        }
        let at = self.random.below(count as u64) as usize;
        let (savepoint, contents) = &self.savepoints[at];
        match savepoint {
            Kept::Ephemeral(savepoint) => transaction.restore_savepoint(savepoint)?,
            Kept::Persistent(number) if state.savepoints.contains_key(number) => {
                let savepoint = transaction.get_persistent_savepoint(*number)?;
                transaction.restore_savepoint(&savepoint)?;
            }
            // Deleted in this transaction.
            Kept::Persistent(_) => return Ok(count),
        }
        state.contents = contents.clone();
        for (later, _) in &self.savepoints[at + 1..] {
            if let Kept::Persistent(number) = later {
                state.savepoints.remove(number);
            }
        }
        self.tally.restored += 1;
        Ok(at + 1)
    }

    /// Persistent savepoints that were deleted are none.
    fn forget_deleted(&mut self) {
        let known = &self.now.savepoints;
        self.savepoints.retain(|(savepoint, _)| match savepoint {
            Kept::Ephemeral(_) => true,
            Kept::Persistent(number) => known.contains_key(number),
        });
    }

    fn begin_reader(&mut self) -> Result<(), redb::Error> {
        if self.readers.len() < 3 {
            let reader = self.database().begin_read()?;
            self.readers.push((reader, self.now.contents.clone()));
        }
        Ok(())
    }

    /// A reader sees what was there when it began, and ends.
    fn look_at_reader(&mut self) -> Result<(), redb::Error> {
        if self.readers.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.readers.len() as u64) as usize;
        let (reader, contents) = self.readers.swap_remove(at);
        assert!(Contents::of(&reader)? == contents, "a reader sees something else than before");
        self.tally.looks += 1;
        Ok(())
    }

    /// Ends what only lives as long as the database is open.
    fn end_all_users(&mut self) {
        self.readers.clear();
        self.savepoints.retain(|(savepoint, _)| matches!(savepoint, Kept::Persistent(_)));
    }

    fn check_integrity(&mut self) -> Result<(), redb::Error> {
        self.end_all_users();
        self.begin_commit(&self.now);
        assert!(self.database().check_integrity()?, "damage was found");
        self.settle();
        Ok(())
    }

    fn compact(&mut self) -> Result<(), redb::Error> {
        self.end_all_users();
        if !self.now.savepoints.is_empty() {
            return Ok(());
        }
        self.begin_commit(&self.now);
        self.database().compact()?;
        self.settle();
        self.tally.compacted += 1;
        Ok(())
    }

    /// Closes the database; what was not durable is then.
    fn close(&mut self) -> Result<(), redb::Error> {
        self.end_all_users();
        self.begin_commit(&self.now);
        if let Some(database) = self.database.take() {
            database.close()?;
        }
        self.settle();
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), redb::Error> {
        self.close()?;
        self.database = Some((self.open)()?);
        self.tally.reopened += 1;
        Ok(())
    }
}
