//! Numbers that look random and are decided by their input.

/// Mixes all bits: SplitMix64's finaliser (Steele, Lea and Flood, 2014), a bijection.
pub(crate) fn mixed(n: u64) -> u64 {
    let mut mixed = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Hashes a text: FNV-1a, mixed. The same on every machine, as choices by seed must be.
pub(crate) fn hashed(text: &str, seed: u64) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    mixed(hash ^ mixed(seed))
}
