//! What the brightness of a picture says, beside what it shows.

/// Gathered from the rows of the brightest component as they come.
#[derive(Clone, Debug, Default)]
pub struct Light {
    rows: u64,
}

impl Light {
    /// Takes a row.
    pub(crate) fn take(&mut self, _samples: &[u8]) {
        self.rows += 1;
    }
}
