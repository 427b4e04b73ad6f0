//! What an answer to a write means.
//!
//! | outcome | meaning |
//! |---|---|
//! | n > 0 bytes | progress; if short, the rest goes out again |
//! | 0 bytes | no progress: an error (a request is never empty) |
//! | EINTR, EAGAIN | again, at most [`MAX_ATTEMPTS`] times without progress, then that error |
//! | ECANCELED | no kernel worker could run it, or its thread ended: again as often, then EIO |
//! | fewer bytes than one aligned block | of a file with an alignment: as ECANCELED |
//! | other | failed |

use super::executor::Outcome;
use crate::Errno;

/// Times a write is sent again without progress in between.
pub(super) const MAX_ATTEMPTS: u8 = 16;

/// What to do with a request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Progress(u32),
    Again,
    Failed(Errno),
}

/// Judges the answer to a write whose first operation was sent `attempts` times in vain.
#[inline]
pub(super) fn judge(outcome: Outcome, attempts: u8) -> Verdict {
    match outcome {
        Ok(0) => Verdict::Failed(Errno::IO),
        Ok(byte_count) => Verdict::Progress(byte_count),
        Err(Errno::INTR | Errno::AGAIN | Errno::CANCELED) if attempts < MAX_ATTEMPTS => {
            Verdict::Again
        }
        Err(Errno::CANCELED) => Verdict::Failed(Errno::IO),
        Err(errno) => Verdict::Failed(errno),
    }
}

/// An answer to a request that begins `skip` bytes before what it is to write, and of a file that
/// takes `mask + 1` bytes at a time: counted from there, and in wholes. What ends before the first
/// new whole is no progress, and is sent again as often as an answer without any.
#[inline]
pub(super) fn counted(outcome: Outcome, skip: u32, mask: u32) -> Outcome {
    match outcome {
        Ok(byte_count) if byte_count > 0 && mask > 0 => {
            match (byte_count & !mask).checked_sub(skip) {
                None | Some(0) => Err(Errno::CANCELED),
                Some(progress) => Ok(progress),
            }
        }
        outcome => outcome,
    }
}

/// The error of a data-sync as the caller sees it. A sync is never sent again.
pub(super) fn sync_error(errno: Errno) -> Errno {
    if errno == Errno::CANCELED { Errno::IO } else { errno }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_progress_is_never_success_and_never_for_ever() {
        assert_eq!(judge(Ok(0), 0), Verdict::Failed(Errno::IO));
        for errno in [Errno::INTR, Errno::AGAIN, Errno::CANCELED] {
            let mut attempts = 0;
            while judge(Err(errno), attempts) == Verdict::Again {
                attempts += 1;
            }
            assert_eq!(attempts, MAX_ATTEMPTS);
        }
    }

    #[test]
    fn what_was_there_already_and_parts_of_an_aligned_block_are_no_progress() {
        let cases = [
            (700, 0, 0, Ok(700)),
            (0, 100, 511, Ok(0)),
            (511, 0, 511, Err(Errno::CANCELED)),
            (512, 0, 511, Ok(512)),
            (1_300, 0, 511, Ok(1_024)),
            (512, 100, 511, Ok(412)),
            (511, 100, 511, Err(Errno::CANCELED)),
        ];
        for (byte_count, skip, mask, expected) in cases {
            assert_eq!(counted(Ok(byte_count), skip, mask), expected, "{byte_count} {skip} {mask}");
        }
        assert_eq!(counted(Err(Errno::IO), 100, 511), Err(Errno::IO));
    }

    #[test]
    fn the_kernels_ecanceled_is_never_passed_on() {
        assert_eq!(judge(Err(Errno::CANCELED), MAX_ATTEMPTS), Verdict::Failed(Errno::IO));
        assert_eq!(sync_error(Errno::CANCELED), Errno::IO);
        assert_eq!(sync_error(Errno::NOSPC), Errno::NOSPC);
    }
}
