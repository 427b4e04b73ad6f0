//! A backend in tokio's current-thread runtime: see `tasks`, which is the example.
//!
//! ```text
//! cargo run --release -p ringzero --example tokio_loop
//! ```

mod platform;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    platform::run()
}
