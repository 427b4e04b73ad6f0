//! What is advised for which figures, and that it compiles.

#[allow(unreachable_pub, reason = "as it is printed")]
mod bound;
#[allow(unreachable_pub, reason = "as it is printed")]
mod free;
#[allow(unreachable_pub, reason = "as it is printed")]
mod polled;
#[allow(unreachable_pub, reason = "as it is printed")]
mod sync;
#[allow(unreachable_pub, reason = "as it is printed")]
mod worker;

use ringzero::{Choice, Config, UringMode};

use crate::{
    advice::{Advice, Figures},
    rates::{COMMITTERS, Rates, Ratio, Row, Target},
    snippet::Snippet,
    variant::Variant,
};

/// Figures of a machine, before something is special about it.
struct Scene {
    speeds: Vec<(Variant, f64)>,
    segment: f64,
    threads: Vec<(u32, Vec<f64>)>,
    blocks: Vec<(u32, Vec<f64>)>,
    processors: usize,
}

impl Scene {
    fn usual() -> Self {
        Self {
            speeds: vec![
                (Variant::Uring, 1.0),
                (Variant::UringBound, 1.05),
                (Variant::UringRegistered, 1.02),
                (Variant::UringSqPoll, 0.5),
                (Variant::Worker, 0.9),
                (Variant::Sync, 2.0),
                (Variant::SyncUntilFlush, 2.0),
            ],
            segment: 1.8,
            threads: vec![(1, vec![100.0; 3]), (2, vec![104.0; 3]), (4, vec![108.0; 3])],
            blocks: vec![
                (16 << 10, vec![0.9e9; 3]),
                (64 << 10, vec![1e9; 3]),
                (256 << 10, vec![1.05e9; 3]),
            ],
            processors: 8,
        }
    }

    fn speed(mut self, variant: Variant, speed: f64) -> Self {
        self.speeds.retain(|(it, _)| *it != variant);
        self.speeds.push((variant, speed));
        self.speeds.sort_by_key(|(it, _)| Variant::ALL.iter().position(|all| all == it));
        self
    }

    fn only(mut self, variants: &[Variant]) -> Self {
        self.speeds.retain(|(it, _)| variants.contains(it));
        self
    }

    fn rates(&self) -> Rates {
        let rows = self.speeds.iter().map(|(variant, speed)| {
            let mut row = Row::new(*variant);
            for (column, committers) in COMMITTERS.into_iter().enumerate() {
                let rate = 1_000.0 * committers as f64 * speed;
                row.add(Target::Growing, column, rate);
                row.add(Target::Segment, column, rate * self.segment);
            }
            row
        });
        Rates { rows: rows.collect() }
    }

    fn advice(&self) -> Option<Advice> {
        let Self { threads, blocks, processors, .. } = self;
        Advice::from(&Figures { rates: &self.rates(), threads, blocks, processors: *processors })
    }

    fn variant(&self) -> Variant {
        self.advice().unwrap().backend.what
    }
}

/// Checks that what is printed is what is in the file, apart from its header, and is the advice.
#[track_caller]
fn prints(scene: &Scene, file: &str, compiled: fn() -> Config) {
    let advice = scene.advice().unwrap();
    let printed = Snippet(&advice).to_string();
    let (_, body) = file.split_once("\n\n").unwrap();
    assert_eq!(printed, body, "\n{printed}");
    assert_eq!(compiled(), advice.config());
    assert_eq!(advice.config().check(), Ok(()));
    assert!(printed.lines().all(|line| line.chars().count() <= 100), "{printed}");
}

#[test]
fn the_defaults_where_nothing_is_clearly_better() {
    prints(&Scene::usual(), include_str!("free.rs"), free::storage_config);
    let config = Scene::usual().advice().unwrap().config();
    assert_eq!(config, Config::default());
}

