//! Floor 1: how two threads hand values to each other: [`SpscQueue`] and [`Doorbell`].
//!
//! | file | noun |
//! |---|---|
//! | `spsc` | bounded queue with one [`Producer`] and one [`Consumer`], by type |
//! | `doorbell` | one word through which a thread that sleeps is woken, and no wake-up is lost |
//! | `ordering` | every memory ordering of the two, by name, and what it is for |
//! | `sync` | the atomic and the cell they are made of |
//!
//! Nothing here sleeps, spins, locks or allocates: sleeping is up to the driver above, with what
//! its platform has. The module exists where the target swaps 32 bits atomically.
//!
//! What the threads may do to each other is explored by the models in `tests/tests/loom_handoff`.
//! A worker thread with two queues and two doorbells:
//!
//! ```
//! use std::{sync::Arc, thread};
//! use ringzero_core::handoff::{Doorbell, SpscQueue, SpscSlot};
//!
//! // Requests go out, outcomes come back; each direction has the doorbell of who may sleep there.
//! // With the feature `alloc`: `SpscQueue::<u32, _>::boxed(8).split_owned()`.
//! let queue = || SpscQueue::new([(); 8].map(|()| SpscSlot::<u32>::new()));
//! let (mut requests, mut inbox) = Box::leak(Box::new(queue())).split();
//! let (mut outbox, mut outcomes) = Box::leak(Box::new(queue())).split();
//! let work = Arc::new(Doorbell::new());
//! let done = Arc::new(Doorbell::new());
//!
//! let (my_work, my_done, waiter) = (work.clone(), done.clone(), thread::current());
//! let worker = thread::spawn(move || {
//!     loop {
//!         while let Some(request) = inbox.pop() {
//!             outbox.push(request * 2).expect("as many slots as requests");
//!             if my_done.ring() {
//!                 waiter.unpark();
//!             }
//!         }
//!         if inbox.is_closed() {
//!             return;
//!         }
//!         my_work.arm();
//!         // Looked at again after arming: what was published before is seen here, and who
//!         // publishes from now on finds the doorbell armed.
//!         if inbox.is_empty() && !inbox.is_closed() {
//!             while my_work.is_armed() {
//!                 thread::park();
//!             }
//!         }
//!         my_work.disarm();
//!     }
//! });
//!
//! requests.push(21).expect("room");
//! if work.ring() {
//!     worker.thread().unpark();
//! }
//! let outcome = loop {
//!     if let Some(outcome) = outcomes.pop() {
//!         break outcome;
//!     }
//!     done.arm();
//!     if outcomes.is_empty() {
//!         while done.is_armed() {
//!             thread::park();
//!         }
//!     }
//!     done.disarm();
//! };
//! assert_eq!(outcome, 42);
//!
//! drop(requests); // Closes; who sleeps has to be told.
//! if work.ring() {
//!     worker.thread().unpark();
//! }
//! worker.join().expect("the worker ends");
//! ```

mod doorbell;
mod ordering;
pub(crate) mod spsc;
mod sync;

#[cfg(test)]
mod tests;

pub use doorbell::Doorbell;
pub use spsc::{Consumer, Producer, SharedQueue, SpscQueue, SpscSlot};
