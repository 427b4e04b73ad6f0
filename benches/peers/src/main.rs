//! The executable that the harness runs: `list` tells the contestants, `child JOB` runs one.

use ringzero_benches::{Failure, compare::contestant};

fn main() -> Result<(), Failure> {
    if contestant::serve(&ringzero_peers::contestants())? {
        return Ok(());
    }
    Err("run me through `compare --peers`, or with `list` or `child JOB`".into())
}
