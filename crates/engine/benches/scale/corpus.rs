//! A made-up corpus of any size, the same on every machine: texts in English and Chinese, with unit
//! vectors that lie as those of all-MiniLM-L6-v2 do.
//!
//! Words follow Zipf's law, a third of them from the vocabulary of the source's subject. A vector is a
//! weighted sum of directions of the subject, the source, the section and the chunk itself; the weights
//! were chosen so that neighbours are as near as those of 821 chunks of Wikipedia (README.md of `benches`
//! has both columns). What it can't show is whether an answer is found: vectors know nothing of texts.
#![allow(clippy::cast_sign_loss, reason = "shares of numbers above 0")]

/// Length of a vector.
pub(crate) const DIMENSIONS: usize = 384;

/// Shares of a vector's squared length.
const SUBJECT: f32 = 0.10;
const SOURCE: f32 = 0.32;
const SECTION: f32 = 0.24;
/// Directions from which the others are mixed; the first are taken more often, so that a few hundred of
/// them hold most of the variance.
const ATOMS: usize = 1024;
const MIXED: usize = 16;
const SUBJECTS: u64 = 500;
/// A section's chunks at most.
const SECTION_CHUNKS: u64 = 6;
/// The share of a query's squared length that is its chunk's: questions and their passages
/// have a cosine of about 0.63.
const ASKED: f32 = 0.4;

/// What texts are made of.
const ENGLISH_WORDS: u64 = 60_000;
const CHINESE_WORDS: u64 = 20_000;
const SUBJECT_WORDS: u64 = 300;
const SYLLABLES: [&str; 40] = [
    "ar", "be", "cor", "da", "el", "fin", "gra", "hol", "in", "jo", "ka", "lum", "mer", "nor",
    "os", "pel", "qui", "ra", "sto", "tan", "ul", "ver", "wen", "xi", "yar", "zon", "bri", "cha",
    "dro", "fle", "gen", "hem", "kin", "lor", "mi", "pra", "ser", "tri", "vo", "wy",
];
const STOP_WORDS: [&str; 24] = [
    "the", "of", "and", "to", "in", "a", "is", "was", "for", "that", "on", "as", "with", "by",
    "at", "from", "it", "were", "which", "are", "this", "be", "had", "or",
];

/// A chunk as it is made up.
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) section: u64,
    pub(crate) tokens: u32,
    pub(crate) vector: Vec<f32>,
}

/// A question with the vector an embedder might give it.
pub(crate) struct Asked {
    pub(crate) text: String,
    pub(crate) vector: Vec<f32>,
}

/// The corpus; sources are made one by one as they are asked for.
pub(crate) struct Corpus {
    atoms: Vec<[f32; DIMENSIONS]>,
    /// Mean length of a chunk, in words.
    words: u64,
}

impl Corpus {
    pub(crate) fn new(words: u64) -> Self {
        let atoms = (0..ATOMS as u64)
            .map(|at| {
                let mut random = Random::of(&[1, at]);
                let mut atom = [0.0; DIMENSIONS];
                atom.fill_with(|| random.normal());
                atom
            })
            .collect();
        Self { atoms, words }
    }

    /// Chunks of the source with this number: between 1 and about 120, 20 in the mean.
    pub(crate) fn chunks_of(source: u64) -> u64 {
        let share = Random::of(&[2, source]).unit();
        (1.0 + 120.0 * share.powi(5)) as u64
    }

    pub(crate) fn is_chinese(source: u64) -> bool {
        Random::of(&[3, source]).below(10) < 3
    }

    pub(crate) fn source(&self, source: u64) -> Vec<Draft> {
        let mut section = 0;
        let mut left = 0;
        (0..Self::chunks_of(source))
            .map(|chunk| {
                let mut random = Random::of(&[4, source, chunk]);
                if left == 0 {
                    section += 1;
                    left = 1 + random.below(SECTION_CHUNKS);
                }
                left -= 1;
                let (text, tokens) = self.text(source, &mut random);
                Draft {
                    text,
                    section,
                    tokens,
                    vector: self.vector(source, section, chunk),
                }
            })
            .collect()
    }

