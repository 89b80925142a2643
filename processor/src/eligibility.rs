//! Decides what a user's events, or an ask, come to: content, to be remembered, to wait, or
//! nothing.
//!
//! Pure: everything it looks at is passed in. What it decides does not depend on the
//! order in which events arrive, only on what was stored when it was asked:
//!
//! 1. What happened at or before a deletion is `deleted`.
//! 2. What is remembered already, or twice in the batch, is a `duplicate`.
//! 3. If something newer than all of the rest is known, they are `stale`.
//! 4. If the user did since what the campaign excludes, they end by `unless`.
//! 5. If the stored content's event is too close before the newest, they are in
//!    `cooldown`, or wait for its end.
//! 6. If the campaign asks some time after the event, or the user had all contents of the hour,
//!    they wait for that.
//! 7. Otherwise the newest asks for content, and the others are `coalesced` into it.
//!
//! An ask holds no event: the newest that is remembered speaks for it, by the same rules.

mod asks;

use std::collections::HashSet;

use campaign::{Config, Past, Replace};
use contract::metrics::Fate;

use crate::history::merged;
use crate::store::Packed;

pub use asks::{AskDecision, AskOutcome, decide_ask};

/// An hour, of which the hourly limit is.
const HOUR_SECS: u32 = 3_600;

/// What the table holds for a user and campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Revision of the item, if there is one.
    pub revision: Option<u64>,
    /// The event that the stored content was written for, if there is content.
    pub written_for: Option<WrittenFor>,
    /// What is remembered of the user.
    pub memory: Memory,
    /// Until when an ask for it waits, in UNIX milliseconds, if one was announced and is not
    /// over.
    pub parked_until_ms: Option<u64>,
    /// When the user was deleted, in UNIX seconds, if they were.
    pub deleted_at: Option<i64>,
    /// The item cannot be read: what is in it is not known.
    pub is_foreign: bool,
    /// What it holds packed, which whoever writes it must not lose; it decides nothing.
    pub packed: Packed,
}

/// What is remembered of a user for a campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// The latest events that trigger the campaign, oldest first.
    pub history: Vec<Past>,
    /// Time of the latest event that ends an ask, in UNIX seconds.
    pub unless_at: Option<i64>,
    /// Time of the latest event that takes content out of service, in UNIX seconds.
    pub retracted_at: Option<i64>,
    /// When the user's generations would be over at the pace of the hourly limit, in UNIX seconds.
    pub paced_until: Option<i64>,
}

/// The event that content was written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFor {
    /// Its id.
    pub event_id: String,
    /// Its time, in UNIX seconds.
    pub event_time: i64,
    /// Time of the oldest event that the prompt showed, in UNIX seconds.
    pub oldest_event_time: i64,
    /// When it was written, in UNIX seconds.
    pub generated_at: i64,
}

/// What a campaign says about eligibility.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Most events that are remembered.
    pub history: usize,
    /// Time between two events of a user that get content, in seconds.
    pub cooldown_secs: i64,
    /// Whether the newest event of a cooldown gets its content when that is over.
    pub replaces: bool,
    /// How long after its event content is asked for, in seconds; 0 for at once.
    pub after_secs: i64,
    /// Time between two generations of a user at the pace of the hourly limit, in seconds; 0 for
    /// no limit.
    pub pace_secs: i64,
}

/// What an event is to a campaign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Role {
    /// It asks for content.
    pub triggers: bool,
    /// It ends an ask for an event before it.
    pub ends: bool,
    /// It takes content for an event before it out of service.
    pub retracts: bool,
}

/// An event of the batch that means something to the campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The event, as it would be remembered.
    pub event: Past,
    /// What it is to the campaign.
    pub role: Role,
    /// When somebody sent it again after it had been given up, in UNIX milliseconds: that
    /// it is remembered is no reason to skip it.
    pub redriven_at_ms: Option<u64>,
}

/// What to do about a user's events, and why.
#[derive(Debug, PartialEq)]
pub struct Decision {
    /// What becomes of each candidate, provided that the action succeeds.
    pub fates: Vec<Fate>,
    /// Place of the event among the candidates that speaks for them.
    pub trigger: usize,
    /// What to do.
    pub action: Action,
    /// Whether some of them may have come before: whoever announced an ask for them may have
    /// been cut off before it was sent.
    pub is_repeat: bool,
}

