//! Chance that is the same for the same words.

use sha2::{Digest as _, Sha256};

/// Throws that follow from words alone.
#[derive(Debug)]
pub(super) struct Dice {
    seed: [u8; 32],
    throws: u64,
}

impl Dice {
    pub(super) fn new(words: &[&str]) -> Self {
        let mut seed = Sha256::new();
        for word in words {
            seed.update(word.len().to_be_bytes());
            seed.update(word);
        }
        Self { seed: seed.finalize().into(), throws: 0 }
    }

    /// The next throw.
    pub(super) fn throw(&mut self) -> u64 {
        let mut throw = Sha256::new_with_prefix(self.seed);
        throw.update(self.throws.to_be_bytes());
        self.throws += 1;
        let throw: [u8; 32] = throw.finalize().into();
        throw.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Words for other dice, which are shorter than those that these are made of.
    pub(super) fn name(&self) -> String {
        self.seed.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The next throw, less than `sides`; 0 of none.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.throw() % sides).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_throw_the_same_and_others_do_not() {
        let thrown = |words: &[&str]| {
            let mut dice = Dice::new(words);
            [dice.throw(), dice.throw(), dice.throw()]
        };

        assert_eq!(thrown(&["a", "b"]), thrown(&["a", "b"]));
        assert_ne!(thrown(&["a", "b"]), thrown(&["ab"]));
        assert_ne!(thrown(&["a"])[0], thrown(&["a"])[1]);
        assert!((0..50).all(|n| Dice::new(&[&n.to_string()]).below(3) < 3));
    }
}
