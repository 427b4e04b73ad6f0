//! `conformance!`: one `#[test]` per generic test and fixture.

/// Makes, of each generic test function named, one `#[test]` per fixture in a module of its name.
/// With `@real` in front: only of those that go to the operating system.
#[macro_export]
macro_rules! conformance {
    ($($test:ident),* $(,)?) => {
        $crate::conformance!(@fixture scripted, $crate::fixture::Scripted<false>, $($test),*);
        $crate::conformance!(@fixture scripted_rough, $crate::fixture::Scripted<true>, $($test),*);
        $crate::conformance!(@fixture sim, $crate::sim::Sim, $($test),*);
        $crate::conformance!(@real $($test),*);
    };
    (@real $($test:ident),* $(,)?) => {
        $crate::conformance!(@fixture sync, $crate::real::Real<$crate::real::Sync>, $($test),*);
        $crate::conformance!(
            @fixture sync_merged, $crate::real::Real<$crate::real::SyncMerged>, $($test),*
        );
        $crate::conformance!(@fixture worker, $crate::real::Real<$crate::real::Worker>, $($test),*);
        $crate::conformance!(
            @fixture worker_few, $crate::real::Real<$crate::real::WorkerFew>, $($test),*
        );
        $crate::conformance!(@fixture uring, $crate::real::Real<$crate::real::Uring>, $($test),*);
        $crate::conformance!(
            @fixture uring_bound, $crate::real::Real<$crate::real::UringBound>, $($test),*
        );
        $crate::conformance!(
            @fixture uring_sqpoll, $crate::real::Real<$crate::real::UringSqPoll>, $($test),*
        );
        $crate::conformance!(
            @fixture uring_fixed, $crate::real::Real<$crate::real::UringFixed>, $($test),*
        );
    };
    (@fixture $name:ident, $fixture:ty, $($test:ident),*) => {
        mod $name {
            $( #[test] fn $test() { super::$test::<$fixture>(); } )*
        }
    };
}
