//! What an answer to a write means.
//!
//! | outcome | meaning |
//! |---|---|
//! | n > 0 bytes | progress; if short, the rest goes out again |
//! | 0 bytes | no progress: an error (a request is never empty) |
//! | EINTR, EAGAIN | again, at most [`MAX_ATTEMPTS`] times without progress, then that error |
//! | ECANCELED | no kernel worker could run it, or its thread ended: again as often, then EIO |
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
    fn the_kernels_ecanceled_is_never_passed_on() {
        assert_eq!(judge(Err(Errno::CANCELED), MAX_ATTEMPTS), Verdict::Failed(Errno::IO));
        assert_eq!(sync_error(Errno::CANCELED), Errno::IO);
        assert_eq!(sync_error(Errno::NOSPC), Errno::NOSPC);
    }
}
