//! The asks in hand, and how many may be.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::ask::{Ask, Class, Queue};
use contract::metrics::AskFate;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::decide::Turn;

/// Asks of a model that are taken up before one of them was answered: of a quota that is used
/// up no more than these find out.
const FIRST: usize = 4;

/// The asks in hand.
#[derive(Debug)]
pub(super) struct Hands {
    held: Mutex<Held>,
    changed: Notify,
    window: usize,
    /// Asks of a model that are taken up before one of them came to something.
    first: usize,
}

#[derive(Debug, Default)]
struct Held {
    next: usize,
    asks: HashMap<usize, InHand>,
    models: HashMap<String, OfModel>,
    /// Turns that come one by one in the end.
    aside: Vec<Turn>,
}

/// An ask in hand.
#[derive(Debug)]
pub(super) struct InHand {
    pub(super) ask: Ask,
    pub(super) queue: Queue,
    pub(super) receipt: String,
    pub(super) model_id: String,
    pub(super) class: Class,
}

/// What is known of a model's asks.
#[derive(Debug, Default)]
struct OfModel {
    held: usize,
    /// How many came to an end of their own.
    over: usize,
    /// Whether asks went back.
    is_refused: bool,
    /// Classes of which asks went back because they got no turn.
    put_back: BTreeSet<Class>,
}

impl Hands {
    /// Holds up to `window` asks of each model.
    pub(super) fn new(window: usize) -> Self {
        Self { held: Mutex::default(), changed: Notify::new(), window, first: FIRST }
    }

    /// Holds up to `window` asks, of which none waits for another.
    pub(super) fn of_all(window: usize) -> Self {
        Self { first: window, ..Self::new(window) }
    }

    /// How many were taken so far.
    pub(super) fn taken(&self) -> usize {
        self.held().next
    }

    /// How many are in hand, of all models.
    pub(super) fn all_in_hand(&self) -> usize {
        self.held().models.values().map(|of| of.held).sum()
    }

    /// Takes an ask, and gives it a number.
    pub(super) fn take(&self, ask: InHand) -> usize {
        let mut held = self.held();
        let id = held.next;
        held.next += 1;
        held.models.entry(ask.model_id.clone()).or_default().held += 1;
        held.asks.insert(id, ask);
        id
    }

    /// Sets a turn aside, of an ask in hand, until nothing else is.
    pub(super) fn set_aside(&self, turn: Turn) {
        let mut held = self.held();
        let Held { asks, models, aside, .. } = &mut *held;
        let of_model = asks.get(&turn.id).and_then(|ask| models.get_mut(&ask.model_id));
        if let Some(of_model) = of_model {
            of_model.held = of_model.held.saturating_sub(1);
        }
        aside.push(turn);
    }

    /// The turns that were set aside.
    pub(super) fn take_aside(&self) -> Vec<Turn> {
        std::mem::take(&mut self.held().aside)
    }

    /// An ask came to something.
    pub(super) fn note(&self, id: usize, fate: AskFate, got_no_turn: bool) {
        let mut held = self.held();
        let Held { asks, models, .. } = &mut *held;
        let Some(ask) = asks.get(&id) else { return };
        let of_model = models.entry(ask.model_id.clone()).or_default();
        of_model.held = of_model.held.saturating_sub(1);
        match fate {
            AskFate::Returned => {
                of_model.is_refused = true;
                if got_no_turn {
                    of_model.put_back.insert(ask.class);
                }
            }
            _ => of_model.over += 1,
        }
        drop(held);
        self.changed.notify_waiters();
    }

    /// Forgets an ask that is settled.
    pub(super) fn let_go(&self, id: usize) -> Option<InHand> {
        self.held().asks.remove(&id)
    }

    /// How many more of a model may be taken.
    pub(super) fn room(&self, model_id: &str) -> usize {
        let held = self.held();
        let (in_hand, over) = held.models.get(model_id).map_or((0, 0), |of| (of.held, of.over));
        (self.first + over).min(self.window).saturating_sub(in_hand)
    }

    /// Whether as many of a model are in hand as may be, with so many more.
    pub(super) fn is_full(&self, model_id: &str, more: usize) -> bool {
        self.held().models.get(model_id).map_or(0, |of| of.held) + more >= self.window
    }

    /// How many of a model are in hand.
    pub(super) fn held_of(&self, model_id: &str) -> usize {
        self.held().models.get(model_id).map_or(0, |of| of.held)
    }

    /// Whether asks of a model went back: its quota has no room, or something is out of reach.
    pub(super) fn is_refused(&self, model_id: &str) -> bool {
        self.held().models.get(model_id).is_some_and(|of| of.is_refused)
    }

    /// Whether asks of any model went back.
    pub(super) fn is_any_refused(&self) -> bool {
        self.held().models.values().any(|of| of.is_refused)
    }

    /// The classes of which asks of a model got no turn.
    pub(super) fn classes_put_back(&self, model_id: &str) -> Vec<Class> {
        let held = self.held();
        held.models
            .get(model_id)
            .map(|of| of.put_back.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Waits until an ask came to something, at most so long.
    pub(super) async fn changed(&self, at_most: Duration) {
        let _ = timeout(at_most, self.changed.notified()).await;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it holds this lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(model_id: &str) -> InHand {
        let body = include_str!("../../../../contract/golden/ask.json");
        let ask = Ask::decode(body).expect("is one");
        let (model_id, class) = (model_id.to_owned(), Class::Normal);
        InHand { ask, queue: Queue::Later, receipt: String::new(), model_id, class }
    }

    #[test]
    fn the_more_asks_come_to_an_end_the_more_are_taken_up_to_the_window() {
        let hands = Hands::new(6);
        let ids: Vec<usize> = (0..FIRST).map(|_| hands.take(ask("m"))).collect();
        assert_eq!((hands.room("m"), hands.room("other")), (0, FIRST));

        hands.note(ids[0], AskFate::Stored, false);
        assert_eq!(hands.room("m"), 2, "one that ended, and one more");
        hands.note(ids[1], AskFate::Cooldown, false);
        hands.note(ids[2], AskFate::ParkedAgain, false);
        assert_eq!(hands.room("m"), 5, "the window holds six");
        assert!(!hands.is_refused("m"));

        hands.note(ids[3], AskFate::Returned, true);
        assert!(hands.is_refused("m") && !hands.is_refused("other"));
        assert_eq!(hands.classes_put_back("m"), [Class::Normal]);
        assert!(hands.let_go(ids[3]).is_some() && hands.let_go(ids[3]).is_none());
    }
}
