//! [`Contents`]: what the tables of a database hold, as maps of std; and the tables.
//!
//! It is both the model that a program changes beside the database, and what is read from one to be
//! compared. It is not a database: no transactions, no order of commits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use redb::{
    MultimapTableDefinition, ReadTransaction, ReadableDatabase, ReadableMultimapTable,
    ReadableTable, TableDefinition, TableError,
};

/// Values of any length by number.
pub const VALUES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("values");
/// Numbers by name.
pub const NAMES: TableDefinition<'static, &str, u64> = TableDefinition::new("names");
/// Several numbers by number.
pub const PAIRS: MultimapTableDefinition<'static, u64, u64> = MultimapTableDefinition::new("pairs");

/// What the three tables hold. A table that does not exist is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Of [`VALUES`].
    pub values: BTreeMap<u64, Arc<[u8]>>,
    /// Of [`NAMES`].
    pub names: BTreeMap<String, u64>,
    /// Of [`PAIRS`]. No set is empty.
    pub pairs: BTreeMap<u64, BTreeSet<u64>>,
}

impl Contents {
    /// What a read transaction that begins now sees.
    ///
    /// # Errors
    /// What redb says.
    pub fn read(database: &impl ReadableDatabase) -> Result<Self, redb::Error> {
        Self::of(&database.begin_read()?)
    }

    /// What a read transaction sees.
    ///
    /// # Errors
    /// What redb says.
    pub fn of(transaction: &ReadTransaction) -> Result<Self, redb::Error> {
        let mut contents = Self::default();
        if let Some(table) = existing(transaction.open_table(VALUES))? {
            for entry in table.iter()? {
                let (key, value) = entry?;
                contents.values.insert(key.value(), value.value().into());
            }
        }
        if let Some(table) = existing(transaction.open_table(NAMES))? {
            for entry in table.iter()? {
                let (key, value) = entry?;
                contents.names.insert(key.value().to_owned(), value.value());
            }
        }
        if let Some(table) = existing(transaction.open_multimap_table(PAIRS))? {
            for entry in table.iter()? {
                let (key, values) = entry?;
                let values: Result<BTreeSet<u64>, _> =
                    values.map(|value| value.map(|value| value.value())).collect();
                contents.pairs.insert(key.value(), values?);
            }
        }
        Ok(contents)
    }

    /// How much it is, for messages.
    pub fn outline(&self) -> String {
        let byte_count: usize = self.values.values().map(|value| value.len()).sum();
        let pair_count: usize = self.pairs.values().map(BTreeSet::len).sum();
        let (values, names) = (self.values.len(), self.names.len());
        format!("{values} values of {byte_count} bytes, {names} names, {pair_count} pairs")
    }
}

/// A table that does not exist is none.
fn existing<T>(opened: Result<T, TableError>) -> Result<Option<T>, redb::Error> {
    match opened {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
