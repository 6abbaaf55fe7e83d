//! A tiny source of numbers, the same for the same seed.

/// Numbers of a seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// Returns a number below `sides`; 0 when there are none.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        let (by, more) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(by).wrapping_add(more);
        usize::try_from((self.0 >> 33) % sides.max(1) as u64).unwrap()
    }
}
