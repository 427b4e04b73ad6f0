//! The five functions that the compiler itself calls, which a C library provides otherwise; and the
//! one it names in unoptimised builds.
//!
//! Copies and fills are one string instruction, comparisons read each byte as volatile: as plain
//! loops, the compiler would recognise them and make each call itself.
//!
//! # Safety
//! The contracts are those of the C standard (7.24), and the compiler keeps them: pointers valid
//! for `count` bytes, disjoint for `memcpy`. The direction flag is clear on entry and on exit
//! (System V ABI, 3.2.1).
#![allow(unsafe_code)]

use core::arch::asm;

/// Copies upwards, byte after byte: right for disjoint ranges, and where `to` is below `from`.
///
/// # Safety
/// Both ranges are valid for `count` bytes.
unsafe fn copy_upwards(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller vouches for both ranges.
    unsafe {
        asm!(
            "rep movsb",
            inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
}

// SAFETY: the name and signature are what the compiler expects; see the header.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the same contract.
    unsafe { copy_upwards(to, from, count) };
    to
}

// SAFETY: the name and signature are what the compiler expects; see the header.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= count {
        // SAFETY: the same contract. `to` does not begin inside the source, so each byte is read
        // before it is overwritten.
        unsafe { copy_upwards(to, from, count) };
        return to;
    }
    let (last_to, last_from) = (to.wrapping_add(count - 1), from.wrapping_add(count - 1));
    // SAFETY: the caller vouches for both ranges; `count` is not 0 here, and downwards each byte is
    // read before it is overwritten. The flag is cleared again.
    unsafe {
        asm!(
            "std", "rep movsb", "cld",
            inout("rcx") count => _, inout("rdi") last_to => _, inout("rsi") last_from => _,
            options(nostack),
        );
    }
    to
}

// SAFETY: the name and signature are what the compiler expects; see the header.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the range.
    unsafe {
        asm!(
            "rep stosb",
            inout("rcx") count => _, inout("rdi") to => _, in("al") value as u8,
            options(nostack, preserves_flags),
        );
    }
    to
}

// SAFETY: the name and signature are what the compiler expects; see the header.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let mut at = 0;
    while at < count {
        // SAFETY: the caller vouches for `count` bytes.
        let a = unsafe { left.wrapping_add(at).read_volatile() };
        // SAFETY: as above.
        let b = unsafe { right.wrapping_add(at).read_volatile() };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
        at += 1;
    }
    0
}

// SAFETY: the name and signature are what the compiler expects; see the header.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(left, right, count) }
}

/// Named by unwind tables of unoptimised builds, never called: panics abort.
// SAFETY: nothing else defines it, because there is no std.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
