//! Which types of events come, and how often.

use std::str::FromStr;

use rand::{Rng, RngExt as _};

use crate::catalogue::Catalogue;

/// The event that deletes a user.
pub const DELETION: &str = "users.UserDeleteRequest";

/// Event types of a streaming service, with their shares in a thousand.
pub const STREAMING: [(&str, u32); 7] = [
    ("users.behaviors.CustomEvent", 480),
    ("users.behaviors.app.SessionStart", 230),
    ("users.profile.Update", 20),
    ("users.messages.email.Open", 120),
    ("users.messages.email.Click", 60),
    ("users.behaviors.Purchase", 88),
    (DELETION, 2),
];

/// Weight of an event type that is not among [`STREAMING`], where all types come: the 88
/// others together are about as many as those.
const OTHER: u32 = 11;

/// What comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Traffic {
    /// The types of a streaming service.
    #[default]
    Streaming,
    /// All types of the catalogue, those of a streaming service most often.
    All,
    /// These types with their weights.
    Weights(Vec<(String, u32)>),
}

/// Why a text is no traffic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("traffic is \"streaming\", \"all\", or EVENT_TYPE=WEIGHT,... with whole weights above 0")]
pub struct BadTraffic;

/// A type that the catalogue does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Currents has no event type \"{0}\"")]
pub struct UnknownType(String);

impl FromStr for Traffic {
    type Err = BadTraffic;

    fn from_str(text: &str) -> Result<Self, BadTraffic> {
        match text {
            "streaming" => return Ok(Self::Streaming),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let weights = text.split(',').map(|part| {
            let (name, weight) = part.split_once('=').ok_or(BadTraffic)?;
            Ok((name.trim().to_owned(), weight.trim().parse().map_err(|_| BadTraffic)?))
        });
        let weights: Vec<(String, u32)> = weights.collect::<Result<_, _>>()?;
        let is_empty = weights.iter().all(|(_, weight)| *weight == 0);
        if is_empty { Err(BadTraffic) } else { Ok(Self::Weights(weights)) }
    }
}

impl Traffic {
    /// The types with their weights.
    pub fn weights(&self, catalogue: &Catalogue) -> Result<Vec<(String, u32)>, UnknownType> {
        let streaming = STREAMING.iter().map(|(name, weight)| ((*name).to_owned(), *weight));
        let is_other = |name: &&str| STREAMING.iter().all(|(streaming, _)| streaming != name);
        let others = catalogue.iter().map(|(name, _)| name).filter(is_other);
        let weights: Vec<_> = match self {
            Self::Streaming => streaming.collect(),
            Self::All => streaming.chain(others.map(|name| (name.to_owned(), OTHER))).collect(),
            Self::Weights(weights) => weights.clone(),
        };
        let unknown = weights.iter().find(|(name, _)| catalogue.schema(name).is_none());
        unknown.map_or(Ok(()), |(name, _)| Err(UnknownType(name.clone())))?;
        Ok(weights)
    }
}

/// Picks indices by weight.
#[derive(Debug, Clone)]
pub struct Picker {
    /// The weights before and with each index.
    ends: Vec<u64>,
}

impl Picker {
    /// Picks by these weights, of which one at least is above 0.
    pub fn new(weights: impl Iterator<Item = u32>) -> Self {
        let mut end = 0_u64;
        let ends = weights.map(|weight| {
            end += u64::from(weight);
            end
        });
        Self { ends: ends.collect() }
    }

    /// An index.
    pub fn pick(&self, rng: &mut impl Rng) -> usize {
        let all = self.ends.last().copied().unwrap_or(0).max(1);
        let point = rng.random_range(0..all);
        self.ends.partition_point(|end| *end <= point)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn indices_come_by_weight_and_never_where_it_is_0() {
        let picker = Picker::new([1, 0, 3].into_iter());
        let mut rng = StdRng::seed_from_u64(1);
        let mut counts = [0; 3];
        for _ in 0..40_000 {
            counts[picker.pick(&mut rng)] += 1;
        }

        assert_eq!(counts[1], 0);
        assert!((9_000..11_000).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn a_type_that_currents_does_not_have_is_named() {
        let catalogue = Catalogue::read().expect("table is valid");
        let traffic: Traffic = "users.behaviors.Dance=1".parse().expect("is traffic");

        let error = traffic.weights(&catalogue).expect_err("is unknown");
        assert!(error.to_string().contains("Dance"), "{error}");
        assert!("users.behaviors.Purchase=0".parse::<Traffic>().is_err());
        assert_eq!(Traffic::All.weights(&catalogue).expect("are known").len(), 94);
    }
}
