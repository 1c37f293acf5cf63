//! Looking for the nearest member of a set of small numbers, kept as the bits of a word.

/// The smallest member that is not less than `from`.
pub(super) fn first_bit_from(set: u64, from: u32) -> Option<u32> {
    let rest = set.checked_shr(from).unwrap_or(0);
    (rest != 0).then(|| from + rest.trailing_zeros())
}

/// The largest member that is not greater than `to`.
pub(super) fn last_bit_to(set: u64, to: u32) -> Option<u32> {
    let rest = set & u64::MAX.checked_shr(63_u32.saturating_sub(to)).unwrap_or(u64::MAX);
    rest.checked_ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_member_in_both_directions() {
        let set = 1 << 3 | 1 << 40 | 1 << 63;
        let from: Vec<_> = [0, 3, 4, 40, 41, 63, 64, 99]
            .iter()
            .map(|from| first_bit_from(set, *from))
            .collect();
        assert_eq!(
            from,
            [Some(3), Some(3), Some(40), Some(40), Some(63), Some(63), None, None]
        );
        let to: Vec<_> = [0, 2, 3, 39, 40, 62, 63, 99]
            .iter()
            .map(|to| last_bit_to(set, *to))
            .collect();
        assert_eq!(
            to,
            [None, None, Some(3), Some(3), Some(40), Some(40), Some(63), Some(63)]
        );
        assert_eq!((first_bit_from(0, 0), last_bit_to(0, 63)), (None, None));
    }
}
