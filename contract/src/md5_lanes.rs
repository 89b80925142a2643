//! MD5 of several messages at once.
//!
//! MD5 is one long chain of dependent steps, so a processor computes one at a fraction
//! of its speed; side by side in lanes, eight take little longer. Every stream record
//! ends with an MD5, and computed one by one they took a third of all the time of
//! `ingest`. `md-5` checks single ones, and these in the tests.
//!
//! <https://www.rfc-editor.org/rfc/rfc1321>

use std::array;

use wide::u32x8;

/// Messages that are worked on at a time.
const LANES: usize = 8;

/// Bytes of a block.
const BLOCK: usize = 64;

/// An MD5.
pub(crate) type Checksum = [u8; 16];

/// `floor(2^32 * abs(sin(n + 1)))`.
const K: [u32; 64] = [
    0xD76A_A478,
    0xE8C7_B756,
    0x2420_70DB,
    0xC1BD_CEEE,
    0xF57C_0FAF,
    0x4787_C62A,
    0xA830_4613,
    0xFD46_9501,
    0x6980_98D8,
    0x8B44_F7AF,
    0xFFFF_5BB1,
    0x895C_D7BE,
    0x6B90_1122,
    0xFD98_7193,
    0xA679_438E,
    0x49B4_0821,
    0xF61E_2562,
    0xC040_B340,
    0x265E_5A51,
    0xE9B6_C7AA,
    0xD62F_105D,
    0x0244_1453,
    0xD8A1_E681,
    0xE7D3_FBC8,
    0x21E1_CDE6,
    0xC337_07D6,
    0xF4D5_0D87,
    0x455A_14ED,
    0xA9E3_E905,
    0xFCEF_A3F8,
    0x676F_02D9,
    0x8D2A_4C8A,
    0xFFFA_3942,
    0x8771_F681,
    0x6D9D_6122,
    0xFDE5_380C,
    0xA4BE_EA44,
    0x4BDE_CFA9,
    0xF6BB_4B60,
    0xBEBF_BC70,
    0x289B_7EC6,
    0xEAA1_27FA,
    0xD4EF_3085,
    0x0488_1D05,
    0xD9D4_D039,
    0xE6DB_99E5,
    0x1FA2_7CF8,
    0xC4AC_5665,
    0xF429_2244,
    0x432A_FF97,
    0xAB94_23A7,
    0xFC93_A039,
    0x655B_59C3,
    0x8F0C_CC92,
    0xFFEF_F47D,
    0x8584_5DD1,
    0x6FA8_7E4F,
    0xFE2C_E6E0,
    0xA301_4314,
    0x4E08_11A1,
    0xF753_7E82,
    0xBD3A_F235,
    0x2AD7_D2BB,
    0xEB86_D391,
];

/// Stands in for a block that is not there, which never happens.
const EMPTY: [u8; BLOCK] = [0; BLOCK];

const START: [u32; 4] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];

/// The checksum of each message, in their order.
pub(crate) fn checksums(messages: &[&[u8]]) -> Vec<Checksum> {
    let mut checksums = vec![Checksum::default(); messages.len()];
    // Neighbours of about the same length leave little over.
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|&place| messages[place].len());
    for places in order.chunks(LANES) {
        let lane = |n: usize| messages[places[n.min(places.len() - 1)]];
        let lanes: [&[u8]; LANES] = array::from_fn(lane);
        let states = common_blocks(&lanes);
        for (&place, state) in places.iter().zip(states) {
            checksums[place] = finish(messages[place], lanes[0].len() / BLOCK, state);
        }
    }
    checksums
}

/// The states after as many whole blocks as the first, shortest message has.
fn common_blocks(lanes: &[&[u8]; LANES]) -> [[u32; 4]; LANES] {
    let mut state = START.map(u32x8::splat);
    for block in 0..lanes[0].len() / BLOCK {
        let blocks = lanes.map(|lane| lane[block * BLOCK..].first_chunk().unwrap_or(&EMPTY));
        compress(&mut state, &blocks);
    }
    let words = state.map(u32x8::to_array);
    array::from_fn(|lane| array::from_fn(|word| words[word][lane]))
}

/// Ends one message whose first `blocks` are in `state`.
fn finish(message: &[u8], blocks: usize, state: [u32; 4]) -> Checksum {
    let mut padded = message[blocks * BLOCK..].to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    padded.extend_from_slice(&(message.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state = state.map(u32x8::splat);
    for block in padded.as_chunks().0 {
        compress(&mut state, &[block; LANES]);
    }
    let mut checksum = Checksum::default();
    for (bytes, word) in checksum.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_array()[0].to_le_bytes());
    }
    checksum
}

/// One block of each lane. The four rounds differ in their function, in the order of
/// the words and in the rotations; a step leaves its result in the oldest of the four.
fn compress(state: &mut [u32x8; 4], blocks: &[&[u8; BLOCK]; LANES]) {
    let words: [u32x8; 16] = array::from_fn(|word| {
        let bytes = |lane: usize| blocks[lane].as_chunks().0[word];
        u32x8::new(array::from_fn(|lane| u32::from_le_bytes(bytes(lane))))
    });
    let [mut a, mut b, mut c, mut d] = *state;
    macro_rules! round {
        ($function:expr, $first:expr, $stride:expr, $k:expr, $rotations:expr) => {
            for n in (0..16).step_by(4) {
                let word = |n: usize| words[($first + $stride * n) % 16] + u32x8::splat(K[$k + n]);
                let [r0, r1, r2, r3] = $rotations;
                a = b + rotated(a + $function(b, c, d) + word(n), r0);
                d = a + rotated(d + $function(a, b, c) + word(n + 1), r1);
                c = d + rotated(c + $function(d, a, b) + word(n + 2), r2);
                b = c + rotated(b + $function(c, d, a) + word(n + 3), r3);
            }
        };
    }
    round!(|b, c, d| d ^ (b & (c ^ d)), 0, 1, 0, [7, 12, 17, 22]);
    round!(|b, c, d| c ^ (d & (b ^ c)), 1, 5, 16, [5, 9, 14, 20]);
    round!(|b: u32x8, c, d| b ^ c ^ d, 5, 3, 32, [4, 11, 16, 23]);
    round!(|b, c, d: u32x8| c ^ (b | !d), 0, 7, 48, [6, 10, 15, 21]);
    for (old, new) in state.iter_mut().zip([a, b, c, d]) {
        *old += new;
    }
}

#[inline(always)]
fn rotated(words: u32x8, bits: u32) -> u32x8 {
    (words << bits) | (words >> (32 - bits))
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn checksums_are_those_of_the_library(
            lengths in proptest::collection::vec(0..300_usize, 0..40), seed in any::<u8>(),
        ) {
            let message = |length: usize| -> Vec<u8> {
                (0..length).map(|n| (n as u8).wrapping_mul(31) ^ seed).collect()
            };
            let messages: Vec<Vec<u8>> = lengths.into_iter().map(message).collect();
            let borrowed: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();

            let expected: Vec<Checksum> = borrowed.iter().map(|m| Md5::digest(m).into()).collect();
            prop_assert_eq!(checksums(&borrowed), expected);
        }
    }
}