#[test]
fn a_mode_that_is_clearly_better_is_advised_and_so_are_threads_and_blocks() {
    let mut scene = Scene::usual().speed(Variant::UringBound, 1.3);
    scene.threads = vec![(1, vec![100.0; 3]), (2, vec![190.0; 3]), (4, vec![200.0; 3])];
    scene.blocks[2].1 = vec![1.4e9; 3];
    scene.segment = 1.0;
    prints(&scene, include_str!("bound.rs"), bound::storage_config);
}

#[test]
fn polling_needs_a_processor_of_its_own() {
    let mut scene = Scene::usual().speed(Variant::UringSqPoll, 1.5);
    prints(&scene, include_str!("polled.rs"), polled::storage_config);
    scene.processors = 2;
    assert_eq!(scene.variant(), Variant::Uring);
}

#[test]
fn worker_threads_are_next() {
    let scene = Scene::usual().only(&[Variant::Worker, Variant::Sync, Variant::SyncUntilFlush]);
    prints(&scene, include_str!("worker.rs"), worker::storage_config);
    let faster = Scene::usual().speed(Variant::Worker, 1.3);
    assert_eq!(faster.variant(), Variant::Worker);
}

#[test]
fn calls_that_wait_are_advised_only_where_nothing_else_works() {
    let fast = Scene::usual().speed(Variant::Sync, 50.0);
    assert_eq!(fast.variant(), Variant::Uring);
    let mut scene = Scene::usual().only(&[Variant::Sync]).speed(Variant::SyncUntilFlush, 6.0);
    scene.threads = Vec::new();
    prints(&scene, include_str!("sync.rs"), sync::storage_config);
    assert_eq!(Scene::usual().only(&[Variant::Sync]).variant(), Variant::Sync);
    assert!(Scene::usual().only(&[]).advice().is_none());
}

#[test]
fn io_uring_is_advised_so_that_it_may_be_missing_elsewhere() {
    let config = Scene::usual().speed(Variant::UringBound, 9.0).advice().unwrap().config();
    assert_eq!((config.backend, config.uring.mode), (Choice::Auto, UringMode::ThreadBound));
}

#[test]
fn much_better_now_and_then_is_not_better() {
    let usual = [100.0; 10];
    let lucky = [900.0, 900.0, 900.0, 900.0, 900.0, 900.0, 90.0, 90.0, 90.0, 90.0];
    assert!(Ratio::of(&lucky, &usual).median > 1.0);
    assert!(!Ratio::of(&lucky, &usual).is_worth_it());
    assert!(Ratio::of(&[120.0; 10], &usual).is_worth_it());
    // Always better, and hardly.
    assert!(!Ratio::of(&[105.0; 10], &usual).is_worth_it());
    assert!(!Ratio::of(&[], &[]).is_worth_it());

    let mut scene = Scene::usual();
    scene.blocks[2].1 = vec![0.99e9, 2e9, 3e9];
    assert_eq!(scene.advice().unwrap().block_bytes.what, 64 << 10);
    scene.blocks[2].1 = vec![1.01e9, 2e9, 3e9];
    assert_eq!(scene.advice().unwrap().block_bytes.what, 256 << 10);
}

#[test]
fn the_fewest_threads_that_are_enough() {
    let threads = |rates: [f64; 3]| {
        let mut scene = Scene::usual();
        scene.threads = [1, 2, 4].into_iter().zip(rates.map(|rate| vec![rate; 3])).collect();
        scene.advice().unwrap().threads.what
    };
    assert_eq!(threads([100.0, 100.0, 100.0]), 1);
    assert_eq!(threads([100.0, 150.0, 160.0]), 2);
    assert_eq!(threads([100.0, 110.0, 160.0]), 4);
    assert_eq!(threads([100.0, 200.0, 90.0]), 2);
}

#[test]
fn segments_where_they_gain_something() {
    let advised = |segment| {
        let scene = Scene { segment, ..Scene::usual() };
        let advice = scene.advice().unwrap();
        (advice.segments.what, Snippet(&advice).to_string().contains("prepare_segment("))
    };
    assert_eq!([1.8, 1.1, 0.4].map(advised), [(true, true), (false, false), (false, false)]);
}