/// What to do about a user's events.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Nothing: all of it is known.
    Nothing,
    /// Only remember.
    Remember(Memory),
    /// Remember, and see to it that an ask waits.
    Park(Parking),
    /// Generate content; the newest event of the history asks for it.
    Generate(Memory),
}

/// An ask that is to wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Parking {
    /// What is remembered.
    pub memory: Memory,
    /// Before when it is of no use to take it up, in UNIX milliseconds.
    pub not_before_ms: u64,
    /// Whether one waits already for sure, so that none is sent.
    pub is_announced: bool,
}

/// What the newest event of a history asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing: there is content for it.
    Answered,
    /// Nothing: the user did since what the campaign excludes.
    Unless,
    /// Nothing: it comes too soon after the event that got content.
    Cooldown,
    /// Content, but not before this, in UNIX seconds.
    Later(i64),
    /// Content.
    Content,
}

impl Rules {
    /// What a campaign says.
    pub fn of(config: &Config) -> Self {
        let after_secs = config.trigger.after.map_or(0, |after| after.as_secs());
        Self {
            history: config.history,
            cooldown_secs: i64::from(config.cooldown_hours) * 3_600,
            replaces: config.replace == Replace::Newest,
            after_secs: i64::try_from(after_secs).unwrap_or(i64::MAX),
            pace_secs: pace_secs(config.hourly_limit),
        }
    }

    /// When the user's generations are over at the pace of the hourly limit, once one more is
    /// done `now`; they were over at `before`. Both in UNIX seconds. What was asked for beyond the
    /// limit keeps nobody waiting for longer than an hour.
    pub fn paced_until(&self, before: Option<i64>, now: i64) -> Option<i64> {
        let until = before.map_or(now, |before| before.max(now)).saturating_add(self.pace_secs);
        (self.pace_secs > 0).then(|| until.min(now.saturating_add(i64::from(HOUR_SECS))))
    }

    /// Before when the hourly limit allows no further generation, in UNIX seconds.
    fn paced_from(&self, state: &State) -> i64 {
        match (self.pace_secs, state.memory.paced_until) {
            (0, _) | (_, None) => i64::MIN,
            (pace, Some(until)) => until - (i64::from(HOUR_SECS) - pace),
        }
    }
}

/// Time between two generations of which an hour has so many at most, in seconds.
fn pace_secs(hourly_limit: u32) -> i64 {
    match hourly_limit {
        0 => 0,
        limit => i64::from(HOUR_SECS.div_ceil(limit)),
    }
}

impl Role {
    /// Of an event that asks for content, and nothing else.
    pub const TRIGGER: Self = Self { triggers: true, ends: false, retracts: false };

    /// Whether it means nothing to the campaign.
    pub const fn is_none(self) -> bool {
        !(self.triggers || self.ends || self.retracts)
    }
}

/// Decides about all of a user's events in a batch that mean something to a campaign; `now`
/// in UNIX seconds.
pub fn decide(candidates: &[Candidate], state: &State, rules: Rules, now: i64) -> Decision {
    let mut fates: Vec<Fate> = first_fates(candidates, state);
    let is_fresh = |fates: &[Fate], place: usize| fates[place] == Fate::Coalesced;
    let noted = noted(candidates, state);
    let fresh = || {
        let places = candidates.iter().enumerate();
        places.filter(|(place, _)| is_fresh(&fates, *place)).map(|(_, fresh)| &fresh.event)
    };
    let Some(newest) = fresh().max_by(|a, b| a.order().cmp(&b.order())) else {
        return without_fresh(fates, candidates, state, noted, (rules, now));
    };
    let history = merged(&state.memory.history, fresh(), state.deleted_at, rules.history);
    let memory = Memory { history, ..noted };
    let trigger = candidates
        .iter()
        .enumerate()
        .position(|(place, each)| is_fresh(&fates, place) && each.event.id == newest.id)
        .unwrap_or_default();
    let is_repeat = is_repeat(candidates, state, &memory.history);
    let is_last = memory.history.last().is_some_and(|last| last.id == newest.id);
    let wish = if is_last { wish(newest, &memory, state, rules, now) } else { Wish::Answered };
    let (refused, action) = match wish {
        Wish::Answered => match Parking::again(&memory, state, rules, now) {
            Some(parking) if is_repeat => (Some(Fate::Stale), Action::Park(parking)),
            _ => (Some(Fate::Stale), remember(memory, state)),
        },
        Wish::Unless => (Some(Fate::Unless), remember(memory, state)),
        Wish::Cooldown => (Some(Fate::Cooldown), remember(memory, state)),
        Wish::Later(due) => {
            let parking = Parking::until(due, memory, state, now);
            let is_announced = parking.is_announced && !is_repeat;
            (None, Action::Park(Parking { is_announced, ..parking }))
        }
        Wish::Content => (None, Action::Generate(memory)),
    };
    if let Some(reason) = refused {
        for fate in fates.iter_mut().filter(|fate| **fate == Fate::Coalesced) {
            *fate = reason;
        }
    }
    match action {
        Action::Park(_) => fates[trigger] = Fate::Parked,
        Action::Generate(_) => fates[trigger] = Fate::Stored,
        Action::Nothing | Action::Remember(_) => {}
    }
    Decision { fates, trigger, action, is_repeat }
}

