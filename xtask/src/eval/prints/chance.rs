//! Chance that is the same each time.

/// Numbers that look like chance, the same for the same seed.
pub struct Chance(u64);

impl Chance {
    /// For a text and a number.
    pub fn new(text: &str, n: u64) -> Chance {
        let start = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xCBF2_9CE4_8422_2325;
        let hash = text.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Chance(hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// From low to high, all as likely.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below this, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// About normal: mean 0, deviation 1.
    pub fn bell(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|n| bits >> (16 * n) & 0xFFFF).sum();
        (sum as f64 - 131_070.0) / 37_837.0
    }
}
