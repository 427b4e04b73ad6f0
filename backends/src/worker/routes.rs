//! [`Routes`]: how requests name a file, and which I/O thread they go to.
//!
//! A file with requests in flight stays with its thread; one without goes to the thread that has
//! the fewest. So a file that hangs holds one thread and no second one. A file that begins
//! something new avoids that thread only while another has fewer requests, because one that hangs
//! cannot be told from one that is busy; with as many threads as files there always is one that has
//! none.
//!
//! Worked example, two threads: file A has 3 requests on thread 0 and hangs. File B, idle, goes to
//! thread 1, which has none; so does file C a moment later, since 1 is less than 3. Had C been
//! behind A on thread 0 when A began to hang, it would hang with it.
//!
//! Knows nothing of queues or threads but their numbers.

use ringzero_core::FileSlot;

use super::message::Target;

#[derive(Clone, Copy, Debug)]
struct Route {
    target: Option<Target>,
    /// Of the requests in flight.
    thread: usize,
    in_flight: u32,
}

/// One route per slot.
#[derive(Debug)]
pub(super) struct Routes {
    files: Box<[Route]>,
}

impl Routes {
    /// No file, of `count` at most.
    pub(super) fn new(count: u32) -> Self {
        let none = Route { target: None, thread: 0, in_flight: 0 };
        Self { files: vec![none; count as usize].into() }
    }

    pub(super) fn attach(&mut self, slot: FileSlot, target: Target) {
        if let Some(route) = self.files.get_mut(slot.index()) {
            route.target = Some(target);
        }
    }

    pub(super) fn detach(&mut self, slot: FileSlot) {
        if let Some(route) = self.files.get_mut(slot.index()) {
            route.target = None;
        }
    }

    /// How requests of a file name it.
    #[inline]
    pub(super) fn target(&self, slot: FileSlot) -> Option<Target> {
        self.files.get(slot.index())?.target
    }

    /// How the next request of a file names it, and the number of the thread it goes to; `loads`
    /// are the requests in flight of each thread. `None` if there is no such file.
    #[inline]
    pub(super) fn choose(
        &mut self,
        slot: FileSlot,
        loads: impl Iterator<Item = u32>,
    ) -> Option<(Target, usize)> {
        let route = self.files.get_mut(slot.index())?;
        let target = route.target?;
        if route.in_flight == 0 {
            let least = loads.enumerate().min_by_key(|(_, load)| *load);
            route.thread = least.map_or(0, |(thread, _)| thread);
        }
        Some((target, route.thread))
    }

    /// A request of the file went to the thread chosen for it.
    #[inline]
    pub(super) fn sent(&mut self, slot: FileSlot) {
        if let Some(route) = self.files.get_mut(slot.index()) {
            route.in_flight += 1;
        }
    }

    /// A request of the file was answered.
    #[inline]
    pub(super) fn answered(&mut self, slot: FileSlot) {
        if let Some(route) = self.files.get_mut(slot.index()) {
            route.in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Descriptor;
    use ringzero_core::{Boxed, Engine, Limits, NoMemory, Parts, Registration};

    /// Routes, and the slots of three files on them.
    fn three() -> (Routes, [FileSlot; 3]) {
        let limits = Limits { files: 3, ..Limits::default() };
        let parts = Parts::<Boxed<_>>::boxed(&limits, NoMemory).unwrap();
        let mut engine = Engine::new(&limits, parts).unwrap();
        let slots = [(); 3].map(|()| engine.register(Registration::device()).unwrap().1);
        let mut routes = Routes::new(limits.files);
        let file = tempfile::tempfile().unwrap();
        let descriptor = Descriptor::of(&file);
        let target = Target { descriptor, rw_flags: 0, durable_flags: 0 };
        slots.iter().for_each(|slot| routes.attach(*slot, target));
        (routes, slots)
    }

    /// Sends a request of the file, and counts it where it goes.
    fn send(routes: &mut Routes, slot: FileSlot, loads: &mut [u32]) -> usize {
        let (_, thread) = routes.choose(slot, loads.iter().copied()).unwrap();
        routes.sent(slot);
        loads[thread] += 1;
        thread
    }

    #[test]
    fn the_worked_example_of_the_header_is_true() {
        let (mut routes, [a, b, c]) = three();
        let mut loads = [0, 0];
        for _ in 0..3 {
            assert_eq!(send(&mut routes, a, &mut loads), 0);
        }
        assert_eq!(send(&mut routes, b, &mut loads), 1);
        assert_eq!(send(&mut routes, c, &mut loads), 1);
        assert_eq!(loads, [3, 2]);
    }

    #[test]
    fn a_file_stays_where_it_has_requests_and_moves_when_it_has_none() {
        let (mut routes, [a, ..]) = three();
        let mut loads = [0, 5];
        assert_eq!(send(&mut routes, a, &mut loads), 0);
        loads[0] = 9;
        assert_eq!(send(&mut routes, a, &mut loads), 0);
        routes.answered(a);
        assert_eq!(send(&mut routes, a, &mut loads), 0);
        routes.answered(a);
        routes.answered(a);
        assert_eq!(send(&mut routes, a, &mut loads), 1);
    }

    #[test]
    fn a_thread_that_hangs_is_avoided_while_another_has_fewer_requests() {
        for (thread_count, expected) in [(2, 0), (3, 2)] {
            let (mut routes, [hung, busy, late]) = three();
            let mut loads = vec![0; thread_count];
            assert_eq!(send(&mut routes, hung, &mut loads), 0);
            assert_eq!(send(&mut routes, busy, &mut loads), 1);
            assert_eq!(send(&mut routes, busy, &mut loads), 1);
            assert_eq!(send(&mut routes, late, &mut loads), expected, "{thread_count} threads");
        }
    }

    #[test]
    fn a_file_that_was_detached_gets_nothing() {
        let (mut routes, [a, b, _]) = three();
        routes.detach(a);
        assert!(routes.choose(a, [0].into_iter()).is_none());
        assert!(routes.choose(b, [0].into_iter()).is_some());
    }
}
