//! When events happen: as many at each moment as people are awake.

use std::f64::consts::TAU;

/// Seconds of a day.
const DAY_SECS: i64 = 86_400;

/// Hour of the day (UTC) with the most events.
const PEAK_HOUR: f64 = 20.0;

/// How far the rate rises above its mean at the peak, and falls below it twelve hours later.
const SWING: f64 = 0.7;

/// Moments that the curve is kept at; between them it is straight.
const PIECES: usize = 1_440;

/// The times of events that are spread over a while.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    start: i64,
    span_secs: i64,
    /// Part of all events before each piece's end, rising to 1.
    shares: Vec<f64>,
    piece: usize,
}

impl Curve {
    /// A curve from `start`, in UNIX seconds. Less than a day is even.
    pub(super) fn new(start: i64, span_secs: i64) -> Self {
        let swing = if span_secs < DAY_SECS { 0.0 } else { SWING };
        let rate = |piece: usize| {
            let secs = start as f64 + (piece as f64 + 0.5) * span_secs as f64 / PIECES as f64;
            1.0 + swing * ((secs / DAY_SECS as f64 - PEAK_HOUR / 24.0) * TAU).cos()
        };
        let all: f64 = (0..PIECES).map(rate).sum();
        let mut sum = 0.0;
        let shares = (0..PIECES).map(|piece| {
            sum += rate(piece) / all;
            sum
        });
        Self { start, span_secs, shares: shares.collect(), piece: 0 }
    }

    /// When the event is that comes after this part of all; parts must not fall.
    pub(super) fn time(&mut self, part: f64) -> i64 {
        while self.piece + 1 < PIECES && self.shares[self.piece] <= part {
            self.piece += 1;
        }
        let before = if self.piece == 0 { 0.0 } else { self.shares[self.piece - 1] };
        let inside = (part - before) / (self.shares[self.piece] - before);
        let piece = (self.piece as f64 + inside.clamp(0.0, 1.0)) / PIECES as f64;
        self.start + (piece * self.span_secs as f64) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_peak_in_the_evening_and_an_hour_is_even() {
        let count = |span_secs: i64, from: i64, to: i64| {
            let mut curve = Curve::new(0, span_secs);
            let times = (0..100_000).map(|n| curve.time(f64::from(n) / 1e5));
            times.filter(|time| (from..to).contains(time)).count()
        };

        let (evening, morning) = (count(DAY_SECS, 68_400, 75_600), count(DAY_SECS, 25_200, 32_400));
        assert!(evening > 4 * morning, "{evening} and {morning}");
        assert_eq!(count(DAY_SECS, 0, DAY_SECS), 100_000);
        let half = count(3_600, 0, 1_800);
        assert!((49_900..=50_100).contains(&half), "{half}");
    }
}