/// Whether events may have come before: one that is remembered has, and one that is too old to
/// be remembered may have been.
fn is_repeat(candidates: &[Candidate], state: &State, history: &[Past]) -> bool {
    let is_in = |history: &[Past], id: &str| history.iter().any(|past| past.id == id);
    let is_alive = |each: &&Candidate| state.deleted_at.is_none_or(|at| each.event.time > at);
    let mut asking = candidates.iter().filter(|each| each.role.triggers).filter(is_alive);
    asking.any(|Candidate { event, .. }| {
        is_in(&state.memory.history, &event.id) || !is_in(history, &event.id)
    })
}

/// Decides about events none of which asks for anything new. Where an ask was announced for
/// one of them and is not over, nobody can be sure that it was sent: whoever announced it may
/// have been cut off. It is sent once more; two for the same end as one does.
fn without_fresh(
    mut fates: Vec<Fate>,
    candidates: &[Candidate],
    state: &State,
    noted: Memory,
    (rules, now): (Rules, i64),
) -> Decision {
    let last = candidates.len().saturating_sub(1);
    let repeated = fates.iter().rposition(|fate| *fate == Fate::Duplicate);
    let is_repeat = repeated.is_some();
    match (repeated, Parking::again(&noted, state, rules, now)) {
        (Some(trigger), Some(parking)) => {
            fates[trigger] = Fate::Parked;
            Decision { fates, trigger, action: Action::Park(parking), is_repeat }
        }
        _ => Decision { fates, trigger: last, action: remember(noted, state), is_repeat },
    }
}

impl Parking {
    /// An ask that is due at `due` (UNIX seconds). If one was announced that has not come up
    /// yet, it will look at what is remembered then.
    fn until(due: i64, memory: Memory, state: &State, now: i64) -> Self {
        let ms = |secs: i64| u64::try_from(secs).unwrap_or_default().saturating_mul(1_000);
        let is_announced = state.parked_until_ms.is_some_and(|until| until > ms(now));
        Self { memory, not_before_ms: ms(due), is_announced }
    }

    /// The ask that was announced for what is remembered, once more; none if none was, or if
    /// nothing is to be asked.
    fn again(memory: &Memory, state: &State, rules: Rules, now: i64) -> Option<Self> {
        state.parked_until_ms?;
        let due = match wish(memory.history.last()?, memory, state, rules, now) {
            Wish::Later(due) => due,
            Wish::Content => now,
            Wish::Answered | Wish::Unless | Wish::Cooldown => return None,
        };
        let parking = Self::until(due, memory.clone(), state, now);
        Some(Self { is_announced: false, ..parking })
    }
}

