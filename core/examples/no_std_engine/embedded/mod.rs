//! What would run on the device: the recorder, its flash and its memory. Needs `core` and the
//! engine, and nothing else.
//!
//! The example's program includes this folder on a machine with std; `proofs/` includes it in a
//! static program without one, and compiles it for processors without an operating system.

pub mod flash;
pub mod once;
pub mod recorder;
