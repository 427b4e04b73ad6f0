//! Child processes with limits and system-call filters of their own.
