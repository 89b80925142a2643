//! What an ask for a user would come to, decided by the very code that the processor uses, from
//! what is stored now.

use std::sync::Arc;

use campaign::{CompiledCampaign, Past, safe_text};
use contract::ask::{Ask, Reason};
use contract::metrics::AskFate;
use processor::eligibility::{
    Action, AskOutcome, Candidate, Memory, Rules, State, decide, decide_ask,
};

use crate::arguments::Since;

/// How long an ask that is sent at once is said to be on its way, in milliseconds, as the
/// processor says it: later than that the next event of the user announces another.
const ASK_STANDS_FOR_MS: u64 = 3_600_000;

/// Looks at users of a campaign.
pub(super) struct Look<'c> {
    pub(super) campaign: &'c Arc<CompiledCampaign>,
    rules: Rules,
    regenerates: bool,
    seen_since: Option<Since>,
    now_ms: u64,
}

/// What an ask for a user comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// This is asked.
    Wanted(Plan),
    /// Nothing is, for this reason.
    Left(&'static str),
}

/// What is to be done for a user.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// The ask.
    pub(super) ask: Ask,
    /// What the model would be asked.
    pub(super) prompt: String,
    /// What must be remembered first, and until when an ask for it waits, in UNIX milliseconds.
    pub(super) writes: Option<(Memory, u64)>,
}

impl Seen {
    /// What is asked, if anything is.
    pub(super) fn ask(self) -> Option<Ask> {
        match self {
            Self::Wanted(plan) => Some(plan.ask),
            Self::Left(_) => None,
        }
    }
}

impl<'c> Look<'c> {
    /// At users of `campaign`, whose content is written anew if it `regenerates`, and who did
    /// something since a time.
    pub(super) fn new(
        campaign: &'c Arc<CompiledCampaign>,
        regenerates: bool,
        seen_since: Option<Since>,
        now_ms: u64,
    ) -> Self {
        let rules = Rules::of(&campaign.campaign.config);
        Self { campaign, rules, regenerates, seen_since, now_ms }
    }

    /// The campaign's name.
    pub(super) fn name(&self) -> &'c str {
        &self.campaign.campaign.name
    }

    /// The ask for a user.
    pub(super) fn ask(&self, user_id: &str) -> Ask {
        let regenerate_before_ms = if self.regenerates { self.now_ms } else { 0 };
        let ask = Ask::by_hand(user_id.to_owned(), self.name().to_owned(), self.now_ms);
        Ask { regenerate_before_ms, ..ask }
    }

    /// At a user who did this beside what is stored.
    pub(super) fn at(&self, user_id: &str, fresh: &[Candidate], state: &State) -> Seen {
        let ask = self.ask(user_id);
        let now = i64::try_from(self.now_ms / 1_000).unwrap_or(i64::MAX);
        let (memory, not_before_ms, is_new) = match self.of_events(fresh, state, now) {
            Some((memory, not_before_ms)) => (memory, not_before_ms, true),
            None => {
                let decision = decide_ask(&ask, state, self.rules, now);
                match decision.outcome {
                    AskOutcome::Goes(Action::Generate(memory)) => (memory, 0, false),
                    AskOutcome::Goes(Action::Park(park)) => {
                        (park.memory, park.not_before_ms, false)
                    }
                    AskOutcome::Goes(Action::Nothing | Action::Remember(_)) | AskOutcome::Over => {
                        return Seen::Left(why(decision.fate));
                    }
                }
            }
        };
        let newest = memory.history.last().map_or(i64::MIN, |newest| newest.time);
        if self.seen_since.is_some_and(|since| newest < since.0) {
            return Seen::Left("did nothing since then");
        }
        let prompt = match self.prompt(&memory.history) {
            Ok(prompt) => prompt,
            Err(why) => return Seen::Left(why),
        };
        let ask = match not_before_ms > self.now_ms {
            true => Ask { not_before_ms, reason: Reason::Due, ..ask },
            false => ask,
        };
        let until_ms = not_before_ms.max(self.now_ms + ASK_STANDS_FOR_MS);
        Seen::Wanted(Plan { ask, prompt, writes: is_new.then_some((memory, until_ms)) })
    }

    /// What is to be remembered for events that ask for content, and when they ask.
    fn of_events(&self, fresh: &[Candidate], state: &State, now: i64) -> Option<(Memory, u64)> {
        if fresh.is_empty() {
            return None;
        }
        match decide(fresh, state, self.rules, now).action {
            Action::Generate(memory) => Some((memory, 0)),
            Action::Park(parking) => Some((parking.memory, parking.not_before_ms)),
            // What is remembered may ask for content all the same.
            Action::Remember(_) | Action::Nothing => None,
        }
    }

    fn prompt(&self, history: &[Past]) -> Result<String, &'static str> {
        let rendered = self.campaign.prompt.render(history);
        let prompt = rendered.map_err(|_| "have a prompt that does not render")?;
        match safe_text::shows_nothing(&prompt) {
            true => Err("have a prompt that says nothing"),
            false => Ok(prompt),
        }
    }
}

/// Why nothing is asked for users, who ...
fn why(fate: AskFate) -> &'static str {
    match fate {
        AskFate::Answered => "have content for their newest event",
        AskFate::Cooldown => "are within their cooldown",
        AskFate::Deleted => "have done nothing that is remembered, or were deleted",
        AskFate::Unless => "did since what ends it",
        AskFate::Superseded => "have an ask that waits already",
        AskFate::Stored
        | AskFate::Incomplete
        | AskFate::OverBudget
        | AskFate::ParkedAgain
        | AskFate::DeadLettered
        | AskFate::Returned => "get nothing",
    }
}
