//! Books as archives in memory, whole and damaged.
