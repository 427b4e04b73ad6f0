//! Without the global allocator every figure is refused, so that no check passes by accident.

use ringzero_alloc_audit::{
    Action, NotInstalled, Zone, audit, is_installed, process_totals, thread_totals,
};

#[test]
fn the_missing_allocator_is_noticed() {
    assert!(!is_installed());
}

#[test]
fn no_zone_can_be_entered() {
    for action in [Action::Count, Action::Report, Action::Abort] {
        assert_eq!(Zone::enter(action).err(), Some(NotInstalled));
    }
}

#[test]
fn audited_work_is_not_even_run() {
    let mut was_run = false;
    let outcome = audit(Action::Report, || was_run = true);
    assert_eq!(outcome.err(), Some(NotInstalled));
    assert!(!was_run);
}

#[test]
fn no_totals_are_handed_out() {
    assert_eq!(process_totals(), Err(NotInstalled));
    assert_eq!(thread_totals(), Err(NotInstalled));
}

#[test]
fn the_error_says_what_to_do() {
    assert!(NotInstalled.to_string().contains("#[global_allocator]"));
}
