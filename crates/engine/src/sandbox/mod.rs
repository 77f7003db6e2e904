//! The sandbox of workers: what a process that reads hostile files is kept from, and how much it may use.
//!
//! Every system offers something else, in one file each with the same functions. Nothing is downgraded
//! in silence: a worker says by what each thing is held, and what is not held and why.

#[cfg(target_os = "linux")]
mod calls;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "macos")),
    path = "elsewhere.rs"
)]
mod platform;
mod probe;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod unix;

use serde::{Deserialize, Serialize};

pub(crate) use platform::{allow, command, confine, end, overran, resident};
pub(crate) use probe::probe;
pub use probe::{Attempt, Ocr, Probe};

/// What holds a worker, as the worker itself says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    pub guards: Vec<Guard>,
}

/// One thing that a worker is kept from, or may use only so much of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// `network`, `writing`, `memory`, …
    pub what: String,
    #[serde(flatten)]
    pub hold: Hold,
}

/// Whether something is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// By these means.
    By(String),
    /// Not at all, for this reason.
    Open(String),
}

impl Confinement {
    /// What is not held, each with its reason.
    pub fn gaps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.guards.iter().filter_map(|guard| match &guard.hold {
            Hold::Open(why) => Some((guard.what.as_str(), why.as_str())),
            Hold::By(_) => None,
        })
    }

    fn add(&mut self, what: &str, hold: Hold) {
        self.guards.push(Guard {
            what: what.to_owned(),
            hold,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_held_is_said_with_its_reason() {
        let mut confinement = Confinement::default();
        confinement.add("network", Hold::By("seccomp".into()));
        confinement.add("writing", Hold::Open("an old kernel".into()));
        let gaps: Vec<_> = confinement.gaps().collect();
        assert_eq!(gaps, [("writing", "an old kernel")]);
        assert_eq!(
            serde_json::to_string(&confinement.guards[1]).unwrap(),
            r#"{"what":"writing","open":"an old kernel"}"#
        );
    }
}
