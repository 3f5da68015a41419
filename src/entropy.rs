//! Randomness as a parameter: the server asks the operating system, tests give a seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system's generator.
    System,
    /// A reproducible stream for tests.
    Seeded {
        /// The key of the stream.
        seed: [u8; 32],
        /// How many draws were made.
        draws: AtomicU64,
    },
}

impl Entropy {
    /// A reproducible stream for tests.
    #[must_use]
    pub const fn seeded(seed: [u8; 32]) -> Self {
        Self::Seeded { seed, draws: AtomicU64::new(0) }
    }

    /// A name that nobody can guess: 128 random bits in hexadecimal.
    ///
    /// # Panics
    /// As [`Entropy::bytes`].
    #[must_use]
    pub fn id(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.bytes::<16>())
    }

    /// Draws `N` random bytes.
    ///
    /// # Panics
    /// Where the operating system has no randomness to give: no key or nonce may be made then.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match self {
            Self::System => getrandom::fill(&mut bytes).expect("the operating system gives randomness"),
            Self::Seeded { seed, draws } => {
                let draw = draws.fetch_add(1, Ordering::SeqCst);
                blake3::Hasher::new_keyed(seed).update(&draw.to_le_bytes()).finalize_xof().fill(&mut bytes);
            }
        }
        bytes
    }
}
