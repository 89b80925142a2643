//! The messages of one queue: which can be received now, which are hidden, and until when.
//!
//! It takes the time and awaits nothing. Whoever receives gets what has been visible longest;
//! AWS only tries to.

use std::collections::{BTreeSet, HashMap};

use super::waiting::Label;

/// Most messages under way at a time (AWS limit).
const MAX_IN_FLIGHT: usize = 120_000;

/// One message. Beside its text it takes some hundred bytes, its places in the sets included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) body: Box<str>,
    /// When it was sent, in UNIX milliseconds.
    pub(super) sent_ms: u64,
    /// From when on it can be received, in UNIX milliseconds.
    pub(super) visible_ms: u64,
    /// How often it was received.
    pub(super) receives: u32,
    /// Where it is counted.
    pub(super) label: Label,
}

/// How many messages are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    /// Those that can be received.
    pub(super) visible: usize,
    /// Those that were received, and are hidden since.
    pub(super) in_flight: usize,
    /// Those that were never received, and are hidden since they were sent.
    pub(super) delayed: usize,
}

/// Why a message's time cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unchangeable {
    /// It is not there, or was received again since.
    Gone,
    /// It can be received: nobody has it.
    Visible,
}

/// As many messages are under way as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OverLimit;

/// The messages of one queue. A million of them fit: see the note at [`Message`].
#[derive(Debug, Default)]
pub(super) struct Messages {
    by_id: HashMap<u64, Message>,
    /// Those that can be received, by when they became visible.
    visible: BTreeSet<(u64, u64)>,
    /// Those that cannot, by when they become visible.
    hidden: BTreeSet<(u64, u64)>,
    /// How many of the hidden ones were never received.
    delayed: usize,
}

impl Messages {
    pub(super) fn put(&mut self, id: u64, message: Message, now_ms: u64) {
        if message.visible_ms <= now_ms {
            self.visible.insert((message.visible_ms, id));
        } else {
            self.hide(id, &message);
        }
        self.by_id.insert(id, message);
    }

