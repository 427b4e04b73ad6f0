//! A file system in user space that fails, delays and shortens by script, and logs what it is asked.
