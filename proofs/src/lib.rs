//! What a program needs on bare x86-64 Linux when there is no std and no C library, and what the
//! proofs do with the engine.
//!
//! | program | proves |
//! |---|---|
//! | `no_std` | the engine and the handoff work, and need neither std nor an allocator |
//! | `no_std_engine` | so does the example of that name, whose device folder is included here |
//! | `no_panic` | no panic is reachable from the engine or the handoff |
//! | `control_std`, `control_alloc` | must not build: the first proof notices std and alloc |
//! | `control_index`, `control_unwrap` | must not link: the second notices a panic |
//!
//! `./run` builds and judges all of them. `./targets` compiles this library, without what only
//! Linux has, for processors without an operating system.
#![no_std]

pub mod disk;
#[path = "../../core/examples/no_std_engine/embedded/mod.rs"]
pub mod embedded;
pub mod exercise;
pub mod handoff;
pub mod opaque;
pub mod scenario;
#[cfg(target_os = "linux")]
pub mod system;
pub mod tables;
pub mod waker_table;

#[cfg(target_os = "linux")]
mod memory;

/// Whether a program in which a panic is reachable links all the same.
pub const PANICS_LINK: bool = cfg!(feature = "locate");
