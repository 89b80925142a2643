//! What calls of a kind take, learnt by all instances from the usage that comes back.
//!
//! Every instance adds what it learnt to the lane that it takes a slice of, and reads what
//! all have learnt in the answer (`table`). So the thousandth instance knows on its first
//! slice what the others know, and nobody judges by the few calls of its own, of which the
//! first to end are the short ones.

use std::time::Duration;

use crate::lane::WINDOW;

/// Calls that take the worst case, put before those that ended: an estimate begins at the
/// worst case, and is 1% of the way from there after two hundred calls.
const WORST_CALLS: f64 = 2.0;

/// Spread of what calls take, as a part of it, of those.
const FIRST_SPREAD: f64 = 0.25;

/// How long calls are added up before a new period begins; the one before counts with it.
const PERIOD: Duration = Duration::from_secs(300);

/// What a call took, in tokens, as the service counts them against the quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input.
    pub input: u64,
    /// Output, before burndown.
    pub output: u64,
}

/// Sums over calls that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How many.
    pub calls: f64,
    /// Input as we estimated it, in tokens.
    pub estimated_input: f64,
    /// Input as the service counted it.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// How long they took, in milliseconds.
    pub took_ms: f64,
    /// Squares of how far what they took was from what others took, in tokens.
    pub squares: f64,
}

/// What was learnt of a kind in a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// Its kind.
    pub kind: String,
    /// Number of the period since 1970.
    pub period: u64,
    /// What its calls took.
    pub sums: Sums,
}

/// What a call will take, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Price {
    /// What the service takes out of the quota while it runs.
    pub(crate) reserved: f64,
    /// What it is settled to.
    pub(crate) settled: f64,
    /// What it takes of the quota on average over the window that it counts in.
    pub(crate) charged: f64,
    /// The most that it can be settled to.
    pub(crate) worst: f64,
    /// Spread of what calls are settled to, as a part of it.
    pub(crate) spread: f64,
}

/// The period at a time.
pub fn period(now_us: u64) -> u64 {
    now_us / (PERIOD.as_secs() * 1_000_000)
}

impl Price {
    /// The price of a call that reserves, settles to, and runs for this.
    pub(crate) fn new(reserved: f64, settled: f64, took: Duration, worst: f64) -> Self {
        let running = (took.as_secs_f64() / WINDOW.as_secs_f64()).min(1.0);
        let charged = settled + running * (reserved - settled).max(0.0);
        Self { reserved, settled, charged, worst, spread: 0.0 }
    }

    /// The price of a call that is charged its worst case.
    pub(crate) fn worst(tokens: f64) -> Self {
        Self::new(tokens, tokens, Duration::ZERO, tokens)
    }

    /// The price where calls take more of late, by a part of what they are settled to.
    pub(crate) fn drifted(self, drift: f64) -> Self {
        let settled = (self.settled * (1.0 + drift)).min(self.worst.max(self.settled));
        Self { settled, charged: self.charged + settled - self.settled, ..self }
    }

    /// What it is charged as a part of what it holds while it runs.
    pub(crate) fn evenness(&self) -> f64 {
        self.charged / self.reserved.max(self.settled).max(1.0)
    }
}

