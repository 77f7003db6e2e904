//! The small words of English questions. Tables; those of names and things are in the documents.

/// Verbs that a whole question has one of.
pub(super) const VERBS: [&str; 27] = [
    "is", "are", "was", "were", "be", "been", "do", "does", "did", "has", "have", "had", "can",
    "could", "will", "would", "should", "may", "might", "must", "shall", "isn't", "doesn't",
    "didn't", "wasn't", "can't", "aren't",
];

/// Words that begin a question, and commands that stand for one.
pub(super) const ASKING: [&str; 20] = [
    "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "since", "until",
    "name", "list", "give", "show", "tell", "explain", "describe", "compare", "find",
];

/// Beginnings that say the question goes on; longest first.
pub(super) const GOES_ON: [&str; 12] = [
    "and what about",
    "and how about",
    "but what about",
    "what about",
    "how about",
    "what of",
    "and",
    "but",
    "or",
    "also",
    "then",
    "so",
];

pub(super) const PREPOSITIONS: [&str; 18] = [
    "for", "in", "on", "at", "to", "from", "with", "by", "of", "about", "after", "before",
    "during", "without", "into", "under", "over", "per",
];

/// Words of a fragment that say nothing of what is asked.
pub(super) const FILLERS: [&str; 16] = [
    "then", "too", "as", "well", "instead", "please", "else", "many", "much", "long", "exactly",
    "again", "now", "often", "though", "there",
];

pub(super) const TIMES: [&str; 12] = [
    "year", "month", "week", "day", "morning", "evening", "night", "time", "summer", "winter",
    "season", "quarter",
];

/// Times that are told from another one: "And the year before?"
pub(super) const RELATIVE: [&str; 12] = [
    "before",
    "after",
    "last",
    "previous",
    "next",
    "earlier",
    "later",
    "following",
    "prior",
    "ago",
    "afterwards",
    "since",
];

/// Verbs that end a question and look like no other: "Where are the jackets kept?"
pub(super) const PARTICIPLES: [&str; 20] = [
    "kept", "built", "sold", "paid", "held", "made", "found", "lit", "known", "given", "taken",
    "done", "sent", "set", "written", "shown", "put", "cost", "run", "begun",
];

pub(super) const MONTHS: [&str; 19] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// What follows an "it" that stands for nothing.
pub(super) const EMPTY_IT: [&str; 10] = [
    "true",
    "possible",
    "allowed",
    "necessary",
    "important",
    "permitted",
    "safe",
    "correct",
    "forbidden",
    "rain",
];
