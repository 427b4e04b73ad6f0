//! [`Tasks`]: the tasks of a program, and the one that waits for all of them to end.
//!
//! Of this thread only, for any runtime. It costs a task nothing until its end, unlike a handle per
//! task that has to be awaited.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io, mem,
    rc::Rc,
    task::{Poll, Waker},
    time::Instant,
};

use ringzero_benches::{compare::job::Job, contestants::committers::release_after};

use crate::runtime::Runtime;

/// Tasks that were started and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: Cell<u32>,
    failure: RefCell<Option<io::Error>>,
    waiting: RefCell<Option<Waker>>,
}

impl Tasks {
    /// Starts one more.
    pub(crate) fn spawn<R: Runtime>(
        self: &Rc<Self>,
        task: impl Future<Output = io::Result<()>> + 'static,
    ) {
        let tasks = Rc::clone(self);
        self.running.set(self.running.get() + 1);
        R::spawn(async move {
            if let Err(error) = task.await {
                tasks.failure.borrow_mut().get_or_insert(error);
            }
            tasks.running.set(tasks.running.get() - 1);
            if tasks.running.get() == 0
                && let Some(waiting) = tasks.waiting.take()
            {
                waiting.wake();
            }
        });
    }

    /// Until all have ended.
    ///
    /// # Errors
    /// The first of theirs.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        poll_fn(|context| {
            if self.running.get() == 0 {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        mem::take(&mut *self.failure.borrow_mut()).map_or(Ok(()), Err)
    }
}

/// Until committer `task` of `job`, which began at `began`, is released. Without timers: nobody
/// else sleeps either while committers are arriving.
pub(crate) async fn released(job: &Job, task: u32, began: Instant) {
    let after = release_after(job, task);
    while !after.is_zero() && began.elapsed() < after {
        yield_now().await;
    }
}

/// Lets every task run that can, once.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
