//! Reads the header of a GGUF file, every number of which may lie.
//!
//! Nothing is believed before it is compared with what the file can hold and with limits that no
//! real model comes near: a header never makes this allocate much more than its own bytes.
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use candle_core::Shape;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{TensorInfo, Value};

/// Bytes of a whole header. Those of vocabularies of 262,144 tokens have about 15 million.
const LARGEST: u64 = 256 << 20;
/// Bytes of one text; chat templates are the longest.
const LONGEST_TEXT: u64 = 4 << 20;
/// Values of all lists together: tokens, scores, kinds and merges.
const MOST_VALUES: u64 = 4 << 20;
const MOST_KEYS: u64 = 1 << 16;
/// The largest models have some thousands.
const MOST_TENSORS: u64 = 1 << 17;
const MOST_DIMENSIONS: u32 = 4;
/// Where tensors begin unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// What a file says of itself and its tensors.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: HashMap<String, Value>,
    pub(super) tensors: Vec<(String, TensorInfo)>,
    /// Where the bytes of the tensors begin, from the start of the file.
    pub(super) data_start: u64,
}

/// Why a header can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("it does not begin with `GGUF`")]
    NotGguf,
    #[error("its numbers are big-endian")]
    BigEndian,
    #[error("its format version {0} is not 1, 2 or 3")]
    Version(u32),
    #[error("it ends inside its header")]
    Ends,
    #[error("its header claims {claimed} {what}, and {limit} are the most that is read")]
    TooMuch {
        what: &'static str,
        claimed: u64,
        limit: u64,
    },
    #[error("its header has a value of the unknown type {0}")]
    ValueType(u32),
    #[error("its header has a list of lists")]
    Nested,
    #[error("its tensors are aligned to {0} bytes, which is no power of two")]
    Alignment(u64),
    #[error("it has two tensors `{0}`")]
    Twice(String),
    #[error("tensor `{tensor}` has the type {number}")]
    TensorType { tensor: String, number: u32 },
    #[error(transparent)]
    Read(#[from] std::io::Error),
}

type Result<T> = std::result::Result<T, Problem>;

impl Header {
    /// Reads from the start of a file of `length` bytes.
    pub(super) fn read(file: impl Read, length: u64) -> Result<Self> {
        let mut bytes = Bytes {
            file,
            position: 0,
            length,
            values: 0,
            lengths_are_long: true,
        };
        if bytes.take()? != *b"GGUF" {
            return Err(Problem::NotGguf);
        }
        match bytes.number()? {
            1 => bytes.lengths_are_long = false,
            2 | 3 => {}
            other if matches!(other.swap_bytes(), 1..=3) => return Err(Problem::BigEndian),
            other => return Err(Problem::Version(other)),
        }
        let tensor_count = bytes.count("tensors", MOST_TENSORS)?;
        let key_count = bytes.count("keys", MOST_KEYS)?;
        let mut metadata = HashMap::new();
        for _ in 0..key_count {
            let key = bytes.text()?;
            let kind = bytes.number()?;
            let value = bytes.value(kind)?;
            metadata.insert(key, value);
        }
        let mut tensors = Vec::new();
        let mut names = HashSet::new();
        for _ in 0..tensor_count {
            let (name, info) = bytes.tensor()?;
            if !names.insert(name.clone()) {
                return Err(Problem::Twice(name));
            }
            tensors.push((name, info));
        }
        let alignment = metadata
            .get("general.alignment")
            .and_then(super::whole)
            .map_or(ALIGNMENT, |n| n as u64);
        if !alignment.is_power_of_two() {
            return Err(Problem::Alignment(alignment));
        }
        Ok(Self {
            metadata,
            tensors,
            data_start: bytes
                .position
                .checked_next_multiple_of(alignment)
                .ok_or(Problem::Alignment(alignment))?,
        })
    }
}

/// The bytes of a header, counted.
struct Bytes<R> {
    file: R,
    position: u64,
    length: u64,
    /// List values read so far.
    values: u64,
    /// Version 1 writes lengths in 32 bits.
    lengths_are_long: bool,
}

