//! When to look: hints go in, places that have come to rest come out. Pure: the time is passed in, as
//! the time since some beginning.
//!
//! A place at rest is one of which nothing was heard for a while. A file that is known to be open for
//! writing gets more time, since a copy over a slow line has pauses; one that never rests (a log) is
//! taken all the same, at growing intervals.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// More places than this are not told apart: one look at everything is cheaper.
const MOST_PLACES: usize = 4096;
/// The longest interval for a place that never rests is its patience times this power of two.
const MOST_DOUBLINGS: u32 = 5;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nothing heard of a place for so long: it is at rest.
    pub quiet: Duration,
    /// The same for a file that somebody still writes, as far as is known.
    pub writing: Duration,
    /// The longest that a place at rest waits for others to come to rest.
    pub longest: Duration,
    /// A place that does not come to rest is taken after so long; the next time after twice as long.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(250),
            writing: Duration::from_secs(2),
            longest: Duration::from_millis(1500),
            patience: Duration::from_secs(30),
        }
    }
}

impl Pace {
    /// For a machine that should save its power: changes are gathered for half a minute.
    #[must_use]
    pub fn slow() -> Self {
        Self {
            quiet: Duration::from_secs(15),
            writing: Duration::from_secs(20),
            longest: Duration::from_secs(30),
            patience: Duration::from_mins(5),
        }
    }
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Something has happened at this file or folder.
    Touched(PathBuf),
    /// This file was written to and is still open.
    Written(PathBuf),
    /// Events were lost: anything may have happened.
    Lost,
}

/// What is to be looked at now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    Everything,
    /// Sorted.
    Places(Vec<PathBuf>),
}

/// The places of which something was heard and that were not looked at yet.
#[derive(Debug)]
pub(crate) struct Debounce {
    pace: Pace,
    places: HashMap<PathBuf, Heard>,
    /// Anything may have happened.
    lost: Option<Heard>,
    /// How often a place was taken that had not come to rest.
    restless: HashMap<PathBuf, u32>,
    not_before: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    first: Duration,
    last: Duration,
    is_written: bool,
    doublings: u32,
}

impl Heard {
    fn at(now: Duration) -> Self {
        Self {
            first: now,
            last: now,
            is_written: false,
            doublings: 0,
        }
    }

    /// When it is, or was, time to look.
    fn ready_at(&self, pace: &Pace) -> Duration {
        let quiet = if self.is_written {
            pace.writing
        } else {
            pace.quiet
        };
        let patience = pace.patience * (1 << self.doublings);
        (self.last + quiet).min(self.first + patience)
    }

    /// Whether it is taken because of its age alone.
    fn is_restless(&self, pace: &Pace, now: Duration) -> bool {
        now < self.last + pace.quiet
    }
}

