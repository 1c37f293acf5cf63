//! A hash that is the same on every machine, in every build and after every restart.
//!
//! Jitter, back-off and trace ids are drawn from it, so that replicas agree and golden traces hold. Not for secrets.

/// FNV-1a over the parts, each ended by a byte that UTF-8 never has, then a finisher (MurmurHash3's) that spreads the
/// last bytes over all bits.
pub fn stable(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes_between_versions() {
        assert_eq!(stable(&[b"report"]), 0x2916_ed9f_636a_f98e);
        assert_ne!(stable(&[b"ab", b"c"]), stable(&[b"a", b"bc"]));
    }

    #[test]
    fn neighbouring_names_are_spread_over_the_range() {
        let mut buckets = [0_u32; 10];
        for number in 0..1_000 {
            let hash = stable(&[format!("job-{number}").as_bytes()]);
            buckets[(hash % 10) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (60..140).contains(count)), "{buckets:?}");
    }
}
