//! Where the numbers are crunched: a GPU where there is one, else the processor.
//!
//! Which GPU can be there is decided when the crate is built; `accelerator` is one of three files
//! with the same function.

#[cfg_attr(target_os = "macos", path = "metal.rs")]
#[cfg_attr(all(not(target_os = "macos"), feature = "cuda"), path = "cuda.rs")]
#[cfg_attr(not(any(target_os = "macos", feature = "cuda")), path = "none.rs")]
mod accelerator;

/// A place to compute.
#[derive(Debug, Clone)]
pub struct Device {
    inner: candle_core::Device,
    name: &'static str,
}

impl Device {
    /// The GPU if this build knows one and the machine has it, else the processor.
    /// [`Device::describe`] says which it became.
    #[must_use]
    pub fn best() -> Self {
        accelerator::find().map_or_else(Self::cpu, |(inner, name)| Self { inner, name })
    }

    /// The processor.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            inner: candle_core::Device::Cpu,
            name: "CPU",
        }
    }

    /// What it is, for people: `CPU, 8 threads`, `Metal`, `CUDA`.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.inner.is_cpu() {
            format!("{}, {} threads", self.name, threads())
        } else {
            self.name.to_owned()
        }
    }

    pub(crate) fn inner(&self) -> &candle_core::Device {
        &self.inner
    }
}

/// Threads that compute on a processor.
#[must_use]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Has `count` threads compute, from the first computation on.
///
/// # Errors
/// `Usage` once something has been computed.
pub fn use_threads(count: usize) -> rag_core::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count);
    pool.build_global().map_err(|error| {
        let fact = format!("the number of threads can't be set: {error}");
        rag_core::Error::new(rag_core::Code::Usage, fact).hint("say it before anything is computed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_always_there() {
        assert!(Device::cpu().describe().starts_with("CPU, "));
        assert!(!Device::best().describe().is_empty());
    }
}
