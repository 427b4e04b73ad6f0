//! Side by side: ringzero, what a user would write by hand, and what a user would pick instead.
//!
//! # Method
//! Every run of a contestant is a process of its own, so processor time, peak memory and what is
//! left behind are its own. The parent makes the file, runs the child, **reads the file back and
//! checks every byte** ([`content`]), and deletes it. A contestant that fails, or whose file is
//! wrong, is out, named in the table with its reason, and `compare` ends with an error.
//!
//! First everyone is tried with few operations, then with more, until one run takes about
//! `--run-ms`: contestants run about as long, not about as much. (No run writes more than 512 MiB,
//! so the fastest run shorter, and no run is slowed by the kernel's limits of dirty memory.) Then
//! come the rounds: in each, everyone once, one beginning later in each round. What is quoted is
//! the median over the rounds of the ratio *within* a round to the base, `raw` (`raw-linked` for
//! commits), and its smallest and largest.
//!
//! The clock runs from before the first submission to after the last completion. Setting up a
//! backend, a ring or threads is outside; so is tearing down. Processor time is that of all threads
//! of the child, user and system, in the same time: kernel workers of io_uring and polling threads
//! are threads of the process. What the block layer does in kernel threads (journal, write-back) is
//! nobody's. Nobody syncs but for commits.
//!
//! # What each contestant does
//! All but `…-made` and `…-claim` make record `i` in a buffer of their own that holds another
//! already (two 8-byte stores per 512 bytes), copy it to where the kernel takes it from, and check
//! every result. Ours run as published, with the default configuration, in the loop that the
//! documentation recommends.
//!
//! - `sync`, `worker`, `uring`, `uring-bound`, `uring-sqpoll`: `submit_append` (`submit_write`
//!   for overwrites and discards) until the window is full, `wait(1)`, which hands over too,
//!   `poll_completions`; for commits an append and a datasync per committer.
//! - `…-write`: the same with `submit_write` at increasing offsets.
//! - `…-claim`: the same with `claim_append`; the record is made where it leaves from, every byte
//!   of it, since what a claim holds at first is of no use. A sector that lies in two blocks is
//!   made on the stack and copied to both.
//! - `…-made`: the same function makes the same bytes in a buffer, and `submit_append` copies them.
//!   A claim is to be compared with this (`--base`), not with those that make their records by
//!   less work: the copy and the buffer fall away, and nothing else. `sync` has no such pair,
//!   because it copies nothing.
//! - `raw`: one `WRITE_FIXED` per record: registered file, one registered buffer, SINGLE_ISSUER
//!   and DEFER_TASKRUN; fill all free slots, one `io_uring_enter` that hands over and waits for
//!   one, reap all.
//! - `raw-merged-16k`, `-64k`: the same with records copied side by side into buffers of that
//!   size; a part-filled buffer leaves when fewer than two are in flight.
//! - `raw-linked`: per commit one write linked to its own fdatasync, all committers in one ring.
//! - `raw-group`: all committers that wait: one buffer, one write linked to one fdatasync, one
//!   system call, one group at a time.
//! - `raw-group-dsync`: the same as one write with RWF_DSYNC and IOSQE_ASYNC.
//! - `raw-group-direct-dsync`: O_DIRECT and RWF_DSYNC; the tail block is padded with zeros and
//!   written again by the next group.
//! - `std`: one `pwrite` per record, one thread, one at a time; for commits with an `fdatasync`
//!   each.
//! - `std-merged-64k`: records copied side by side, one `pwrite` per 64 KiB.
//! - `std-group`: all committers that wait: one `pwrite`, one `fdatasync`.
//! - `std-threads`: a thread per committer: offset from a common counter, `pwrite`, `fdatasync`.
//!
//! # Caveats
//! - W1: ours may have 4,096 appends under way. Contestants that differ by it (`raw…`, peers) are
//!   tried with 64, 256, 1,024 and 4,096, and run with what was fastest: column *window*. The try
//!   is one run, so on a noisy machine it may be the second best.
//! - Overwrites visit each block once per pass in a fixed random order, so that the last version of
//!   each block is known although `raw` promises no order of its writes: two writes of one block
//!   are a whole pass apart. What it costs ours to order writes that do overlap does not show.
//! - Commits: phases are released a part of the measured median latency apart, once. Until all
//!   are released nobody sleeps. With `--target direct` those that cannot use O_DIRECT
//!   write through the page cache, to the same segment of written zeros.
//! - Of one million commits the latency of the slowest thousand says more about the machine than
//!   about anybody.
//! - [`growth`] writes are not read back, and `/dev/null` has nothing to read.
//! - Peak memory is that of the process, with the program itself (about 3 MiB) and, for commits and
//!   overwrites, the histogram.
//!
//! | module | noun |
//! |---|---|
//! | [`job`] | what one run of one contestant does |
//! | [`contestant`] | a way to do it, and how an executable offers several |
//! | [`measured`] | what the run took |
//! | [`meter`], [`usage`] | how that is measured |
//! | [`content`] | the bytes of each record, and checking a file |
//! | [`plan`] | the workloads, as jobs |
//! | [`trial`] | one run: file, child, check |
//! | [`race`] | trying out, and rounds in rotating order |
//! | [`growth`] | series instead of rounds against a base |
//! | [`outcome`], [`machine`] | what it came to, on what; JSON |
//! | [`table`], [`chart`] | for reading |

pub mod chart;
pub mod content;
pub mod contestant;
pub mod growth;
pub mod job;
pub mod machine;
pub mod measured;
pub mod meter;
pub mod outcome;
pub mod plan;
pub mod race;
pub mod table;
pub mod trial;
pub mod usage;
