//! The queues between cores: one for each ordered pair, so that each has one producer and one
//! consumer and no core ever takes a lock.

use ringzero_core::{
    BoxedQueue,
    handoff::{Consumer, Producer, SpscQueue},
};

use crate::record::Record;

/// Records that a queue holds. A core that runs into a full one does its other work first.
const QUEUE_RECORDS: u32 = 1_024;

/// Where records for another core go.
pub(crate) type Outbox = Producer<BoxedQueue<Record>>;
/// Where records from another core come from.
pub(crate) type Inbox = Consumer<BoxedQueue<Record>>;

/// One core's ends.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// By destination; `None` for the core itself.
    pub(crate) outboxes: Vec<Option<Outbox>>,
    /// From every other core.
    pub(crate) inboxes: Vec<Inbox>,
}

/// The ends of each of `count` cores.
pub(crate) fn mesh(count: usize) -> Vec<Ends> {
    let mut ends: Vec<Ends> = (0..count).map(|_| Ends::default()).collect();
    for from in 0..count {
        let mut outboxes = Vec::with_capacity(count);
        for (to, other) in ends.iter_mut().enumerate() {
            outboxes.push((from != to).then(|| {
                let (outbox, inbox) = SpscQueue::boxed(QUEUE_RECORDS).split_owned();
                other.inboxes.push(inbox);
                outbox
            }));
        }
        if let Some(own) = ends.get_mut(from) {
            own.outboxes = outboxes;
        }
    }
    ends
}
