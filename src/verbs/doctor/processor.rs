//! What the processor can do of what speed depends on.

/// Names of the instruction sets that make models fast, as far as this processor has them.
#[cfg(target_arch = "x86_64")]
pub(super) fn features() -> Vec<&'static str> {
    let known = [
        ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        ("avx", std::arch::is_x86_feature_detected!("avx")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("f16c", std::arch::is_x86_feature_detected!("f16c")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    present(&known)
}

/// Names of the instruction sets that make models fast, as far as this processor has them.
#[cfg(target_arch = "aarch64")]
pub(super) fn features() -> Vec<&'static str> {
    let known = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        (
            "dotprod",
            std::arch::is_aarch64_feature_detected!("dotprod"),
        ),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
    ];
    present(&known)
}

/// Nothing is known of other processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn features() -> Vec<&'static str> {
    present(&[])
}

fn present(known: &[(&'static str, bool)]) -> Vec<&'static str> {
    let present = known.iter().filter(|(_, is_present)| *is_present);
    present.map(|(name, _)| *name).collect()
}
