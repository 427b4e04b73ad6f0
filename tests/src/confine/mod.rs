//! Real limits for tests: child processes with limits of their own, filters on system calls, file
//! systems in loop devices that are full, frozen or thin. Linux only.
//!
//! | module | noun |
//! |---|---|
//! | `child` | a test that runs itself again in a process of its own |
//! | `filter` | system calls that fail on one thread |
//! | `watch` | every system call of one thread that an allow-list does not name |
//! | `volume` | ext4 or XFS in a loop device |
//! | `stall` | a file system that is frozen |
//!
//! Nothing here knows a backend. What a machine cannot do is an error here, and a
//! [`skip`](crate::skip::skip) in a test.

pub mod child;
pub mod filter;
pub mod stall;
pub mod volume;
pub mod watch;