impl Debounce {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            places: HashMap::new(),
            lost: None,
            restless: HashMap::new(),
            not_before: Duration::ZERO,
        }
    }

    /// From now on things take so long.
    pub(crate) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Takes a hint. True where what is due may be due earlier than before.
    pub(crate) fn hear(&mut self, hint: Hint, now: Duration) -> bool {
        let (place, is_written) = match hint {
            Hint::Touched(place) => (place, false),
            Hint::Written(place) => (place, true),
            Hint::Lost => {
                self.lost.get_or_insert(Heard::at(now)).last = now;
                return true;
            }
        };
        let was_idle = self.is_idle();
        let doublings = self.restless.get(&place).copied().unwrap_or(0);
        let heard = self.places.entry(place).or_insert(Heard {
            doublings,
            ..Heard::at(now)
        });
        let is_closed = heard.is_written && !is_written;
        heard.last = now;
        heard.is_written = is_written;
        if self.places.len() > MOST_PLACES {
            let first = self.places.values().map(|heard| heard.first).min();
            self.places.clear();
            self.restless.clear();
            let lost = self.lost.get_or_insert(Heard::at(now));
            lost.first = lost.first.min(first.unwrap_or(now));
            lost.last = now;
        }
        was_idle || is_closed
    }

    /// Whether nothing waits to be looked at.
    pub(crate) fn is_idle(&self) -> bool {
        self.places.is_empty() && self.lost.is_none()
    }

    /// How many places wait; those that were not told apart count as one.
    pub(crate) fn pending(&self) -> usize {
        self.places.len() + usize::from(self.lost.is_some())
    }

    /// When something will be due if nothing more is heard.
    pub(crate) fn due_at(&self) -> Option<Duration> {
        let all = self.places.values().chain(&self.lost);
        let earliest = all.clone().map(|heard| heard.ready_at(&self.pace)).min()?;
        // Files that are being written hold up nobody.
        let others = all.filter(|heard| !heard.is_written);
        let all_at = others.map(|heard| heard.ready_at(&self.pace)).max();
        let at = all_at.unwrap_or_default().max(earliest);
        Some(at.min(earliest + self.pace.longest).max(self.not_before))
    }

    /// Takes out what is due.
    pub(crate) fn take(&mut self, now: Duration) -> Option<Due> {
        if self.due_at()? > now {
            return None;
        }
        let pace = self.pace;
        let is_ready = |heard: &Heard| heard.ready_at(&pace) <= now;
        let mut places: Vec<PathBuf> = Vec::new();
        let restless = &mut self.restless;
        self.places.retain(|place, heard| {
            if !is_ready(heard) {
                return true;
            }
            if heard.is_restless(&pace, now) {
                restless.insert(place.clone(), (heard.doublings + 1).min(MOST_DOUBLINGS));
            } else {
                restless.remove(place);
            }
            places.push(place.clone());
            false
        });
        if self.lost.as_ref().is_some_and(is_ready) {
            self.lost = None;
            return Some(Due::Everything);
        }
        places.sort();
        (!places.is_empty()).then_some(Due::Places(places))
    }

    /// Puts back what could not be looked at, to be due again after `delay`.
    pub(crate) fn put_back(&mut self, due: Due, now: Duration, delay: Duration) {
        let before = Heard::at(now.saturating_sub(self.pace.quiet));
        match due {
            Due::Everything => {
                self.lost.get_or_insert(before);
            }
            Due::Places(places) => {
                for place in places {
                    self.places.entry(place).or_insert(before);
                }
            }
        }
        self.not_before = now + delay;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn debounce() -> Debounce {
        Debounce::new(Pace {
            quiet: ms(100),
            writing: ms(1000),
            longest: ms(500),
            patience: ms(10_000),
        })
    }

    fn touched(name: &str) -> Hint {
        Hint::Touched(name.into())
    }

    fn written(name: &str) -> Hint {
        Hint::Written(name.into())
    }

    fn places(names: &[&str]) -> Option<Due> {
        let places: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        (!places.is_empty()).then_some(Due::Places(places))
    }

    #[test]
    fn a_place_is_due_once_it_is_quiet_and_only_once() {
        let mut debounce = debounce();
        assert_eq!(debounce.due_at(), None);
        debounce.hear(touched("a"), ms(0));
        debounce.hear(touched("a"), ms(60));
        assert_eq!(debounce.due_at(), Some(ms(160)));
        assert_eq!(debounce.take(ms(159)), None);
        assert_eq!(debounce.take(ms(160)), places(&["a"]));
        assert_eq!(debounce.take(ms(9999)), None);
        assert!(debounce.is_idle());
    }

    #[test]
    fn what_happens_together_is_looked_at_together() {
        let mut debounce = debounce();
        for (name, at) in [("a", 0), ("b", 80), ("c", 160), ("d", 240)] {
            debounce.hear(touched(name), ms(at));
            assert_eq!(debounce.take(ms(at)), None);
        }
        assert_eq!(debounce.take(ms(340)), places(&["a", "b", "c", "d"]));
    }

    #[test]
    fn a_storm_is_looked_at_in_parts() {
        let mut debounce = debounce();
        let mut looks = Vec::new();
        for n in 0..200 {
            debounce.hear(touched(&format!("{n:03}")), ms(n * 10));
            if let Some(Due::Places(places)) = debounce.take(ms(n * 10)) {
                looks.push(places.len());
            }
        }
        // After 100 ms of quiet the first is ready, and waits 500 ms for the others at most.
        assert_eq!(looks, [51, 51, 51]);
    }

    #[test]
    fn a_file_that_is_still_written_gets_more_time_and_holds_up_nobody() {
        let mut debounce = debounce();
        debounce.hear(written("copy"), ms(0));
        debounce.hear(touched("a"), ms(10));
        assert_eq!(debounce.take(ms(110)), places(&["a"]));
        debounce.hear(written("copy"), ms(900));
        assert_eq!(debounce.take(ms(1899)), None);
        assert_eq!(debounce.take(ms(1900)), places(&["copy"]));
        // Closed, it is due as soon as any other.
        debounce.hear(written("copy"), ms(2000));
        assert!(
            debounce.hear(touched("copy"), ms(2010)),
            "earlier than before"
        );
        assert_eq!(debounce.take(ms(2110)), places(&["copy"]));
    }

    #[test]
    fn a_log_that_never_rests_is_taken_at_growing_intervals() {
        let mut debounce = debounce();
        let mut taken = Vec::new();
        for n in 0..2000_u64 {
            debounce.hear(written("log"), ms(n * 50));
            if debounce.take(ms(n * 50)).is_some() {
                taken.push(n * 50);
            }
        }
        assert_eq!(taken, [10_000, 30_050, 70_100]);
        // Once it has come to rest it is a file like any other.
        let rest = 200_000;
        assert_eq!(debounce.take(ms(rest)), places(&["log"]));
        debounce.hear(touched("log"), ms(rest));
        debounce.take(ms(rest + 100));
        debounce.hear(written("log"), ms(rest + 200));
        for n in 0..250 {
            debounce.hear(written("log"), ms(rest + 200 + n * 50));
        }
        assert_eq!(debounce.take(ms(rest + 10_200 + 2500)), places(&["log"]));
    }

    #[test]
    fn lost_events_and_more_places_than_can_be_told_apart_mean_everything() {
        let mut debounce = debounce();
        debounce.hear(touched("a"), ms(0));
        debounce.hear(Hint::Lost, ms(50));
        assert_eq!(debounce.take(ms(150)), Some(Due::Everything));
        assert_eq!(debounce.take(ms(9999)), None, "`a` was a part of it");
        for n in 0..=MOST_PLACES {
            debounce.hear(touched(&n.to_string()), ms(10_000));
        }
        assert_eq!(debounce.pending(), 1);
        assert_eq!(debounce.take(ms(10_100)), Some(Due::Everything));
    }

    #[test]
    fn what_could_not_be_looked_at_is_due_again_later() {
        let mut debounce = debounce();
        debounce.hear(touched("a"), ms(0));
        let due = debounce.take(ms(100)).unwrap();
        debounce.put_back(due, ms(150), ms(1000));
        debounce.hear(touched("b"), ms(200));
        assert_eq!(debounce.due_at(), Some(ms(1150)));
        assert_eq!(debounce.take(ms(1150)), places(&["a", "b"]));
    }

    #[test]
    fn nothing_heard_is_ever_lost() {
        // Any order of hints and looks: each place is looked at after its last hint.
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut debounce = debounce();
        let mut unseen: HashMap<PathBuf, u64> = HashMap::new();
        let mut now = 0;
        for _ in 0..20_000 {
            now += random(120);
            let name = format!("{}", random(40));
            let hint = match random(20) {
                0 => Hint::Lost,
                1..5 => written(&name),
                _ => touched(&name),
            };
            if hint != Hint::Lost {
                unseen.insert(name.into(), now);
            }
            debounce.hear(hint, ms(now));
            match debounce.take(ms(now)) {
                Some(Due::Everything) => {
                    unseen.retain(|place, _| debounce.places.contains_key(place));
                }
                Some(Due::Places(places)) => {
                    for place in places {
                        unseen.remove(&place);
                    }
                }
                None => {}
            }
        }
        while let Some(at) = debounce.due_at() {
            match debounce.take(at).unwrap() {
                Due::Everything => unseen.retain(|place, _| debounce.places.contains_key(place)),
                Due::Places(places) => unseen.retain(|place, _| !places.contains(place)),
            }
        }
        assert_eq!(unseen, HashMap::new());
    }
}
