//! `Edit`: one change to the tables, or one look at them, made in a write transaction and in the
//! model at once; every answer is compared.
//!
//! Keys are few, so that edits meet each other.

use std::{collections::BTreeSet, sync::Arc};

use redb::{ReadableMultimapTable, ReadableTable, WriteTransaction};
use ringzero_tests::random::{self, Random};

use crate::contents::{Contents, NAMES, PAIRS, VALUES};

const KEYS: u64 = 300;
const PAIR_KEYS: u64 = 40;
const PAIR_VALUES: u64 = 200;

/// How long values are.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Below this, usually.
    pub usual_bytes: u64,
    /// So many inserts per mille are of a big one.
    pub big_per_mille: u64,
    /// Below this.
    pub big_bytes: u64,
}

/// Where edits are made.
pub struct Edits<'a> {
    /// In the database.
    pub transaction: &'a WriteTransaction,
    /// In the model.
    pub contents: &'a mut Contents,
    /// What is decided by chance.
    pub random: &'a mut Random,
    /// How long values are.
    pub sizes: Sizes,
}

impl Edits<'_> {
    /// Makes one.
    ///
    /// # Errors
    /// What redb says.
    ///
    /// # Panics
    /// If an answer is not what the model says.
    pub fn make_one(&mut self) -> Result<(), redb::Error> {
        match self.random.below(100) {
            0..40 => self.insert_value(),
            40..52 => self.remove_value(),
            52..56 => self.remove_range(),
            56..59 => self.pop_first(),
            59..67 => self.look_at_range(),
            67..75 => self.insert_name(),
            75..79 => self.remove_name(),
            79..90 => self.insert_pair(),
            90..95 => self.remove_pair(),
            95..97 => self.remove_pairs(),
            97..99 => self.look_at_pairs(),
            _ => self.delete_table(),
        }
    }

    fn insert_value(&mut self) -> Result<(), redb::Error> {
        let key = self.random.below(KEYS);
        let Sizes { usual_bytes, big_per_mille, big_bytes } = self.sizes;
        let is_big = self.random.chance(big_per_mille);
        let len = self.random.below(if is_big { big_bytes } else { usual_bytes });
        let value: Arc<[u8]> = random::bytes(self.random.next(), 0, len as usize).into();
        let mut table = self.transaction.open_table(VALUES)?;
        let old = table.insert(key, &*value)?.map(|old| old.value().to_vec());
        assert_eq!(old.as_deref(), self.contents.values.insert(key, value).as_deref(), "{key}");
        Ok(())
    }

    fn remove_value(&mut self) -> Result<(), redb::Error> {
        let key = self.random.below(KEYS);
        let mut table = self.transaction.open_table(VALUES)?;
        let old = table.remove(key)?.map(|old| old.value().to_vec());
        assert_eq!(old.as_deref(), self.contents.values.remove(&key).as_deref(), "{key}");
        Ok(())
    }

    fn remove_range(&mut self) -> Result<(), redb::Error> {
        let begin = self.random.below(KEYS);
        let range = begin..begin + self.random.below(KEYS / 4);
        let mut table = self.transaction.open_table(VALUES)?;
        table.retain_in(range.clone(), |key, _| key % 3 == 0)?;
        self.contents.values.retain(|key, _| !range.contains(key) || key % 3 == 0);
        Ok(())
    }

    fn pop_first(&mut self) -> Result<(), redb::Error> {
        let mut table = self.transaction.open_table(VALUES)?;
        let first = table.pop_first()?.map(|(key, value)| (key.value(), value.value().into()));
        assert_eq!(first, self.contents.values.pop_first());
        Ok(())
    }

    fn look_at_range(&mut self) -> Result<(), redb::Error> {
        let begin = self.random.below(KEYS);
        let range = begin..begin + self.random.below(KEYS / 4);
        let table = self.transaction.open_table(VALUES)?;
        let mut found = table.range(range.clone())?;
        for (key, value) in self.contents.values.range(range) {
            let (found_key, found_value) = found.next().expect("an entry that the model has")?;
            assert_eq!(found_key.value(), *key);
            assert!(found_value.value() == &**value, "the value of {key}");
        }
        assert!(found.next().transpose()?.is_none(), "an entry that the model has not");
        Ok(())
    }

    fn name(&mut self) -> String {
        let number = self.random.below(KEYS);
        // Of lengths from short to some that fill a page.
        format!("name {number} {}", "x".repeat((number * number % 1_200) as usize))
    }

    fn insert_name(&mut self) -> Result<(), redb::Error> {
        let (name, number) = (self.name(), self.random.next());
        let mut table = self.transaction.open_table(NAMES)?;
        let old = table.insert(name.as_str(), number)?.map(|old| old.value());
        assert_eq!(old, self.contents.names.insert(name, number));
        Ok(())
    }

    fn remove_name(&mut self) -> Result<(), redb::Error> {
        let name = self.name();
        let mut table = self.transaction.open_table(NAMES)?;
        let old = table.remove(name.as_str())?.map(|old| old.value());
        assert_eq!(old, self.contents.names.remove(&name));
        Ok(())
    }

    fn insert_pair(&mut self) -> Result<(), redb::Error> {
        let (key, value) = (self.random.below(PAIR_KEYS), self.random.below(PAIR_VALUES));
        let mut table = self.transaction.open_multimap_table(PAIRS)?;
        let was_there = table.insert(key, value)?;
        assert_eq!(was_there, !self.contents.pairs.entry(key).or_default().insert(value));
        Ok(())
    }

    fn remove_pair(&mut self) -> Result<(), redb::Error> {
        let key = self.random.below(PAIR_KEYS);
        let pairs = &mut self.contents.pairs;
        let known: Vec<u64> = pairs.get(&key).into_iter().flatten().copied().collect();
        let value = match known.len() as u64 {
            0 => self.random.below(PAIR_VALUES),
            count => known[self.random.below(count) as usize],
        };
        let mut table = self.transaction.open_multimap_table(PAIRS)?;
        let was_there = table.remove(key, value)?;
        let set = pairs.entry(key).or_default();
        assert_eq!(was_there, set.remove(&value));
        if set.is_empty() {
            pairs.remove(&key);
        }
        Ok(())
    }

    fn remove_pairs(&mut self) -> Result<(), redb::Error> {
        let key = self.random.below(PAIR_KEYS);
        let mut table = self.transaction.open_multimap_table(PAIRS)?;
        let removed: Result<BTreeSet<u64>, _> =
            table.remove_all(key)?.map(|value| value.map(|value| value.value())).collect();
        assert_eq!(removed?, self.contents.pairs.remove(&key).unwrap_or_default());
        Ok(())
    }

    fn look_at_pairs(&mut self) -> Result<(), redb::Error> {
        let key = self.random.below(PAIR_KEYS);
        let table = self.transaction.open_multimap_table(PAIRS)?;
        let found: Result<BTreeSet<u64>, _> =
            table.get(key)?.map(|value| value.map(|value| value.value())).collect();
        assert_eq!(found?, self.contents.pairs.get(&key).cloned().unwrap_or_default());
        Ok(())
    }

    fn delete_table(&mut self) -> Result<(), redb::Error> {
        if self.random.chance(500) {
            self.transaction.delete_table(NAMES)?;
            self.contents.names.clear();
        } else {
            self.transaction.delete_multimap_table(PAIRS)?;
            self.contents.pairs.clear();
        }
        Ok(())
    }
}