    /// Receives up to `most` messages and hides them until `until_ms`.
    pub(super) fn take(
        &mut self,
        most: usize,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<(u64, &Message)>, OverLimit> {
        self.advance(now_ms);
        let room = MAX_IN_FLIGHT.saturating_sub(self.hidden.len() - self.delayed);
        if room == 0 && !self.visible.is_empty() {
            return Err(OverLimit);
        }
        let mut ids = Vec::new();
        while ids.len() < most.min(room) {
            let Some((_, id)) = self.visible.pop_first() else { break };
            ids.push(id);
        }
        let set = if until_ms > now_ms { &mut self.hidden } else { &mut self.visible };
        for id in &ids {
            if let Some(message) = self.by_id.get_mut(id) {
                message.receives = message.receives.saturating_add(1);
                message.visible_ms = until_ms;
                set.insert((until_ms, *id));
            }
        }
        Ok(ids.into_iter().filter_map(|id| self.by_id.get(&id).map(|each| (id, each))).collect())
    }

    /// Removes a message that was received for the `receives`th time and not again since.
    pub(super) fn remove(&mut self, id: u64, receives: u32) -> Option<Message> {
        if self.by_id.get(&id)?.receives != receives {
            return None;
        }
        let message = self.by_id.remove(&id)?;
        let place = (message.visible_ms, id);
        if self.hidden.remove(&place) {
            self.delayed -= usize::from(message.receives == 0);
        } else {
            self.visible.remove(&place);
        }
        if self.by_id.is_empty() {
            // A queue that was long gives its memory back.
            *self = Self::default();
        }
        Some(message)
    }

    /// Hides a message that is under way until `until_ms`.
    pub(super) fn change(
        &mut self,
        (id, receives): (u64, u32),
        until_ms: u64,
        now_ms: u64,
    ) -> Result<(), Unchangeable> {
        self.advance(now_ms);
        let message = self.by_id.get_mut(&id).ok_or(Unchangeable::Gone)?;
        if message.receives != receives {
            return Err(Unchangeable::Gone);
        }
        if !self.hidden.remove(&(message.visible_ms, id)) {
            return Err(Unchangeable::Visible);
        }
        message.visible_ms = until_ms;
        let set = if until_ms > now_ms { &mut self.hidden } else { &mut self.visible };
        set.insert((until_ms, id));
        Ok(())
    }

    /// Lets what was received be received again at once.
    pub(super) fn release(&mut self, now_ms: u64) {
        self.advance(now_ms);
        let by_id = &mut self.by_id;
        let released = self
            .hidden
            .extract_if(.., |(_, id)| by_id.get(id).is_some_and(|message| message.receives > 0));
        let released: Vec<(u64, u64)> = released.collect();
        for (_, id) in released {
            if let Some(message) = by_id.get_mut(&id) {
                message.visible_ms = now_ms;
                self.visible.insert((now_ms, id));
            }
        }
    }

    pub(super) fn figures(&mut self, now_ms: u64) -> Figures {
        self.advance(now_ms);
        Figures {
            visible: self.visible.len(),
            in_flight: self.hidden.len() - self.delayed,
            delayed: self.delayed,
        }
    }

    /// When the next hidden message becomes visible, in UNIX milliseconds.
    pub(super) fn next_visible_ms(&self) -> Option<u64> {
        self.hidden.first().map(|(at, _)| *at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.by_id.iter().map(|(id, message)| (*id, message))
    }

    fn hide(&mut self, id: u64, message: &Message) {
        self.hidden.insert((message.visible_ms, id));
        self.delayed += usize::from(message.receives == 0);
    }

    /// Lets what has been hidden long enough be received.
    fn advance(&mut self, now_ms: u64) {
        while let Some((at, id)) = self.hidden.first().copied().filter(|(at, _)| *at <= now_ms) {
            self.hidden.pop_first();
            self.visible.insert((at, id));
            let was_delayed = self.by_id.get(&id).is_some_and(|message| message.receives == 0);
            self.delayed -= usize::from(was_delayed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn message(visible_ms: u64) -> Message {
        let body = "{}".into();
        Message { body, sent_ms: 0, visible_ms, receives: 0, label: Label::default() }
    }

    fn figures(messages: &mut Messages, now_ms: u64) -> (usize, usize, usize) {
        let Figures { visible, in_flight, delayed } = messages.figures(now_ms);
        (visible, in_flight, delayed)
    }

    fn ids(messages: &mut Messages, most: usize, now_ms: u64) -> Vec<u64> {
        let taken = messages.take(most, now_ms, now_ms + MINUTE_MS).expect("is below the limit");
        taken.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn what_has_been_visible_longest_is_received_first() {
        let mut messages = Messages::default();
        for (id, visible_ms) in [(1, 300), (2, 100), (3, 200), (4, 900)] {
            messages.put(id, message(visible_ms), 0);
        }

        assert_eq!(ids(&mut messages, 2, 500), [2, 3]);
        assert_eq!(ids(&mut messages, 10, 500), [1]);
        assert_eq!(figures(&mut messages, 500), (0, 3, 1));
    }

    #[test]
    fn a_message_that_nobody_deletes_comes_again_and_counts_it() {
        let mut messages = Messages::default();
        messages.put(1, message(0), 0);

        assert_eq!(ids(&mut messages, 1, 0), [1]);
        assert_eq!(ids(&mut messages, 1, MINUTE_MS - 1), [] as [u64; 0]);
        assert_eq!(ids(&mut messages, 1, MINUTE_MS), [1]);

        assert_eq!(messages.remove(1, 1), None, "it was received again since");
        assert_eq!(messages.remove(1, 2).map(|message| message.receives), Some(2));
        assert_eq!(figures(&mut messages, MINUTE_MS), (0, 0, 0));
    }

    #[test]
    fn only_what_is_under_way_can_be_hidden_longer_or_put_back() {
        let mut messages = Messages::default();
        messages.put(1, message(0), 0);
        assert_eq!(messages.change((1, 0), 9, 0), Err(Unchangeable::Visible));
        assert_eq!(ids(&mut messages, 1, 0), [1]);

        assert_eq!(messages.change((1, 1), 2 * MINUTE_MS, 1), Ok(()));
        assert_eq!(ids(&mut messages, 1, MINUTE_MS), [] as [u64; 0]);
        assert_eq!(messages.change((1, 1), MINUTE_MS, MINUTE_MS), Ok(()));
        assert_eq!(figures(&mut messages, MINUTE_MS), (1, 0, 0));

        assert_eq!(messages.change((1, 1), 9, MINUTE_MS), Err(Unchangeable::Visible));
        assert_eq!(messages.change((2, 1), 9, MINUTE_MS), Err(Unchangeable::Gone));
    }

    #[test]
    fn one_call_hands_out_once_what_it_does_not_hide() {
        let mut messages = Messages::default();
        messages.put(1, message(0), 0);
        messages.put(2, message(0), 0);

        let taken = messages.take(10, 0, 0).expect("is below the limit").len();

        assert_eq!(taken, 2);
        assert_eq!(figures(&mut messages, 0), (2, 0, 0));
    }

    #[test]
    fn what_is_released_is_received_again_and_what_is_delayed_is_not() {
        let mut messages = Messages::default();
        messages.put(1, message(0), 0);
        messages.put(2, message(MINUTE_MS), 0);
        assert_eq!(ids(&mut messages, 10, 0), [1]);

        messages.release(5);

        assert_eq!(figures(&mut messages, 5), (1, 0, 1));
        assert_eq!(ids(&mut messages, 10, 5), [1]);
        assert!(messages.remove(1, 2).is_some());
    }

    #[test]
    fn no_more_than_the_limit_is_under_way() {
        let mut messages = Messages::default();
        for id in 0..=MAX_IN_FLIGHT as u64 {
            messages.put(id, message(0), 0);
        }
        let taken = ids(&mut messages, usize::MAX, 0);

        assert_eq!(taken.len(), MAX_IN_FLIGHT);
        assert_eq!(messages.take(1, 0, MINUTE_MS), Err(OverLimit));
        assert!(messages.remove(taken[0], 1).is_some());
        assert_eq!(ids(&mut messages, 2, 0).len(), 1);
    }
}
