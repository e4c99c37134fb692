//! Randomness of the system, for boundaries and jitter.

/// A number in 0.0..0.2. Without randomness there is no jitter, which is never wrong.
pub(crate) fn jitter() -> f64 {
    let mut bytes = [0; 4];
    if getrandom::getrandom(&mut bytes).is_err() {
        return 0.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0) * 0.2
}

/// 128 random bits in hexadecimal; `None` when the system has none to give.
pub(crate) fn token() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::getrandom(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn jitter_is_below_a_fifth_and_varies() {
        let drawn: Vec<_> = (0..50).map(|_| super::jitter()).collect();
        assert!(drawn.iter().all(|share| (0.0..0.2).contains(share)));
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
        assert_ne!(super::token(), super::token());
    }
}
