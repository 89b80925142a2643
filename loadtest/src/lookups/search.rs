//! Which rate to try next: doubles until one is not kept, then halves what is between.

/// The search ends when what is kept and what is not are this close together.
const CLOSE: f64 = 1.05;

/// Rates below one look-up a second are not worth a search.
const LOWEST: f64 = 1.0;

/// A search for the highest rate that is kept.
#[derive(Debug, Clone)]
pub struct Search {
    first: f64,
    limit: f64,
    kept: Option<f64>,
    broken: Option<f64>,
}

impl Search {
    /// Begins at `from` and never goes above `to`.
    pub fn new(from: f64, to: f64) -> Self {
        let first = from.min(to).max(LOWEST);
        Self { first, limit: to.max(first), kept: None, broken: None }
    }

    /// The next rate to try; none when the search has ended.
    pub fn next_rate(&self) -> Option<f64> {
        match (self.kept, self.broken) {
            (None, None) => Some(self.first),
            (Some(kept), None) => (kept < self.limit).then(|| (kept * 2.0).min(self.limit)),
            (None, Some(broken)) => (broken > LOWEST).then(|| (broken / 2.0).max(LOWEST)),
            // Rates differ by factors, so the middle is the geometric one.
            (Some(kept), Some(broken)) => (broken / kept > CLOSE).then(|| (kept * broken).sqrt()),
        }
    }

    /// Takes in what a rate came to.
    pub fn learn(&mut self, rate: f64, kept: bool) {
        let side = if kept { &mut self.kept } else { &mut self.broken };
        *side = Some(rate);
    }

    /// The highest rate that was kept.
    pub fn highest(&self) -> Option<f64> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with an api that keeps rates up to `capacity`; returns the tries as well.
    fn search(from: f64, to: f64, capacity: f64) -> (Option<f64>, usize) {
        let mut search = Search::new(from, to);
        let mut tries = 0;
        while let Some(rate) = search.next_rate() {
            assert!(rate <= to, "{rate} is above the limit");
            search.learn(rate, rate <= capacity);
            tries += 1;
        }
        (search.highest(), tries)
    }

    #[test]
    fn the_highest_rate_is_found_to_a_twentieth_in_few_steps() {
        for capacity in [3.0, 90.0, 1_000.0, 7_777.0, 60_000.0] {
            let (highest, tries) = search(100.0, 100_000.0, capacity);
            let highest = highest.expect("some rate is kept");
            assert!(highest <= capacity && capacity < highest * CLOSE, "{highest} of {capacity}");
            assert!(tries <= 16, "{tries} tries");
        }
    }

    #[test]
    fn a_search_ends_at_its_limit_and_with_nothing_where_nothing_is_kept() {
        assert_eq!(search(100.0, 450.0, 1e9), (Some(450.0), 4));
        assert_eq!(search(100.0, 450.0, 0.5).0, None);
    }
}
