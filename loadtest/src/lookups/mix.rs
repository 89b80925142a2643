//! What is asked: shares of hits, misses and strangers.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::client::Kind;

/// Shares of look-ups, in any unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Users who have content.
    pub hit: u32,
    /// Users whom nobody knows.
    pub miss: u32,
    /// Callers without valid credentials.
    pub unauthorised: u32,
}

/// Why a text is no mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mix is e.g. hit=80,miss=18,unauthorised=2, and not all shares are 0")]
pub struct BadMix;

impl Mix {
    /// Whether users who have content are needed.
    pub fn asks_for_hits(&self) -> bool {
        self.hit > 0
    }

    /// The answer that the look-up at `point` of the mix, any number, is to get.
    pub fn pick(&self, point: u64) -> Kind {
        let all = u64::from(self.hit) + u64::from(self.miss) + u64::from(self.unauthorised);
        let point = point % all.max(1);
        if point < u64::from(self.hit) {
            Kind::Hit
        } else if point < u64::from(self.hit) + u64::from(self.miss) {
            Kind::Miss
        } else {
            Kind::Unauthorised
        }
    }
}

impl FromStr for Mix {
    type Err = BadMix;

    fn from_str(text: &str) -> Result<Self, BadMix> {
        let mut mix = Self { hit: 0, miss: 0, unauthorised: 0 };
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or(BadMix)?;
            let share = share.trim().parse().map_err(|_| BadMix)?;
            match name.trim() {
                "hit" => mix.hit = share,
                "miss" => mix.miss = share,
                "unauthorised" => mix.unauthorised = share,
                _ => return Err(BadMix),
            }
        }
        let is_empty = mix == Self { hit: 0, miss: 0, unauthorised: 0 };
        if is_empty { Err(BadMix) } else { Ok(mix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_in_their_shares() {
        let mix: Mix = "hit=7,miss=2,unauthorised=1".parse().expect("is a mix");

        let count = |kind| (0..1_000).filter(|point| mix.pick(*point) == kind).count();
        assert_eq!([Kind::Hit, Kind::Miss, Kind::Unauthorised].map(count), [700, 200, 100]);
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for text in ["", "hit", "hit=-1", "hits=1", "hit=0,miss=0"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