    /// A question to one of `sources` sources.
    pub(crate) fn question(&self, number: u64, sources: u64) -> Asked {
        let mut random = Random::of(&[5, number]);
        let source = random.below(sources);
        let drafts = self.source(source);
        let draft = &drafts[random.below(drafts.len() as u64) as usize];
        let mut vector = vec![0.0; DIMENSIONS];
        add(&mut vector, &draft.vector, ASKED.sqrt());
        let own = self.direction(&[5, number]);
        add(&mut vector, &own, (1.0 - ASKED).sqrt());
        let text = if Self::is_chinese(source) {
            let letters: Vec<char> = draft.text.chars().filter(|c| c.is_alphabetic()).collect();
            let from = random.below(letters.len().saturating_sub(8).max(1) as u64) as usize;
            let topic: String = letters.iter().skip(from).take(8).collect();
            format!("{topic}是什么？")
        } else {
            let words = draft.text.split([' ', '.']).filter(|word| word.len() > 4);
            let words: Vec<&str> = words.collect();
            let mut word = || words.get(random.below(words.len().max(1) as u64) as usize);
            let picked: Vec<&str> = (0..5).filter_map(|_| word().copied()).collect();
            format!(
                "what is the {} of the {}?",
                picked[..2.min(picked.len())].join(" "),
                picked[2.min(picked.len())..].join(" ")
            )
        };
        Asked {
            text,
            vector: unit(vector),
        }
    }

    fn vector(&self, source: u64, section: u64, chunk: u64) -> Vec<f32> {
        // Sources and chunks differ in how near they keep to their subject.
        let mut random = Random::of(&[6, source, chunk]);
        let keeps = 0.5 + random.unit();
        let mut vector = vec![0.0; DIMENSIONS];
        let subject = Random::of(&[6, source]).below(SUBJECTS);
        let shared = [
            (SUBJECT, self.direction(&[7, subject])),
            (SOURCE * keeps, self.direction(&[8, source])),
            (SECTION * keeps, self.direction(&[9, source, section])),
        ];
        let mut own = 1.0;
        for (share, direction) in &shared {
            add(&mut vector, direction, share.sqrt());
            own -= share;
        }
        let direction = self.direction(&[10, source, chunk]);
        add(&mut vector, &direction, own.max(0.05).sqrt());
        unit(vector)
    }

    /// A unit vector that follows from `seed`.
    fn direction(&self, seed: &[u64]) -> Vec<f32> {
        let mut random = Random::of(seed);
        let mut vector = vec![0.0; DIMENSIONS];
        for _ in 0..MIXED {
            let place = random.unit().powf(2.5) * ATOMS as f32;
            add(&mut vector, &self.atoms[place as usize], random.normal());
        }
        unit(vector)
    }

    fn text(&self, source: u64, random: &mut Random) -> (String, u32) {
        let subject = Random::of(&[6, source]).below(SUBJECTS);
        let words = self.words / 2 + random.below(self.words);
        let chinese = Self::is_chinese(source);
        let mut text = String::new();
        let mut sentence = 0;
        for at in 0..words {
            let of_subject = random.below(3) == 0;
            let rank = if of_subject {
                random.zipf(SUBJECT_WORDS)
            } else {
                random.zipf(if chinese {
                    CHINESE_WORDS
                } else {
                    ENGLISH_WORDS
                })
            };
            let seed = if of_subject {
                &[11, subject, rank][..]
            } else {
                &[12, rank]
            };
            if chinese {
                chinese_word(&mut text, seed);
            } else if !of_subject && rank < STOP_WORDS.len() as u64 {
                text.push_str(STOP_WORDS[rank as usize]);
            } else {
                english_word(&mut text, seed);
            }
            sentence += 1;
            let ends = sentence > 6 && random.below(12) == 0 || at + 1 == words;
            if ends {
                sentence = 0;
            }
            text.push_str(match (ends, chinese) {
                (true, true) => "。",
                (true, false) => ". ",
                (false, true) => "",
                (false, false) => " ",
            });
        }
        let text = text.trim_end().to_owned();
        let tokens = if chinese { words * 2 } else { words * 4 / 3 };
        (text, tokens as u32)
    }
}

fn english_word(text: &mut String, seed: &[u64]) {
    let mut random = Random::of(seed);
    for _ in 0..=1 + random.below(3) {
        text.push_str(SYLLABLES[random.below(SYLLABLES.len() as u64) as usize]);
    }
}

fn chinese_word(text: &mut String, seed: &[u64]) {
    let mut random = Random::of(seed);
    for _ in 0..=random.below(5).min(1) {
        // The common characters are spread over the whole block.
        let place = random.zipf(3500) * 5;
        text.extend(char::from_u32(0x4E00 + place as u32));
    }
}

fn add(sum: &mut [f32], vector: &[f32], weight: f32) {
    for (sum, x) in sum.iter_mut().zip(vector) {
        *sum += weight * x;
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut vector {
        *x /= length;
    }
    vector
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn of(seed: &[u64]) -> Self {
        let mut random = Self(0x5ca1_ab1e);
        for part in seed {
            random.0 = random.next() ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Mean 0, variance 1, nearly normal: the sum of twelve even ones.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }

    /// A rank below `end`, each as likely as its inverse.
    fn zipf(&mut self, end: u64) -> u64 {
        ((end as f32).powf(self.unit()) as u64 - 1).min(end - 1)
    }
}
