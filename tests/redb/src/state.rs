//! [`State`]: contents and persistent savepoints; and [`Progress`]: which of them a power cut may
//! leave.

use std::collections::BTreeMap;

use redb::Database;

use crate::contents::Contents;

/// What one commit left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What the tables hold.
    pub contents: Contents,
    /// The persistent savepoints, by their number, and what restoring them gives.
    pub savepoints: BTreeMap<u64, Contents>,
}

/// What is durable, and what may be.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The database was opened.
    pub is_made: bool,
    /// After the last commit that was durable when it returned.
    pub durable: State,
    /// What is being made durable now, or was when it failed.
    pub committing: Option<State>,
}

impl Progress {
    /// The state, of those that a power cut may leave, that the database is in.
    ///
    /// # Errors
    /// How it differs from all of them, or what redb says.
    pub fn recognise(&self, database: &Database) -> Result<State, String> {
        let found = Contents::read(database).map_err(|error| format!("reading: {error}"))?;
        let savepoints = savepoints_of(database).map_err(|error| format!("savepoints: {error}"))?;
        let allowed = [Some(&self.durable), self.committing.as_ref()];
        let matching = allowed.into_iter().flatten().find(|state| {
            state.contents == found && state.savepoints.keys().copied().eq(savepoints.clone())
        });
        matching.cloned().ok_or_else(|| {
            let durable = self.durable.contents.outline();
            let committing = self.committing.as_ref().map(|state| state.contents.outline());
            let found = found.outline();
            format!(
                "there are {found}, savepoints {savepoints:?}; durable were {durable}, \
                 being committed {committing:?}"
            )
        })
    }
}

/// The numbers of the persistent savepoints.
fn savepoints_of(database: &Database) -> Result<Vec<u64>, redb::Error> {
    let transaction = database.begin_write()?;
    let savepoints = transaction.list_persistent_savepoints()?.collect();
    transaction.abort()?;
    Ok(savepoints)
}
