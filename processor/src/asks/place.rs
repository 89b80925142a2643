//! Which queue an ask waits on, and how long it is hidden there.

use std::time::Duration;

use campaign::Config;
use contract::ask::{Ask, Class, MAX_DELAY, Queue, Reason};

/// How long an ask is taken to be on its way, in milliseconds: later than that the next event of
/// the user announces another, and of two one finds that there is nothing left to do.
const STANDS_FOR_MS: u64 = 3_600_000;

/// How much later than SQS hides a message something is nearly there: workers look every minute.
const NEARLY: Duration = Duration::from_secs(120);

/// Until when an ask is announced that is sent now, and of no use before a time, both in UNIX
/// milliseconds. It is no whole second, as the times are that campaigns name: whoever compares
/// them takes this for none.
pub fn announced_until_ms(not_before_ms: u64, now_ms: u64) -> u64 {
    not_before_ms.max(now_ms + STANDS_FOR_MS) | 1
}

/// Where an ask of a campaign with these settings waits, and how long it is hidden there.
pub fn place(ask: &Ask, config: &Config, now_ms: u64) -> (Queue, Duration) {
    let class = match ask.reason {
        // What somebody asks for by hand can be very much, and is not to hold events up.
        Reason::Operator => Class::Low,
        _ => Class::of(config.priority),
    };
    let model_id = config.model_id.clone();
    let ready = match ask.reason {
        Reason::Job if ask.job.is_empty() => Queue::Jobs,
        _ => Queue::Ready { model_id, class },
    };
    let left = Duration::from_millis(ask.not_before_ms.saturating_sub(now_ms));
    // Nobody takes anything off the queues of a model whose day is over.
    if ask.reason == Reason::DayQuota {
        return (ready, Duration::ZERO);
    }
    match left <= MAX_DELAY {
        true => (ready, left),
        // One that is nearly there is to move on before its time, with those that go there at once.
        false if left < MAX_DELAY + NEARLY => (Queue::Later, left / 2),
        false => (Queue::Later, MAX_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_ask_is_hidden_until_its_time_and_moves_on_where_that_is_far_off() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns");
        let campaigns = campaign::load(&folder).expect("is valid");
        let model_id = campaigns[0].campaign.config.model_id.clone();
        let ready = Queue::Ready { model_id, class: Class::Normal };
        let at = |reason, not_before_ms| {
            let body = include_str!("../../../contract/golden/ask.json");
            let ask = Ask { reason, not_before_ms, ..Ask::decode(body).expect("is one") };
            place(&ask, &campaigns[0].campaign.config, 1_000)
        };
        let secs = Duration::from_secs;

        assert_eq!(at(Reason::Quota, 0), (ready.clone(), secs(0)));
        assert_eq!(at(Reason::Halted, 301_000), (ready.clone(), secs(300)));
        assert_eq!(at(Reason::Due, 7_201_000), (Queue::Later, MAX_DELAY));
        assert_eq!(at(Reason::DayQuota, 7_201_000), (ready, secs(0)));
    }
}
