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
    // Every upload takes one: digit by digit, which is a tenth of what formatting costs.
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn jitter_is_below_a_fifth_and_varies() {
        let drawn: Vec<_> = (0..50).map(|_| super::jitter()).collect();
        assert!(drawn.iter().all(|share| (0.0..0.2).contains(share)));
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_token_has_32_digits_and_all_of_them_vary() {
        let drawn: Vec<String> = (0..200).map(|_| super::token().unwrap()).collect();
        for place in 0..32 {
            let mut digits: Vec<u8> = drawn.iter().map(|token| token.as_bytes()[place]).collect();
            assert!(
                digits
                    .iter()
                    .all(|digit| b"0123456789abcdef".contains(digit))
            );
            digits.sort_unstable();
            digits.dedup();
            assert!(digits.len() > 8, "{place}: {digits:?}");
        }
        assert!(drawn.iter().all(|token| token.len() == 32));
    }
}
