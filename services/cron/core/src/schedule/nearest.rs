//! The known name that a wrong one resembles most.

/// The candidate closest to `text`, if it is close enough to have been meant.
pub(super) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance * 3 <= text.chars().count())
        .map(|(_, candidate)| candidate)
}
