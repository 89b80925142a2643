//! When each file is due.

use std::fmt;
use std::time::Duration;

use super::scan::ScannedFile;

/// How fast files are replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many events a second.
    Rate(f64),
    /// The original time stamps, so many times faster.
    Speed(f64),
    /// As fast as the bucket takes them.
    Fast,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate} events/s"),
            Self::Speed(speed) => write!(f, "{speed} times the original speed"),
            Self::Fast => f.write_str("as fast as possible"),
        }
    }
}

/// Longest replay: a week. Longer ones come from time stamps that are wrong.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the replay would take more than a week: raise the rate or the speed")]
pub struct TooLong;

/// The files in the order they are due, each with its moment after the start; no moment
/// means at once.
pub fn schedule(
    files: &[ScannedFile],
    pace: Pace,
) -> Result<Vec<(usize, Option<Duration>)>, TooLong> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|index| files[*index].last_time);
    let times = files.iter().map(|file| file.last_time).filter(|time| *time > i64::MIN);
    let first = times.min().unwrap_or_default();
    let mut before = 0_u64;
    let mut due = |index: usize| {
        let file = &files[index];
        let secs = match pace {
            Pace::Fast => return Ok(None),
            Pace::Rate(rate) => before as f64 / rate,
            // A file without readable events goes first.
            Pace::Speed(speed) => file.last_time.saturating_sub(first).max(0) as f64 / speed,
        };
        before += file.events;
        match Duration::try_from_secs_f64(secs) {
            Ok(due) if due <= LONGEST => Ok(Some(due)),
            _ => Err(TooLong),
        }
    };
    order.into_iter().map(|index| Ok((index, due(index)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(events: u64, last_time: i64) -> ScannedFile {
        ScannedFile { path: PathBuf::new(), key: String::new(), bytes: 1, events, last_time }
    }

    fn secs(files: &[ScannedFile], pace: Pace) -> Vec<(usize, Option<u64>)> {
        let schedule = schedule(files, pace).expect("is short");
        schedule.into_iter().map(|(index, due)| (index, due.map(|due| due.as_secs()))).collect()
    }

    #[test]
    fn files_are_due_by_events_or_by_their_own_times() {
        let files = [file(100, 1_000), file(300, 400), file(50, 700)];

        let by_rate = secs(&files, Pace::Rate(10.0));
        assert_eq!(by_rate, [(1, Some(0)), (2, Some(30)), (0, Some(35))]);
        let by_speed = secs(&files, Pace::Speed(3.0));
        assert_eq!(by_speed, [(1, Some(0)), (2, Some(100)), (0, Some(200))]);
        assert_eq!(secs(&files, Pace::Fast), [(1, None), (2, None), (0, None)]);
    }

    #[test]
    fn a_wrong_time_stamp_makes_no_endless_replay() {
        let files = [file(1, 0), file(1, i64::MAX)];

        assert_eq!(schedule(&files, Pace::Speed(1.0)), Err(TooLong));
        assert!(schedule(&[file(0, i64::MIN)], Pace::Speed(1.0)).is_ok());
    }
}