/// What the newest event asks for.
fn wish(newest: &Past, memory: &Memory, state: &State, rules: Rules, now: i64) -> Wish {
    let is_after = |at: Option<i64>| at.is_some_and(|at| at >= newest.time);
    let written = state.written_for.as_ref();
    if written.is_some_and(|written| (written.event_time, &*written.event_id) >= newest.order()) {
        return Wish::Answered;
    }
    if is_after(memory.retracted_at) || (rules.after_secs > 0 && is_after(memory.unless_at)) {
        return Wish::Unless;
    }
    let after = if rules.after_secs > 0 { newest.time + rules.after_secs } else { i64::MIN };
    let mut due = after.max(rules.paced_from(state));
    if let Some(written) = written {
        let cool_at = written.event_time + rules.cooldown_secs;
        if newest.time < cool_at && !rules.replaces {
            return Wish::Cooldown;
        }
        if newest.time < cool_at {
            due = due.max(cool_at);
        }
    }
    if due > now { Wish::Later(due) } else { Wish::Content }
}

fn remember(memory: Memory, state: &State) -> Action {
    if memory == state.memory { Action::Nothing } else { Action::Remember(memory) }
}

/// What is remembered once the notes of the batch are taken.
fn noted(candidates: &[Candidate], state: &State) -> Memory {
    let is_alive = |each: &&Candidate| state.deleted_at.is_none_or(|at| each.event.time > at);
    let latest = |is_meant: fn(&Role) -> bool, before: Option<i64>| {
        let meant = candidates.iter().filter(is_alive).filter(|each| is_meant(&each.role));
        meant.map(|each| each.event.time).max().max(before)
    };
    Memory {
        history: state.memory.history.clone(),
        unless_at: latest(|role| role.ends, state.memory.unless_at),
        retracted_at: latest(|role| role.retracts, state.memory.retracted_at),
        paced_until: state.memory.paced_until,
    }
}

/// What can be said of each event by itself; the rest is taken for coalesced.
fn first_fates(candidates: &[Candidate], state: &State) -> Vec<Fate> {
    let history = &state.memory.history;
    let remembered: HashSet<&str> = history.iter().map(|past| past.id.as_str()).collect();
    let mut seen = HashSet::with_capacity(candidates.len());
    let fates = candidates.iter().map(|Candidate { event, role, redriven_at_ms }| {
        let has_content =
            state.written_for.as_ref().is_some_and(|written| written.event_id == event.id);
        if state.deleted_at.is_some_and(|deleted_at| event.time <= deleted_at) {
            Fate::Deleted
        } else if !role.triggers {
            Fate::Noted
        } else if has_content
            || (remembered.contains(event.id.as_str()) && redriven_at_ms.is_none())
            || !seen.insert(event.id.as_str())
        {
            Fate::Duplicate
        } else {
            Fate::Coalesced
        }
    });
    fates.collect()
}

