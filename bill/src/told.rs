//! What a run would cost on AWS, for a person.

use std::fmt;

use contract::units::Counted;

use crate::prices::{BadPrices, Prices};
use crate::{Bill, Front};

/// A run's bill beside that of a million events.
#[derive(Debug)]
pub struct Told {
    counted: Counted,
    prices: Prices,
}

impl Told {
    /// Of what was counted, by the prices that the program carries.
    pub fn of(counted: Counted) -> Result<Self, BadPrices> {
        Ok(Self { counted, prices: Prices::read(None)? })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counted, prices } = self;
        let bill = Bill::of(&counted.units(), Front::Rest, prices);
        let million = 1e6 / counted.events.max(1.0);
        let mut line =
            |name: &str, usd: f64| writeln!(f, "  {name:<26}{usd:>12.5}{:>16.2}", usd * million);
        for (name, usd) in bill.lines() {
            line(name, usd)?;
        }
        line("all of it", bill.total())?;
        if counted.generations > 0.0 {
            let one_call = bill.bedrock / counted.generations * counted.triggering;
            line("one call per event", one_call)?;
        }
        writeln!(
            f,
            "  (US dollars for this run, and for a million events like these; Bedrock by the price of\n  \
             {}, list prices of {}: docs/cost.md)",
            prices.bedrock.model, prices.date
        )
    }
}

#[cfg(test)]
mod tests {
    use contract::units::Units;

    use super::*;

    #[test]
    fn a_bill_is_told_for_the_run_and_for_a_million_events_beside_one_call_per_event() {
        let counted = Counted {
            events: 1_000.0,
            triggering: 200.0,
            generations: 50.0,
            of_events: Units { write_units: 1e6, ..Units::default() },
            of_look_ups: Units { input_tokens: 1e6, ..Units::default() },
            ..Counted::default()
        };

        let told = Told::of(counted).expect("has prices").to_string();

        let line = |name: &str| {
            let line = told.lines().find(|line| line.trim_start().starts_with(name));
            let words = line.expect("is there").split_whitespace().rev().take(2);
            words.map(|word| word.parse::<f64>().expect("is a number")).collect::<Vec<_>>()
        };
        assert_eq!(line("DynamoDB"), [625.0, 0.625]);
        assert_eq!(line("Bedrock"), [1_100.0, 1.1]);
        assert_eq!(line("all of it"), [1_725.0, 1.725]);
        assert_eq!(line("one call per event"), [4_400.0, 4.4]);
    }
}
