//! Medians and ratios of interleaved rounds.
//!
//! On a machine with neighbours an absolute time means nothing. Contestants take turns within each
//! round, in rotating order, and what is quoted is the median over the rounds of the ratio *within*
//! a round.

/// The middle value, or the mean of the two middle ones. 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(low), Some(high)) if sorted.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}

/// The smallest and the largest value.
pub fn spread(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// `rates[round][contestant]` → per contestant, its ratio to contestant `base` in each round.
pub fn ratios(rates: &[Vec<f64>], contestant: usize, base: usize) -> Vec<f64> {
    let ratio = |round: &Vec<f64>| Some(round.get(contestant)? / round.get(base)?);
    rates.iter().filter_map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_of_odd_and_the_mean_of_even_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round ran on a machine half as fast; the ratio does not care.
        let rates = vec![vec![10.0, 40.0], vec![5.0, 20.0]];
        assert_eq!(ratios(&rates, 1, 0), [4.0, 4.0]);
        assert_eq!(spread(&[4.0, 2.0]), (2.0, 4.0));
    }
}