impl Sums {
    /// Adds other calls.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.estimated_input += other.estimated_input;
        self.input += other.input;
        self.output += other.output;
        self.took_ms += other.took_ms;
        self.squares += other.squares;
    }

    /// A call that ended, beside those that did before.
    pub(crate) fn of_call(
        before: &Self,
        estimated_input: u64,
        tokens: Tokens,
        burndown: u32,
        took: Duration,
    ) -> Self {
        let (input, output) = (tokens.input as f64, tokens.output as f64);
        let settled = input + output * f64::from(burndown);
        let usual = before.usual(estimated_input, burndown).unwrap_or(settled);
        let distance = settled - usual;
        let estimated_input = estimated_input as f64;
        let (calls, took_ms) = (1.0, took.as_millis() as f64);
        Self { calls, estimated_input, input, output, took_ms, squares: distance.powi(2).round() }
    }

    /// What calls took on average that were like one of which the input was estimated.
    pub(crate) fn usual(&self, input_tokens: u64, burndown: u32) -> Option<f64> {
        let input = input_tokens as f64 * self.input / self.estimated_input.max(1.0);
        let output = self.output / self.calls;
        (self.calls > 0.0).then_some(input + output * f64::from(burndown))
    }

    /// Predicts what a call takes of which the input was estimated.
    pub(crate) fn price(&self, input_tokens: u64, max_tokens: u32, burndown: u32) -> Price {
        let (input, most) = (input_tokens as f64, f64::from(max_tokens));
        let burndown = f64::from(burndown);
        let worst = input + most * burndown;
        if self.calls == 0.0 {
            // The service reserves less than the worst case, which counts here.
            return Price::new((input + most).max(worst), worst, Duration::ZERO, worst);
        }
        let with_worst =
            |sum: f64, of_worst: f64| (sum + WORST_CALLS * of_worst) / (self.calls + WORST_CALLS);
        let usual_input = (self.estimated_input / self.calls).max(1.0);
        let input = input * with_worst(self.input / usual_input, 1.0);
        let output = with_worst(self.output, most).min(most);
        let settled = (input + output * burndown).min(worst);
        let took = Duration::from_secs_f64(self.took_ms / 1e3 / self.calls);
        let variance = with_worst(self.squares, (FIRST_SPREAD * settled).powi(2));
        let spread = variance.sqrt() / settled.max(1.0);
        Price { spread, ..Price::new(input + most, settled, took, worst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn calls(calls: u64, output_tokens: impl Fn(u64) -> u64, burndown: u32) -> Sums {
        let mut sums = Sums::default();
        for call in 0..calls {
            let took = Tokens { input: 300, output: output_tokens(call) };
            sums.add(&Sums::of_call(&sums.clone(), 600, took, burndown, SECOND));
        }
        sums
    }

    #[test]
    fn an_estimate_begins_at_the_worst_case_and_comes_near_to_what_calls_take() {
        let settled = |n| calls(n, |_| 100, 5).price(600, 300, 5).settled;

        assert_eq!(settled(0), 2_100.0);
        assert_eq!(settled(2), 1_450.0);
        assert!((settled(198) - 813.0).abs() < 1e-6, "{}", settled(198));
        let price = calls(198, |_| 100, 5).price(600, 300, 5);
        assert_eq!((price.reserved.round(), price.worst), (603.0, 2_100.0));
    }

    #[test]
    fn what_a_call_reserves_in_vain_counts_for_as_long_as_it_runs() {
        let price = Price::new(1_600.0, 400.0, Duration::from_secs(6), 0.0);

        assert_eq!(price.charged, 520.0);
        assert_eq!(price.evenness(), 0.325);
    }

    #[test]
    fn the_spread_is_that_of_the_calls() {
        let even_and_odd = |call| if call % 2 == 0 { 100 } else { 300 };

        let price = calls(400, even_and_odd, 1).price(600, 400, 1);
        assert!((price.settled - 502.0).abs() < 2.0, "{price:?}");
        assert!((price.spread - 100.0 / 502.0).abs() < 0.01, "{price:?}");
    }

    #[test]
    fn what_others_learnt_counts_like_what_was_learnt_here() {
        let mut both = calls(50, |_| 100, 5);
        both.add(&calls(150, |_| 200, 5));

        let outputs = (50.0 * 100.0 + 150.0 * 200.0 + 2.0 * 300.0) / 202.0;
        let expected = 600.0 * (200.0 * 0.5 + 2.0) / 202.0 + outputs * 5.0;
        assert!((both.price(600, 300, 5).settled - expected).abs() < 1e-6);
    }
}
