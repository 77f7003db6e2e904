//! What reading may cost: the one place where the limits of workers stand.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a worker may use, and what a file may cost before reading it is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of a worker, in bytes; address space where the system bounds that.
    pub memory: u64,
    /// Processor time for a file: this much, and more for each MiB.
    pub base_time: Duration,
    pub time_per_mib: Duration,
    /// The clock on the wall may go so many times as far: the processor is shared with others.
    pub patience: u32,
    /// Waited beyond that while another program reads scans: this much, and more for each MiB.
    pub ocr_time: Duration,
    pub ocr_time_per_mib: Duration,
    /// Text and structure of one document on the way from the worker, in bytes.
    pub reply: u64,
    /// Files that a worker may have open.
    pub open_files: u64,
    /// A worker that has read a larger file is not used again: its memory goes back to the system.
    pub large_file: u64,
    /// Nor is one that still holds more memory than this when a file has been read, in bytes. A new one
    /// holds 40 MiB, of which 30 are the program, and an allocator keeps much of what a file once took.
    pub kept_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 4 << 30,
            base_time: Duration::from_mins(1),
            time_per_mib: Duration::from_secs(4),
            patience: 3,
            ocr_time: Duration::ZERO,
            ocr_time_per_mib: Duration::ZERO,
            reply: 512 << 20,
            open_files: 256,
            large_file: 64 << 20,
            kept_memory: 80 << 20,
        }
    }
}

impl Limits {
    /// The same where scans are read by `tesseract`: a page takes it seconds, and a scanned book has
    /// hundreds of them in a few MiB. A parser that loops is still stopped by its processor time. `text`
    /// (`nest.rs`, `pdf/scans.rs`) stops by itself a little before these times.
    #[must_use]
    pub fn with_ocr(mut self) -> Self {
        // Drawing the pages is the worker's own work: half a second for each.
        self.base_time += Duration::from_mins(2);
        self.time_per_mib += Duration::from_secs(10);
        self.ocr_time = Duration::from_mins(10);
        self.ocr_time_per_mib = Duration::from_mins(2);
        self
    }

    /// Processor time of the worker itself for a file of this many bytes.
    #[must_use]
    pub fn processor_time(&self, bytes: u64) -> Duration {
        self.base_time + self.time_per_mib.saturating_mul(mib(bytes))
    }

    /// Time on the wall for a file of this many bytes.
    #[must_use]
    pub fn wall_time(&self, bytes: u64) -> Duration {
        self.processor_time(bytes)
            .saturating_mul(self.patience)
            .saturating_add(self.ocr_time)
            .saturating_add(self.ocr_time_per_mib.saturating_mul(mib(bytes)))
    }
}

fn mib(bytes: u64) -> u32 {
    u32::try_from(bytes >> 20).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_file_may_take_longer_and_a_scan_longer_still() {
        let limits = Limits::default();
        assert_eq!(limits.processor_time(0), Duration::from_mins(1));
        assert_eq!(limits.processor_time(15 << 20), Duration::from_mins(2));
        assert_eq!(limits.wall_time(15 << 20), Duration::from_mins(6));
        let limits = limits.with_ocr();
        assert_eq!(limits.processor_time(15 << 20), Duration::from_secs(390));
        assert_eq!(limits.wall_time(15 << 20), Duration::from_secs(3570));
        assert!(limits.wall_time(u64::MAX) > limits.wall_time(1 << 40));
    }
}
