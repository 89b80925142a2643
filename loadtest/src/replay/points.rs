//! Moments of a replay, in bounded number: when there are too many, every other one goes and
//! the next come half as often.

use std::time::Duration;

use super::result::Point;

/// Moments that are kept, at most: as many as a chart can show.
const MAX_POINTS: usize = 600;

/// Time between moments at first.
const FIRST_INTERVAL: Duration = Duration::from_millis(250);

/// Moments of a replay.
#[derive(Debug)]
pub(super) struct Points {
    points: Vec<Point>,
    interval: Duration,
}

impl Default for Points {
    fn default() -> Self {
        Self { points: Vec::new(), interval: FIRST_INTERVAL }
    }
}

impl Points {
    /// Time until the next moment.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn push(&mut self, point: Point) {
        self.points.push(point);
        if self.points.len() >= MAX_POINTS {
            let mut is_odd = false;
            self.points.retain(|_| {
                is_odd = !is_odd;
                is_odd
            });
            self.interval = self.interval.saturating_mul(2);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Point> {
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_replay_has_no_more_moments_than_a_short_one() {
        let mut points = Points::default();
        for secs in 0..5_000 {
            points.push(Point { secs: f64::from(secs), ..Point::default() });
        }

        assert!(points.interval() > FIRST_INTERVAL * 10);
        let points = points.into_vec();
        assert!(points.len() < MAX_POINTS);
        assert_eq!(points[0].secs, 0.0);
        assert!(points.is_sorted_by(|a, b| a.secs < b.secs));
    }
}
