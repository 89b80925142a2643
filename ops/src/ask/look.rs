//! What an ask for a user would come to, decided by the very code that the processor uses, from
//! what is stored now.

use std::sync::Arc;

use campaign::{CompiledCampaign, Grounds, Items, Lack, Past, Rendering};
use contract::ask::{Ask, Reason};
use contract::attributes::Attributes;
use contract::metrics::AskFate;
use processor::asks::announced_until_ms;
use processor::eligibility::{
    Action, AskOutcome, Candidate, Memory, Rules, State, decide, decide_ask,
};

use crate::arguments::Since;

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
    Wanted(Box<Plan>),
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
                    AskOutcome::Goes(Action::Generate(memory)) => {
                        if self.has_ask(&memory, state) {
                            return Seen::Left(why(AskFate::Superseded));
                        }
                        (memory, 0, false)
                    }
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
        let until_ms = announced_until_ms(not_before_ms, self.now_ms);
        let writes = is_new.then_some((memory, until_ms));
        Seen::Wanted(Box::new(Plan { ask, prompt, writes }))
    }

    /// Whether an ask is on its way that comes to the same: a second one would only fill the
    /// queue. Where content is there for the newest event, none is.
    fn has_ask(&self, memory: &Memory, state: &State) -> bool {
        let written = state.written_for.as_ref().map(|written| written.event_id.as_str());
        let is_answered = memory.history.last().is_some_and(|last| written == Some(&*last.id));
        !is_answered && state.parked_until_ms.is_some_and(|until| until > self.now_ms)
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
        let (attributes, items) = (Attributes::new(), Items::default());
        let grounds = Grounds { events: history, attributes: &attributes, items: &items };
        let rendering = self.campaign.brief(&grounds);
        let rendering = rendering.map_err(|_| "have a prompt that does not render")?;
        // What Braze knows of users and what stands in catalogs is looked at when the ask's turn
        // comes; here it only counts which events and items tell prompts apart.
        let apart = |wanted: String| match self.campaign.prompt.preview(&grounds) {
            Ok(preview) => Ok(preview.text + &wanted),
            Err(_) => Err("have a prompt that does not render"),
        };
        match rendering {
            Rendering::Asks(brief) => Ok(brief.told.prompt),
            Rendering::Wants(items) => apart(items.iter().map(|key| format!("\n{key}")).collect()),
            Rendering::Lacks(Lack::Parts(_))
                if !self.campaign.campaign.config.attributes.is_empty() =>
            {
                apart(String::new())
            }
            Rendering::Lacks(_) => Err("have a prompt that says nothing"),
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
        | AskFate::NoItem
        | AskFate::OverBudget
        | AskFate::ParkedAgain
        | AskFate::DeadLettered
        | AskFate::Returned => "get nothing",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use processor::eligibility::{Role, WrittenFor};
    use serde_json::json;

    use super::*;

    /// Now, in UNIX milliseconds.
    const NOW_MS: u64 = 1_000_000_000;

    fn campaign() -> Arc<CompiledCampaign> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        campaign::load(&folder).expect("is valid").remove(0)
    }

    fn look(campaign: &Arc<CompiledCampaign>, regenerates: bool) -> Look<'_> {
        Look::new(campaign, regenerates, None, NOW_MS)
    }

    fn event(time: i64) -> Past {
        let fields = json!({ "properties": { "show": "S", "season": 1, "episode": 2 } });
        Past {
            id: format!("e{time}"),
            time,
            event_type: "users.behaviors.CustomEvent".to_owned(),
            fields: fields.as_object().expect("is an object").clone(),
        }
    }

    fn state(times: &[i64], written_for: Option<i64>) -> State {
        let written_for = written_for.map(|time| WrittenFor {
            event_id: event(time).id,
            event_time: time,
            oldest_event_time: time,
            generated_at: time,
        });
        let memory =
            Memory { history: times.iter().copied().map(event).collect(), ..Memory::default() };
        State { revision: Some(1), written_for, memory, ..State::default() }
    }

    fn candidate(time: i64) -> Candidate {
        Candidate { event: event(time), role: Role::TRIGGER, redriven_at_ms: None }
    }

    fn left(seen: Seen) -> &'static str {
        match seen {
            Seen::Left(why) => why,
            Seen::Wanted(plan) => panic!("{plan:?}"),
        }
    }

    fn wanted(seen: Seen) -> Plan {
        match seen {
            Seen::Wanted(plan) => *plan,
            Seen::Left(why) => panic!("{why}"),
        }
    }

    #[test]
    fn who_would_get_nothing_is_left_out_with_the_reason() {
        let campaign = campaign();
        let (look, anew) = (look(&campaign, false), look(&campaign, true));

        assert_eq!(left(look.at("u", &[], &State::default())), why(AskFate::Deleted));
        let answered = state(&[5], Some(5));
        assert_eq!(left(look.at("u", &[], &answered)), why(AskFate::Answered));
        let ask = wanted(anew.at("u", &[], &answered)).ask;
        assert_eq!((ask.regenerate_before_ms, ask.user_id.as_str()), (NOW_MS, "u"));
        let plan = wanted(look.at("u", &[], &state(&[5, 6], Some(5))));
        assert!(plan.writes.is_none() && plan.prompt.contains('S'), "{plan:?}");
    }

    #[test]
    fn who_has_an_ask_on_its_way_needs_no_other() {
        let campaign = campaign();
        let waits = |until_ms| State { parked_until_ms: Some(until_ms), ..state(&[5], None) };

        let on_its_way = look(&campaign, true).at("u", &[], &waits(NOW_MS + 1));
        assert_eq!(left(on_its_way), why(AskFate::Superseded));
        wanted(look(&campaign, false).at("u", &[], &waits(NOW_MS)));
    }

    #[test]
    fn what_users_did_is_to_be_remembered_unless_it_is() {
        let campaign = campaign();
        let look = look(&campaign, false);

        let plan = wanted(look.at("u", &[candidate(7)], &state(&[5], Some(5))));
        let (memory, until_ms) = plan.writes.expect("is new");
        let times: Vec<i64> = memory.history.iter().map(|past| past.time).collect();
        assert_eq!((times, until_ms), (vec![5, 7], announced_until_ms(0, NOW_MS)));
        // It is remembered, and nothing came of it: say, the budget was spent.
        let known = wanted(look.at("u", &[candidate(7)], &state(&[7], None)));
        assert!(known.writes.is_none());
        let old = look.at("u", &[candidate(5)], &state(&[7], Some(7)));
        assert_eq!(left(old), why(AskFate::Answered));
        let deleted = State { deleted_at: Some(7), ..State::default() };
        assert_eq!(left(look.at("u", &[candidate(7)], &deleted)), why(AskFate::Deleted));
    }

    #[test]
    fn only_those_are_asked_for_who_did_something_since() {
        let campaign = campaign();
        let since = |time| Look::new(&campaign, false, Some(Since(time)), NOW_MS);

        wanted(since(7).at("u", &[], &state(&[5, 7], None)));
        assert_eq!(left(since(8).at("u", &[], &state(&[5, 7], None))), "did nothing since then");
    }

    #[test]
    fn what_is_not_due_yet_is_asked_for_when_it_is() {
        let campaign = campaign();
        let mut look = look(&campaign, false);
        look.rules.after_secs = 100;
        let now = i64::try_from(NOW_MS / 1_000).expect("fits");

        let ask = wanted(look.at("u", &[], &state(&[now - 40], None))).ask;

        assert_eq!((ask.reason, ask.not_before_ms), (Reason::Due, NOW_MS + 60_000));
        assert_eq!(wanted(look.at("u", &[], &state(&[now - 100], None))).ask.not_before_ms, 0);
    }
}