impl<R: Read> Bytes<R> {
    /// Refuses to read `count` bytes more where they are not there or too many.
    fn allow(&mut self, count: u64) -> Result<()> {
        let end = self.position.saturating_add(count);
        if end > self.length {
            return Err(Problem::Ends);
        }
        if end > LARGEST {
            return Err(Problem::TooMuch {
                what: "bytes",
                claimed: end,
                limit: LARGEST,
            });
        }
        self.position = end;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.allow(N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn length(&mut self) -> Result<u64> {
        if self.lengths_are_long {
            self.take().map(u64::from_le_bytes)
        } else {
            self.number().map(u64::from)
        }
    }

    fn count(&mut self, what: &'static str, limit: u64) -> Result<u64> {
        let claimed = self.length()?;
        if claimed > limit {
            return Err(Problem::TooMuch {
                what,
                claimed,
                limit,
            });
        }
        Ok(claimed)
    }

    fn text(&mut self) -> Result<String> {
        let length = self.count("bytes of one text", LONGEST_TEXT)?;
        self.allow(length)?;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        // Some writers end their texts as C does; some tokens are no valid UTF-8.
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned()))
    }

    /// A value of a type as `enum gguf_metadata_value_type` numbers them.
    fn value(&mut self, kind: u32) -> Result<Value> {
        const LIST: u32 = 9;
        if kind != LIST {
            return self.single(kind);
        }
        let kind = self.number()?;
        if kind == LIST {
            return Err(Problem::Nested);
        }
        let count = self.count("values", MOST_VALUES - self.values)?;
        self.values += count;
        // Every value has at least a byte, so nothing is reserved for values that are not there.
        if count > self.length.saturating_sub(self.position) {
            return Err(Problem::Ends);
        }
        (0..count)
            .map(|_| self.single(kind))
            .collect::<Result<_>>()
            .map(Value::Array)
    }

    fn single(&mut self, kind: u32) -> Result<Value> {
        Ok(match kind {
            0 => Value::U8(u8::from_le_bytes(self.take()?)),
            1 => Value::I8(i8::from_le_bytes(self.take()?)),
            2 => Value::U16(u16::from_le_bytes(self.take()?)),
            3 => Value::I16(i16::from_le_bytes(self.take()?)),
            4 => Value::U32(u32::from_le_bytes(self.take()?)),
            5 => Value::I32(i32::from_le_bytes(self.take()?)),
            6 => Value::F32(f32::from_le_bytes(self.take()?)),
            7 => Value::Bool(self.take::<1>()? != [0]),
            8 => Value::String(self.text()?),
            10 => Value::U64(u64::from_le_bytes(self.take()?)),
            11 => Value::I64(i64::from_le_bytes(self.take()?)),
            12 => Value::F64(f64::from_le_bytes(self.take()?)),
            other => return Err(Problem::ValueType(other)),
        })
    }

    fn tensor(&mut self) -> Result<(String, TensorInfo)> {
        let name = self.text()?;
        let count = self.number()?;
        if count > MOST_DIMENSIONS {
            return Err(Problem::TooMuch {
                what: "dimensions of one tensor",
                claimed: count.into(),
                limit: MOST_DIMENSIONS.into(),
            });
        }
        // The file gives the shortest stride first.
        let mut dims = (0..count)
            .map(|_| {
                self.length()
                    .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
            })
            .collect::<Result<Vec<_>>>()?;
        dims.reverse();
        let number = self.number()?;
        let offset = self.take().map(u64::from_le_bytes)?;
        match type_of(number) {
            Some(ggml_dtype) => {
                let shape = Shape::from(dims);
                let info = TensorInfo {
                    ggml_dtype,
                    shape,
                    offset,
                };
                Ok((name, info))
            }
            None => Err(Problem::TensorType {
                tensor: name,
                number,
            }),
        }
    }
}

/// The types that are computed with, by their numbers (`enum ggml_type` in ggml.h).
fn type_of(number: u32) -> Option<GgmlDType> {
    Some(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        9 => GgmlDType::Q8_1,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        15 => GgmlDType::Q8K,
        30 => GgmlDType::BF16,
        _ => return None,
    })
}

/// Names of the types that are not computed with.
pub(super) fn type_name(number: u32) -> String {
    const NAMES: &[(u32, &str)] = &[
        (16, "IQ2_XXS"),
        (17, "IQ2_XS"),
        (18, "IQ3_XXS"),
        (19, "IQ1_S"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (22, "IQ2_S"),
        (23, "IQ4_XS"),
        (24, "I8"),
        (25, "I16"),
        (26, "I32"),
        (27, "I64"),
        (28, "F64"),
        (29, "IQ1_M"),
        (34, "TQ1_0"),
        (35, "TQ2_0"),
        (39, "MXFP4"),
    ];
    NAMES.iter().find(|(n, _)| *n == number).map_or_else(
        || format!("number {number}"),
        |(_, name)| (*name).to_owned(),
    )
}
