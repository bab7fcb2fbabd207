//! What a machine's processor decides about rounding: XNNPACK picks its float16 kernels by it.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// How XNNPACK computes binary16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HalfUnit {
    /// The processor converts (F16C): kernels compute in binary32 and round results.
    #[serde(rename = "f16c")]
    Converting,
    /// The processor computes (AVX512-FP16): sums of products are binary16, elementary functions are polynomials in binary16.
    #[serde(rename = "avx512-fp16")]
    Computing,
}

impl HalfUnit {
    /// That of the processor that this program runs on.
    pub fn here() -> HalfUnit {
        static HERE: OnceLock<HalfUnit> = OnceLock::new();
        *HERE.get_or_init(|| if computes() { HalfUnit::Computing } else { HalfUnit::Converting })
    }

    /// What a report says of the machine.
    pub fn name(self) -> &'static str {
        match self {
            HalfUnit::Converting => "without AVX512-FP16",
            HalfUnit::Computing => "AVX512-FP16",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn computes() -> bool {
    std::arch::is_x86_feature_detected!("avx512fp16")
}

/// LiteRT's pinned library is for x86-64 alone.
#[cfg(not(target_arch = "x86_64"))]
fn computes() -> bool {
    false
}
