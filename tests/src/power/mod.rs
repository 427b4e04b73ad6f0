//! A block device whose power can be cut: the log of its writes and flushes, and the images that a
//! cut may leave.