/// Tells whether nothing of an item goes back to what happened at or before a deletion.
pub fn survives(state: &State, deleted_at: i64) -> bool {
    let is_newer = |at: Option<i64>| at.is_none_or(|at| at > deleted_at);
    let Memory { history, unless_at, retracted_at, paced_until: _ } = &state.memory;
    !state.is_foreign
        && history.iter().all(|past| past.time > deleted_at)
        && is_newer(*unless_at)
        && is_newer(*retracted_at)
        && state.written_for.as_ref().is_none_or(|written| {
            written.oldest_event_time > deleted_at && written.event_time > deleted_at
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { history: 3, cooldown_secs: 0, replaces: false, after_secs: 0, pace_secs: 0 };

    /// Now, in UNIX seconds: long after what the tests tell of.
    const NOW: i64 = 1_000_000;

    fn past(time: i64, id: &str) -> Past {
        let fields = serde_json::Map::new();
        Past { id: id.to_owned(), time, event_type: "t".to_owned(), fields }
    }

    fn candidates(events: &[(i64, &str)]) -> Vec<Candidate> {
        let candidate = |(time, id): &(i64, &str)| Candidate {
            event: past(*time, id),
            role: Role::TRIGGER,
            redriven_at_ms: None,
        };
        events.iter().map(candidate).collect()
    }

    fn stored(event: (i64, &str), history: &[(i64, &str)]) -> State {
        State {
            revision: Some(1),
            written_for: Some(WrittenFor {
                event_id: event.1.to_owned(),
                event_time: event.0,
                oldest_event_time: event.0,
                generated_at: 0,
            }),
            memory: Memory {
                history: history.iter().map(|(time, id)| past(*time, id)).collect(),
                ..Memory::default()
            },
            ..State::default()
        }
    }

    fn ids(decision: &Decision) -> String {
        let of = |memory: &Memory| -> String {
            memory.history.iter().map(|past| past.id.as_str()).collect()
        };
        match &decision.action {
            Action::Nothing => "nothing".to_owned(),
            Action::Remember(memory) => format!("remember {}", of(memory)),
            Action::Park(Parking { memory, not_before_ms, is_announced }) => {
                let sent = if *is_announced { "known" } else { "sent" };
                format!("park {} {not_before_ms} {sent}", of(memory))
            }
            Action::Generate(memory) => format!("generate {} {}", decision.trigger, of(memory)),
        }
    }

    fn decided_at(
        now: i64,
        candidates: &[Candidate],
        state: &State,
        rules: Rules,
    ) -> (Vec<Fate>, String) {
        let decision = decide(candidates, state, rules, now);
        let ids = ids(&decision);
        (decision.fates, ids)
    }

    fn decided(events: &[(i64, &str)], state: &State, rules: Rules) -> (Vec<Fate>, String) {
        decided_at(NOW, &candidates(events), state, rules)
    }

    fn note(time: i64, role: Role) -> Candidate {
        Candidate { event: past(time, "note"), role, redriven_at_ms: None }
    }

    const ENDS: Role = Role { triggers: false, ends: true, retracts: false };
    const RETRACTS: Role = Role { triggers: false, ends: false, retracts: true };
    #[test]
    fn a_user_gets_so_many_contents_an_hour_and_what_goes_beyond_waits_for_its_turn() {
        let rules = Rules { pace_secs: 3_600 / 4, ..RULES };
        let (mut paced_until, mut written, mut waited) = (None, Vec::new(), 0);

        // One event a minute, for three hours.
        for now in (0..10_800).step_by(60) {
            let mut state = stored((now - 1, "before"), &[(now - 1, "before")]);
            state.memory.paced_until = paced_until;
            match decide(&candidates(&[(now, "new")]), &state, rules, now).action {
                Action::Generate(_) => {
                    paced_until = rules.paced_until(paced_until, now);
                    written.push(now);
                }
                Action::Park(parking) => {
                    waited += 1;
                    assert!(
                        parking.not_before_ms > u64::try_from(now * 1_000).expect("is positive")
                    );
                }
                other => panic!("{other:?}"),
            }
        }

        // Four at once, and from then on one in a quarter of an hour.
        assert_eq!(written[..6], [0, 60, 120, 180, 900, 1_800]);
        assert_eq!(written.len() + waited, 180);
        let most = (0..10_800)
            .map(|from| written.iter().filter(|at| (from..from + 3_600).contains(*at)).count());
        assert!(most.max() <= Some(8), "{written:?}");
        assert!(written.windows(5).skip(4).all(|five| five[4] - five[0] >= 3_600), "{written:?}");
    }

    #[test]
    fn no_pace_is_faster_than_the_limit_and_nobody_waits_for_longer_than_an_hour() {
        for limit in [1, 7, 60, 1_000, 3_600] {
            assert!(pace_secs(limit) * i64::from(limit) >= 3_600, "{limit}");
        }
        let unlimited = Rules { pace_secs: pace_secs(0), ..RULES };
        assert_eq!(unlimited.paced_until(None, NOW), None);

        // Somebody asks for it anew, again and again.
        let rules = Rules { pace_secs: 900, ..RULES };
        let paced_until = (0..9).fold(None, |before, _| rules.paced_until(before, NOW));
        assert_eq!(paced_until, Some(NOW + 3_600));
    }

    const AFTER: Rules = Rules { after_secs: 100, ..RULES };

    #[test]
    fn the_newest_event_asks_for_content_and_the_others_are_its_context() {
        let (fates, action) = decided(&[(1, "a"), (2, "b"), (2, "b")], &State::default(), RULES);

        assert_eq!(fates, [Fate::Coalesced, Fate::Stored, Fate::Duplicate]);
        assert_eq!(action, "generate 1 ab");
    }

    #[test]
    fn of_two_events_in_one_second_exactly_one_is_newer() {
        let of_b = stored((5, "b"), &[(5, "b")]);
        let of_a = stored((5, "a"), &[(5, "a")]);

        assert_eq!(decided(&[(5, "a")], &of_b, RULES), (vec![Fate::Stale], "remember ab".into()));
        assert_eq!(
            decided(&[(5, "b")], &of_a, RULES),
            (vec![Fate::Stored], "generate 0 ab".into())
        );
    }

    #[test]
    fn what_is_known_changes_nothing() {
        let state = stored((5, "c"), &[(3, "a"), (4, "b"), (5, "c")]);

        let known = decided(&[(3, "a"), (5, "c")], &state, RULES);
        let too_old = decided(&[(2, "x")], &state, RULES);

        assert_eq!(known, (vec![Fate::Duplicate, Fate::Duplicate], "nothing".into()));
        assert_eq!(too_old, (vec![Fate::Stale], "nothing".into()));
    }

    #[test]
    fn an_older_event_is_remembered_and_never_answered() {
        let state = stored((5, "c"), &[(5, "c")]);
        // A newer event was skipped (for the budget, say): nothing older is answered.
        let mut skipped = State { written_for: None, ..state.clone() };
        skipped.revision = None;

        assert_eq!(decided(&[(4, "b")], &state, RULES), (vec![Fate::Stale], "remember bc".into()));
        assert_eq!(
            decided(&[(4, "b")], &skipped, RULES),
            (vec![Fate::Stale], "remember bc".into())
        );
    }

    #[test]
    fn within_the_cooldown_events_are_only_remembered() {
        let state = stored((100, "a"), &[(100, "a")]);
        let rules = Rules { cooldown_secs: 60, ..RULES };

        assert_eq!(
            decided(&[(159, "b")], &state, rules),
            (vec![Fate::Cooldown], "remember ab".into())
        );
        assert_eq!(decided(&[(160, "b")], &state, rules).0, [Fate::Stored]);
    }

    #[test]
    fn a_deletion_beats_what_is_not_newer_and_is_forgotten_by_nobody() {
        let state = State { deleted_at: Some(10), ..State::default() };

        let (fates, action) = decided(&[(9, "a"), (10, "b"), (11, "c")], &state, RULES);

        assert_eq!(fates, [Fate::Deleted, Fate::Deleted, Fate::Stored]);
        assert_eq!(action, "generate 2 c");
    }

    #[test]
    fn an_event_that_was_given_up_can_be_sent_again_until_it_has_content() {
        let mut given_up = stored((1, "a"), &[(1, "a"), (2, "b")]);
        let mut again = candidates(&[(2, "b")]);
        again[0].redriven_at_ms = Some(1);

        assert_eq!(decided_at(NOW, &again, &given_up, RULES).1, "generate 0 ab");
        given_up.written_for = stored((2, "b"), &[]).written_for;
        assert_eq!(decided_at(NOW, &again, &given_up, RULES).0, [Fate::Duplicate]);
    }

    #[test]
    fn an_item_survives_a_deletion_only_if_nothing_in_it_is_older() {
        let mut state = stored((5, "c"), &[(4, "b"), (5, "c")]);

        assert!(survives(&state, 3));
        assert!(!survives(&state, 4));
        state.memory.history.clear();
        assert!(survives(&state, 4));
        assert!(!survives(&state, 5));
    }

    #[test]
    fn a_campaign_that_asks_later_parks_an_ask_that_is_due_after_the_event() {
        let none = State::default();

        assert_eq!(
            decided_at(50, &candidates(&[(1, "a"), (40, "b")]), &none, AFTER),
            (vec![Fate::Coalesced, Fate::Parked], "park ab 140000 sent".into())
        );
        let late = decided_at(140, &candidates(&[(40, "b")]), &none, AFTER);
        assert_eq!(late, (vec![Fate::Stored], "generate 0 b".into()), "its time is over");
    }

    #[test]
    fn an_ask_that_waits_looks_at_what_is_newer_by_itself() {
        let mut waiting = State { parked_until_ms: Some(140_000), ..State::default() };
        waiting.memory.history = vec![past(40, "b")];

        let newer = decided_at(60, &candidates(&[(60, "c")]), &waiting, AFTER);
        assert_eq!(newer, (vec![Fate::Parked], "park bc 160000 known".into()));
        let overdue = decided_at(141, &candidates(&[(141, "c")]), &waiting, AFTER);
        assert_eq!(overdue.1, "park bc 241000 sent", "it may be over");
    }

    #[test]
    fn a_repeat_of_what_waits_sends_its_ask_again_and_one_of_what_is_over_does_not() {
        let mut waiting = State { parked_until_ms: Some(140_000), ..State::default() };
        waiting.memory.history = vec![past(40, "b")];

        let repeat = decided_at(60, &candidates(&[(40, "b")]), &waiting, AFTER);
        assert_eq!(repeat, (vec![Fate::Parked], "park b 140000 sent".into()));
        let with_newer = decided_at(60, &candidates(&[(40, "b"), (60, "c")]), &waiting, AFTER);
        let parked = vec![Fate::Duplicate, Fate::Parked];
        assert_eq!(with_newer, (parked, "park bc 160000 sent".into()));
        let older = decided_at(60, &candidates(&[(30, "a")]), &waiting, AFTER);
        assert_eq!(older, (vec![Fate::Stale], "remember ab".into()), "it did not come before");
        let full = Rules { history: 1, ..AFTER };
        let forgotten = decided_at(60, &candidates(&[(30, "a")]), &waiting, full);
        assert_eq!(forgotten, (vec![Fate::Parked], "park b 140000 sent".into()));
        waiting.parked_until_ms = None;
        let over = decided_at(60, &candidates(&[(40, "b")]), &waiting, AFTER);
        assert_eq!(over, (vec![Fate::Duplicate], "nothing".into()));
    }

    #[test]
    fn what_the_user_did_since_ends_what_waits_and_what_they_did_before_does_not() {
        let state = |unless_at| {
            let memory = Memory { unless_at, ..Memory::default() };
            State { memory, ..State::default() }
        };
        let cart = candidates(&[(40, "b")]);

        let (fates, action) = decided_at(50, &cart, &state(Some(41)), AFTER);
        assert_eq!((fates, action.as_str()), (vec![Fate::Unless], "remember b"));
        assert_eq!(decided_at(50, &cart, &state(Some(39)), AFTER).0, [Fate::Parked]);
        let both = [cart[0].clone(), note(45, ENDS)];
        assert_eq!(decided_at(50, &both, &state(None), AFTER).0, [Fate::Unless, Fate::Noted]);
    }

    #[test]
    fn a_note_is_taken_once_and_in_any_order() {
        let notes = [note(7, ENDS), note(5, RETRACTS), note(9, ENDS)];

        let decision = decide(&notes, &State::default(), AFTER, NOW);
        let Action::Remember(memory) = decision.action else { panic!("is remembered") };
        assert_eq!((memory.unless_at, memory.retracted_at), (Some(9), Some(5)));
        let state = State { memory, ..State::default() };
        assert_eq!(decided_at(NOW, &notes, &state, AFTER).1, "nothing");
        let deleted = State { deleted_at: Some(9), ..State::default() };
        assert_eq!(decided_at(NOW, &notes, &deleted, AFTER).0, [Fate::Deleted; 3]);
        assert!(!survives(&state, 5) && survives(&state, 4));
    }

    #[test]
    fn content_for_what_was_retracted_is_not_written() {
        let memory = Memory { retracted_at: Some(50), ..Memory::default() };
        let state = State { memory, ..State::default() };

        assert_eq!(decided(&[(50, "a")], &state, RULES).0, [Fate::Unless]);
        assert_eq!(decided(&[(51, "a")], &state, RULES).0, [Fate::Stored]);
    }

    #[test]
    fn the_newest_of_a_cooldown_waits_for_its_end_where_it_replaces_the_first() {
        let state = stored((100, "a"), &[(100, "a")]);
        let rules = Rules { cooldown_secs: 60, replaces: true, ..RULES };

        let within = decided_at(140, &candidates(&[(130, "b")]), &state, rules);
        assert_eq!(within, (vec![Fate::Parked], "park ab 160000 sent".into()));
        let later = decided_at(160, &candidates(&[(130, "b")]), &state, rules);
        assert_eq!(later.0, [Fate::Stored]);
    }
}
