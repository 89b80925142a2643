//! When asks gather for a job, and how long it has.
//!
//! Of the hours that a campaign lets its content wait, the first quarter is for gathering, half is
//! the job's, and the last quarter is kept for what it leaves: that is asked by itself.
//!
//! ```text
//! |-- gathers (1/4) --|------------ the job (1/2) ------------|-- by itself (1/4) --|
//! event               all asks of the quarter together        whatever came of it   content is there
//! ```

/// An hour, in milliseconds.
pub const HOUR_MS: u64 = 3_600_000;

/// Into so many parts the time is divided.
const PARTS: u64 = 4;

/// How many of them are the job's.
const PARTS_OF_A_JOB: u64 = 2;

/// The hours of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How long an hour is, in milliseconds: [`HOUR_MS`], or less where somebody waits.
    pub hour_ms: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { hour_ms: HOUR_MS }
    }
}

impl Schedule {
    /// When asks that come at a time (UNIX milliseconds) have gathered, where their content is to
    /// be there `within_hours`: at the same time for all that do, so that they come together.
    pub fn gathers_at_ms(self, now_ms: u64, within_hours: u32) -> u64 {
        let window_ms = self.window_ms(within_hours);
        (now_ms / window_ms + 1) * window_ms
    }

    /// Until when a job that begins at a time is waited for, both in UNIX milliseconds.
    pub fn ends_by_ms(self, now_ms: u64, within_hours: u32) -> u64 {
        now_ms + self.window_ms(within_hours) * PARTS_OF_A_JOB
    }

    fn window_ms(self, within_hours: u32) -> u64 {
        (u64::from(within_hours) * self.hour_ms / PARTS).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_in_a_quarter_gathers_at_its_end_and_has_its_content_in_time() {
        const NOW_MS: u64 = 1_760_000_000_000;
        let of = Schedule::default();
        for within_hours in [1, 6, 48] {
            let whole_ms = u64::from(within_hours) * HOUR_MS;
            let first = of.gathers_at_ms(NOW_MS, within_hours);

            assert!(first > NOW_MS && first <= NOW_MS + whole_ms / 4);
            assert_eq!(of.gathers_at_ms(first - 1, within_hours), first);
            assert_eq!(of.gathers_at_ms(first, within_hours), first + whole_ms / 4);
            assert!(of.ends_by_ms(first, within_hours) <= NOW_MS + whole_ms * 3 / 4);
        }
    }
}
