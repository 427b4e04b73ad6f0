//! What the system tells, and how time is divided.

use std::{path::Path, time::Duration};

use crate::{budget::Budget, file_systems, mounts::Mount, proc_facts};

const MOUNTINFO: &str = "\
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
22 21 0:20 / /proc rw,nosuid - proc proc rw
30 21 254:16 / /data rw,noatime - xfs /dev/vdb rw,attr2,noquota
31 30 0:41 / /data/my\\040files rw - tmpfs none rw,size=1024k
32 21 254:32 / /twice rw - ext4 /dev/vdc rw
33 21 254:48 / /twice ro master:5 shared:9 - btrfs /dev/vdd ro,compress=zstd
";

fn mount(folder: &str) -> Mount {
    Mount::of(Path::new(folder), MOUNTINFO).unwrap()
}

#[test]
fn a_directory_is_on_the_nearest_mount_above_it() {
    assert_eq!(mount("/home").source, "/dev/vda");
    assert_eq!(mount("/data").kind, "xfs");
    assert_eq!(mount("/data/logs/today").source, "/dev/vdb");
    // No part of a name counts.
    assert_eq!(mount("/database").kind, "ext4");
}

#[test]
fn a_later_mount_hides_an_earlier_one_at_the_same_place() {
    let mount = mount("/twice/x");
    assert_eq!((&*mount.kind, &*mount.source), ("btrfs", "/dev/vdd"));
    assert_eq!(mount.options, "ro,compress=zstd", "options that are in both are told once");
}

#[test]
fn names_with_spaces_are_understood() {
    let mount = mount("/data/my files/x");
    assert_eq!(mount.kind, "tmpfs");
    assert_eq!(mount.point, Path::new("/data/my files"));
}

#[test]
fn lines_that_make_no_sense_are_left_out() {
    let broken = "\n- -\n1 2 3\n a b c d - e\n";
    assert_eq!(Mount::of(Path::new("/x"), broken), None);
    let found = Mount::of(Path::new("/x"), &format!("{broken}{MOUNTINFO}")).unwrap();
    assert_eq!(found.source, "/dev/vda");
}

#[test]
fn limits_are_read_in_bytes() {
    let limits = "\
Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max locked memory         8388608              16777216             bytes
";
    assert_eq!(proc_facts::limit(limits, "Max locked memory"), Some(8_388_608));
    assert_eq!(proc_facts::limit(limits, "Max file size"), Some(u64::MAX));
    assert_eq!(proc_facts::limit(limits, "Max open files"), None);
    assert_eq!(proc_facts::limit("Max file size many", "Max file size"), None);
}

#[test]
fn memory_is_read_in_bytes() {
    let meminfo = "MemTotal:       16384 kB\nMemFree:   12 kB\nMemAvailable:    8192 kB\n";
    assert_eq!(proc_facts::memory(meminfo, "MemTotal"), Some(16 << 20));
    assert_eq!(proc_facts::memory(meminfo, "MemAvailable"), Some(8 << 20));
    assert_eq!(proc_facts::memory(meminfo, "Mem"), None);
}

#[test]
fn a_process_says_which_signals_it_ignores() {
    let status = "Name:\tx\nSigIgn:\t0000000001001000\nSeccomp:\t2\nSeccomp_filters:\t1\n";
    let ignored = proc_facts::status(status, "SigIgn").unwrap();
    // SIGPIPE, SIGXFSZ; and SIGXCPU, which is not.
    assert_eq!(
        [13, 25, 24].map(|it| proc_facts::has_signal(ignored, it)),
        [Some(true), Some(true), Some(false)]
    );
    assert_eq!(proc_facts::status(status, "Seccomp"), Some("2"));
    assert!(proc_facts::seccomp_mode("2").contains("filter is on"));
    assert!(proc_facts::uring_switch("1\n").contains("CAP_SYS_ADMIN"));
}

#[test]
fn file_systems_have_names_and_some_a_remark() {
    assert_eq!(file_systems::name_of(0x5846_5342), Some("XFS"));
    assert_eq!(file_systems::remark_on(0x5846_5342), None);
    assert!(file_systems::remark_on(0x0102_1994).unwrap().contains("in memory"));
    assert!(file_systems::remark_on(0x9123_683E).unwrap().contains("segment gains nothing"));
    assert_eq!(file_systems::name_of(1), None);
    assert_eq!(file_systems::remark_on(1), None);
}

#[test]
fn shares_of_the_time_add_up_to_the_whole() {
    let mut budget = Budget::new(10);
    let mut left = Duration::from_secs(20);
    let mut shares = Vec::new();
    for weight in [1, 4, 5] {
        let share = budget.take(weight, left);
        left -= share;
        shares.push(share.as_secs());
    }
    assert_eq!((shares, left), (vec![2, 8, 10], Duration::ZERO));
}

#[test]
fn a_measurement_that_was_late_makes_the_others_shorter() {
    let mut budget = Budget::new(10);
    assert_eq!(budget.take(5, Duration::from_secs(20)), Duration::from_secs(10));
    // It took 18 s instead.
    assert_eq!(budget.take(2, Duration::from_secs(2)), Duration::from_millis(800));
    assert_eq!(budget.take(3, Duration::ZERO), Duration::ZERO);
    // More than was planned gets nothing, and breaks nothing.
    assert_eq!(budget.take(3, Duration::from_secs(1)), Duration::ZERO);
}
