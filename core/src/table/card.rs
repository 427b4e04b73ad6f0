//! [`Card`]: the smallest record with links, for the tests of what keeps records.

use super::list::{Links, Node};

/// The smallest record with links: what it is told to keep, and nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) links: Links,
    pub(crate) tag: u32,
}

impl Card {
    pub(crate) const EMPTY: Self = Self { links: Links::NONE, tag: 0 };
}

impl Node for Card {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}
