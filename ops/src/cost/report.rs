//! The bill as a person reads it: with what it assumes, and where its prices are from.

use std::fmt::{self, Display, Formatter};

use bill::deployed::memory_mib;
use bill::prices::Prices;
use contract::units::{Counted, Function};
use serde_json::{Value, json};

use super::load::{Front, Load};
use super::standing::waiting;
use super::{Bill, BreakEven};

/// A bill, and what it was made of.
#[derive(Debug)]
pub struct Report<'a> {
    load: &'a Load,
    prices: &'a Prices,
    bill: Bill,
    break_even: BreakEven,
}

impl<'a> Report<'a> {
    /// Computes everything.
    pub fn of(load: &'a Load, counted: &Counted, prices: &'a Prices) -> Self {
        let bill = Bill::of(load, counted, prices);
        let break_even = BreakEven::of(load, counted, prices);
        Self { load, prices, bill, break_even }
    }

    /// The same for a program, in dollars a month.
    pub fn to_json(&self) -> Value {
        let Bill { of_services, key_and_alarms, one_call_per_event } = self.bill;
        let mut usd_a_month = json!(of_services);
        usd_a_month["key_and_alarms"] = json!(key_and_alarms);
        usd_a_month["total"] = json!(self.bill.total());
        json!({
            "usd_a_month": usd_a_month, "one_call_per_event": one_call_per_event,
            "prices_of": self.prices.date, "region": self.prices.region,
        })
    }

    fn fmt_assumptions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { load, prices, .. } = self;
        writeln!(
            f,
            "US dollars a month, {}, prices of {}\n\
             These are list prices of one region, without free tiers, taxes and discounts\n\
             ({}). It is an estimate: no bill was compared with it.\n\n\
             Assumed: {} events a day, of which {} % trigger; {} users have content; {} look-ups a day\n\
             through {}; {:.0} different prompts a day, each a generation of {} + {} tokens, none of\n\
             them in vain, by {}.",
            prices.region,
            prices.date,
            prices.origin,
            load.events,
            short(load.triggering * 100.0),
            load.users,
            load.look_ups,
            load.front.words(),
            load.prompts,
            load.input_tokens,
            load.output_tokens,
            prices.bedrock.model,
        )
    }

    fn fmt_bill(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { bill, prices, .. } = self;
        let of = &bill.of_services;
        let front = match self.load.front {
            Front::Alb => &prices.load_balancer.page,
            Front::Rest | Front::Http | Front::Url => &prices.api_gateway.page,
        };
        let lines = [
            ("Kinesis", of.kinesis, vec![&prices.kinesis.page]),
            ("Lambda", of.lambda, vec![&prices.lambda.page]),
            ("DynamoDB", of.dynamodb, vec![&prices.dynamodb.page]),
            ("front", of.front, vec![front]),
            ("S3 and SQS", of.s3_and_sqs, vec![&prices.s3.page, &prices.sqs.page]),
            (
                "logs and traces",
                of.logs_and_traces,
                vec![&prices.cloudwatch.page, &prices.xray.page],
            ),
            (
                "key and alarms",
                bill.key_and_alarms,
                vec![&prices.kms.page, &prices.secrets_manager.page],
            ),
            ("Bedrock", of.bedrock, vec![&prices.bedrock.page]),
        ];
        for (name, usd, pages) in lines {
            let mut pages = pages.into_iter();
            writeln!(f, "{name:<20}{usd:>14.2}  {}", pages.next().map_or("", String::as_str))?;
            for page in pages {
                writeln!(f, "{:36}{page}", "")?;
            }
        }
        writeln!(f, "{:<20}{:>14.2}", "this system", bill.total())?;
        writeln!(f, "{:<20}{:>14.2}  Bedrock alone", "one call per event", bill.one_call_per_event)
    }

    fn fmt_break_even(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let saved = self.bill.one_call_per_event - self.bill.total();
        let this = format!(
            "this system costs {:.2} {} than one call per event",
            saved.abs(),
            if saved < 0.0 { "more" } else { "less" }
        );
        match self.break_even {
            BreakEven::Prompts(at) => writeln!(
                f,
                "Break-even: {at:.0} different prompts a day, {} of a thousand events that trigger; with \
                 {:.0}, {this}.",
                short(1e3 * at / (self.load.events * self.load.triggering)),
                self.load.prompts,
            ),
            BreakEven::Nowhere { without_generations } => writeln!(
                f,
                "Break-even: none; {this}, and takes {without_generations:.2} even without a generation."
            ),
        }
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.fmt_assumptions(f)?;
        writeln!(f)?;
        self.fmt_bill(f)?;
        writeln!(f)?;
        self.fmt_break_even(f)?;
        write!(
            f,
            "Not in it: up to {:.2} if the quota is too small and asks wait for it all month; and \
             what docs/cost.md lists.",
            waiting(memory_mib(Function::AsksWorker), self.prices)
        )
    }
}

/// Three digits that count.
fn short(number: f64) -> String {
    if number >= 100.0 || number == 0.0 {
        return format!("{number:.0}");
    }
    let decimals = (2.0 - number.log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{number:.decimals$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_three_digits_that_count() {
        let shown = [28.4, 6.76, 1000.0, 0.0676, 0.5, 67.606, 0.0, 10.0].map(short);

        assert_eq!(shown, ["28.4", "6.76", "1000", "0.0676", "0.5", "67.6", "0", "10"]);
    }
}
