//! Manners on a laptop: what to do while it runs on its battery, and the priority of work that nobody
//! waits for.

use std::path::Path;

/// What a watch does while the machine runs on its battery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBattery {
    /// Nothing, until it is plugged in again.
    Pause,
    /// Changes are gathered for half a minute, and files read one at a time.
    #[default]
    Slow,
    /// The same as ever.
    Run,
}

/// Where the machine's power comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Mains,
    Battery,
}

/// How work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Paused,
    Slow,
    Usual,
}

impl OnBattery {
    pub(crate) fn with(self, power: Power) -> Work {
        match (power, self) {
            (Power::Mains, _) | (_, Self::Run) => Work::Usual,
            (Power::Battery, Self::Slow) => Work::Slow,
            (Power::Battery, Self::Pause) => Work::Paused,
        }
    }
}

/// What a supply says of itself in `/sys/class/power_supply`
/// (`Documentation/ABI/testing/sysfs-class-power` of the kernel).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Supply {
    /// `Mains`, `USB`, `Battery`, `UPS`.
    kind: String,
    /// `1` where it gives power.
    online: String,
    /// Of a battery: `Discharging`, `Charging`, `Full`.
    status: String,
    /// `Device` for the battery of a mouse.
    scope: String,
}

impl Power {
    /// The power of this moment; mains where the machine does not say.
    pub(crate) fn now() -> Self {
        if cfg!(target_os = "macos") {
            let said = std::process::Command::new("/usr/bin/pmset")
                .args(["-g", "batt"])
                .output();
            return said.map_or(Self::Mains, |said| {
                Self::of_pmset(&String::from_utf8_lossy(&said.stdout))
            });
        }
        Self::of(&supplies(Path::new("/sys/class/power_supply")))
    }

    /// A machine runs on its battery where one is discharged and nothing else gives power.
    fn of(supplies: &[Supply]) -> Self {
        let own = || supplies.iter().filter(|supply| supply.scope != "Device");
        let is_fed = own().any(|supply| supply.kind != "Battery" && supply.online == "1");
        let drains = own().any(|supply| supply.kind == "Battery" && supply.status == "Discharging");
        if drains && !is_fed {
            Self::Battery
        } else {
            Self::Mains
        }
    }

    /// From the first line of `pmset -g batt`: `Now drawing from 'Battery Power'`.
    fn of_pmset(said: &str) -> Self {
        if said
            .lines()
            .next()
            .is_some_and(|line| line.contains("'Battery Power'"))
        {
            Self::Battery
        } else {
            Self::Mains
        }
    }
}

fn supplies(folder: &Path) -> Vec<Supply> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let supply = |entry: std::fs::DirEntry| {
        let read = |name: &str| {
            let text = std::fs::read_to_string(entry.path().join(name));
            text.unwrap_or_default().trim().to_owned()
        };
        Supply {
            kind: read("type"),
            online: read("online"),
            status: read("status"),
            scope: read("scope"),
        }
    };
    entries.map(supply).collect()
}

/// Gives way to all other work of this machine, with the workers that are started from now on.
pub fn give_way() {
    // Where it is refused the work is done all the same.
    #[cfg(unix)]
    let _ = rustix::process::nice(10);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(kind: &str, online: &str, status: &str) -> Supply {
        Supply {
            kind: kind.into(),
            online: online.into(),
            status: status.into(),
            scope: String::new(),
        }
    }

    #[test]
    fn a_laptop_is_on_its_battery_when_nothing_else_feeds_it() {
        let battery = |status: &str| supply("Battery", "", status);
        let mouse = Supply {
            scope: "Device".into(),
            ..battery("Discharging")
        };
        let on = |supplies: &[Supply]| Power::of(supplies);
        assert_eq!(on(&[]), Power::Mains);
        assert_eq!(on(std::slice::from_ref(&mouse)), Power::Mains);
        assert_eq!(
            on(&[supply("Mains", "1", ""), battery("Charging")]),
            Power::Mains
        );
        assert_eq!(
            on(&[supply("Mains", "0", ""), battery("Discharging")]),
            Power::Battery
        );
        // A weak charger: the battery is used as well.
        assert_eq!(
            on(&[supply("USB", "1", ""), battery("Discharging")]),
            Power::Mains
        );
    }

    #[test]
    fn what_the_machine_says_is_read_from_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let battery = dir.path().join("BAT0");
        std::fs::create_dir(&battery).unwrap();
        std::fs::write(battery.join("type"), "Battery\n").unwrap();
        std::fs::write(battery.join("status"), "Discharging\n").unwrap();
        assert_eq!(Power::of(&supplies(dir.path())), Power::Battery);
        assert_eq!(Power::of(&supplies(&dir.path().join("none"))), Power::Mains);
    }

    #[test]
    fn what_macos_prints_is_understood() {
        let said =
            "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t74%; discharging;\n";
        assert_eq!(Power::of_pmset(said), Power::Battery);
        assert_eq!(
            Power::of_pmset("Now drawing from 'AC Power'\n"),
            Power::Mains
        );
    }

    #[test]
    fn the_wish_counts_on_the_battery_only() {
        let wishes = [OnBattery::Pause, OnBattery::Slow, OnBattery::Run];
        let mains = wishes.map(|wish| wish.with(Power::Mains));
        assert_eq!(mains, [Work::Usual; 3]);
        let battery = wishes.map(|wish| wish.with(Power::Battery));
        assert_eq!(battery, [Work::Paused, Work::Slow, Work::Usual]);
    }
}
