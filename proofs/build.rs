//! Links the programs of this package without anything that a hosted program gets: no start files,
//! no C library, no dynamic linker.

fn main() {
    for argument in ["-nostartfiles", "-nostdlib", "-static"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
