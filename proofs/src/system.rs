//! Where the process begins, the two system calls it makes, and the function that does not exist.
//!
//! # Safety
//! System calls of x86-64 Linux as in syscall(2): number and result in rax; rcx and r11 are
//! overwritten. At entry rsp points to the argument count and there is no return address (System V
//! ABI, 3.4.1); a function expects rsp ≡ 8 (mod 16), which a call makes of the aligned stack.
#![allow(unsafe_code)]

use core::{arch::asm, fmt};

const WRITE: usize = 1;
const EXIT_GROUP: usize = 231;

unsafe extern "C" {
    /// Defined nowhere: a program that refers to it does not link.
    fn a_panic_is_reachable() -> !;
}

/// What a panic leads to where none is allowed.
pub fn forbidden() -> ! {
    // SAFETY: never executed, because a program in which this is reachable does not link.
    unsafe { a_panic_is_reachable() }
}

/// Ends the process.
pub fn exit(code: i32) -> ! {
    // SAFETY: exit_group(2) takes a number and does not return.
    unsafe {
        asm!("syscall", in("rax") EXIT_GROUP, in("rdi") code, options(noreturn, nostack));
    }
}

/// Standard error. What cannot be written is lost.
#[derive(Debug)]
pub struct StandardError;

impl fmt::Write for StandardError {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: write(2) reads `len` bytes of a live slice.
        unsafe {
            asm!(
                "syscall",
                inout("rax") WRITE => _, in("rdi") 2, in("rsi") text.as_ptr(), in("rdx") text.len(),
                out("rcx") _, out("r11") _,
                options(nostack, readonly),
            );
        }
        Ok(())
    }
}

/// Makes a function the program: it is given the number of arguments (the program's own name is the
/// first), and returns the exit code.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[allow(unsafe_code)]
        mod entry {
            core::arch::global_asm!(
                ".globl _start",
                "_start:",
                "xor ebp, ebp",
                "mov rdi, [rsp]",
                "and rsp, -16",
                "call {start}",
                "ud2",
                start = sym start,
            );

            extern "C" fn start(argument_count: usize) -> ! {
                $crate::system::exit($run(argument_count))
            }
        }
    };
}

/// The panic handler of a program that links only if no panic is reachable: it calls a function
/// that does not exist; or, with the feature `locate`, ends the process, so that `./run` can list
/// who refers to it.
#[macro_export]
macro_rules! forbid_panics {
    () => {
        #[panic_handler]
        fn on_panic(_: &core::panic::PanicInfo<'_>) -> ! {
            if $crate::PANICS_LINK {
                $crate::system::exit(101)
            }
            $crate::system::forbidden()
        }
    };
}
