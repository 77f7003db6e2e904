//! A GGUF file: what the model is, checked before its gigabytes are read, and its tensors.
//!
//! [`header`] reads what can't be trusted; here it becomes a model, which may lie in several files
//! (`-00001-of-00003`). Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod header;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{TensorInfo, Value};
use candle_core::quantized::{GgmlDType, QTensor};

use self::header::{Header, Problem};
use crate::decoder::Shape;
use crate::fault::{Fault, OfModel, Result};
use crate::vocabulary::VocabularyKind;

/// What a GGUF file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCard {
    /// `llama`, `qwen3`, `gemma3`, …
    pub architecture: String,
    /// The file's own name for the model.
    pub name: Option<String>,
    /// Number of weights.
    pub parameters: u64,
    /// Tensor types (`Q4K`, `Q6K`, …) with the number of weights in each, most first.
    pub types: Vec<(String, u64)>,
    /// Longest prompt and answer together, in tokens.
    pub context_tokens: usize,
    /// The rules by which text becomes tokens: `sentencepiece`, or how text is split before pairs of
    /// its bytes are merged (`llama-bpe`, `qwen2`, …).
    pub vocabulary: String,
    pub vocabulary_size: usize,
    pub has_template: bool,
}

/// Reads the header of the GGUF file at `path`.
///
/// # Errors
/// `ModelMissing`, `Io`; `ModelInvalid` for what [`crate::GgufGenerator`] could not run: another
/// architecture, tensor type or vocabulary (each by its name), or a file that is cut short.
pub fn inspect(path: &Path) -> rag_core::Result<ModelCard> {
    let gguf = Gguf::open(path)?;
    let shape = Shape::read(&gguf)?;
    let vocabulary = VocabularyKind::read(&gguf)?;
    let mut by_type: BTreeMap<String, u64> = BTreeMap::new();
    for place in gguf.tensors.values() {
        let name = format!("{:?}", place.info.ggml_dtype);
        *by_type.entry(name).or_default() += place.info.shape.elem_count() as u64;
    }
    let mut types: Vec<_> = by_type.into_iter().collect();
    types.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(ModelCard {
        architecture: shape.architecture.name.to_owned(),
        name: gguf.text("general.name").map(str::to_owned),
        parameters: types.iter().map(|(_, count)| count).sum(),
        types,
        context_tokens: shape.context,
        vocabulary: vocabulary.name().to_owned(),
        vocabulary_size: shape.vocabulary,
        has_template: gguf.text("tokenizer.chat_template").is_some(),
    })
}

/// Where a tensor lies.
#[derive(Debug)]
struct Place {
    info: TensorInfo,
    /// Number of its file, from 0.
    part: usize,
}

/// One file of a model.
#[derive(Debug)]
struct Part {
    file: BufReader<File>,
    data_start: u64,
}

/// An open model whose tensors are all there.
#[derive(Debug)]
pub(crate) struct Gguf {
    path: PathBuf,
    parts: Vec<Part>,
    metadata: HashMap<String, Value>,
    tensors: HashMap<String, Place>,
}

impl Gguf {
    /// Reads the header, and those of the files that belong to it, and checks that every tensor lies
    /// inside its file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut gguf = Self {
            path: path.to_owned(),
            parts: Vec::new(),
            metadata: HashMap::new(),
            tensors: HashMap::new(),
        };
        gguf.metadata = gguf.add(path)?;
        if let Some(count) = gguf.number("split.count").filter(|count| *count > 1) {
            gguf.add_others(path, count)?;
        }
        if gguf.tensors.is_empty() {
            return Err(gguf.unsound("it has no tensors"));
        }
        Ok(gguf)
    }

    /// Adds the tensors of the file at `path` and gives its metadata.
    fn add(&mut self, path: &Path) -> Result<HashMap<String, Value>> {
        let read = |source| Fault::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let mut file = BufReader::new(file);
        let header =
            Header::read(&mut file, length).map_err(|problem| unreadable(path, problem))?;
        check_complete(path, &header, length)?;
        let part = self.parts.len();
        for (name, info) in header.tensors {
            if self.tensors.contains_key(&name) {
                return Err(unreadable(path, Problem::Twice(name)));
            }
            self.tensors.insert(name, Place { info, part });
        }
        self.parts.push(Part {
            file,
            data_start: header.data_start,
        });
        Ok(header.metadata)
    }

    /// Adds the other files of a model that is split into `count`.
    fn add_others(&mut self, path: &Path, count: usize) -> Result<()> {
        if self.number("split.no").unwrap_or(0) != 0 {
            return Err(self.unsound(format!(
                "it is not the first of its {count} files; name the one that ends in `-00001-of-{count:05}.gguf`"
            )));
        }
        let name = self.label();
        let stem = name.strip_suffix(&format!("-00001-of-{count:05}.gguf"));
        let Some(stem) = stem.filter(|_| count < 100_000) else {
            return Err(self.unsound(format!(
                "it is one of {count} files, and its name does not end in `-00001-of-{count:05}.gguf`, so that the others can't be found"
            )));
        };
        for number in 2..=count {
            let other = path.with_file_name(format!("{stem}-{number:05}-of-{count:05}.gguf"));
            let metadata = self.add(&other)?;
            let own = metadata.get("split.no").and_then(whole);
            if own.is_some_and(|own| own != number - 1) {
                return Err(self.unsound(format!("`{}` is not its file {number}", other.display())));
            }
        }
        if let Some(claimed) = self.number("split.tensors.count")
            && claimed != self.tensors.len()
        {
            return Err(self.unsound(format!(
                "its files have {} tensors together and should have {claimed}",
                self.tensors.len()
            )));
        }
        Ok(())
    }

    /// The file's name, for messages.
    pub(crate) fn label(&self) -> String {
        self.path.file_name().map_or_else(
            || self.path.display().to_string(),
            |n| n.to_string_lossy().into(),
        )
    }

    pub(crate) fn unsound(&self, problem: impl Into<String>) -> Fault {
        Fault::Unsound {
            model: self.label(),
            problem: problem.into(),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.metadata.contains_key(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number of any width.
    pub(crate) fn number(&self, key: &str) -> Option<usize> {
        whole(self.metadata.get(key)?)
    }

    pub(crate) fn required_number(&self, key: &str) -> Result<usize> {
        self.number(key)
            .ok_or_else(|| self.unsound(format!("`{key}` is missing or not a number")))
    }

    pub(crate) fn float(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key)? {
            Value::F32(x) => Some(f64::from(*x)),
            Value::F64(x) => Some(*x),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.metadata.get(key)?.to_bool().ok()
    }

    pub(crate) fn array(&self, key: &str) -> Result<&[Value]> {
        match self.metadata.get(key) {
            Some(Value::Array(values)) => Ok(values),
            _ => Err(self.unsound(format!("`{key}` is missing or not a list"))),
        }
    }

    /// Names of all tensors, in no order.
    pub(crate) fn tensor_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The dimensions of a tensor, rows first.
    pub(crate) fn dims(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.info.shape.dims())
    }

    /// The type of a tensor's weights.
    pub(crate) fn kind(&self, name: &str) -> Option<GgmlDType> {
        self.tensors.get(name).map(|place| place.info.ggml_dtype)
    }

    /// Reads bytes of a tensor from number `from` on.
    pub(crate) fn read_bytes(&mut self, name: &str, from: u64, out: &mut [u8]) -> Result<()> {
        let missing = self.unsound(format!("tensor `{name}` is missing"));
        let Some(place) = self.tensors.get(name) else {
            return Err(missing);
        };
        let part = &mut self.parts[place.part];
        let at = part.data_start + place.info.offset + from;
        part.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| part.file.read_exact(out))
            .map_err(|source| Fault::Read {
                path: self.path.clone(),
                source,
            })
    }

    /// Reads one tensor's bytes.
    pub(crate) fn tensor(
        &mut self,
        name: &str,
        device: &candle_core::Device,
    ) -> Result<Option<QTensor>> {
        let label = self.label();
        let Some(place) = self.tensors.get(name) else {
            return Ok(None);
        };
        let part = &mut self.parts[place.part];
        let tensor = place.info.read(&mut part.file, part.data_start, device);
        tensor.map(Some).of(&label)
    }

    /// Reads a tensor of two dimensions, or matrix number `n` of one of three.
    pub(crate) fn matrix(
        &mut self,
        name: &str,
        n: usize,
        device: &candle_core::Device,
    ) -> Result<Option<QTensor>> {
        let label = self.label();
        let Some(place) = self.tensors.get(name) else {
            return Ok(None);
        };
        let part = &mut self.parts[place.part];
        let TensorInfo {
            ggml_dtype,
            ref shape,
            offset,
        } = place.info;
        let [.., rows, columns] = *shape.dims() else {
            return Ok(None);
        };
        let bytes = size_in_bytes(&[rows, columns], ggml_dtype).unwrap_or(0);
        let one = TensorInfo {
            ggml_dtype,
            shape: (rows, columns).into(),
            offset: offset + n as u64 * bytes,
        };
        let tensor = one.read(&mut part.file, part.data_start, device);
        tensor.map(Some).of(&label)
    }
}

fn check_complete(path: &Path, header: &Header, length: u64) -> Result<()> {
    let mut missing: Option<(u64, &str)> = None;
    let mut end_of_all = 0;
    for (name, info) in &header.tensors {
        let Some(bytes) = size_in_bytes(info.shape.dims(), info.ggml_dtype) else {
            return Err(Fault::Unsound {
                model: path.display().to_string(),
                problem: format!("tensor `{name}` has impossible dimensions"),
            });
        };
        let start = header.data_start.saturating_add(info.offset);
        let end = start.saturating_add(bytes);
        end_of_all = end_of_all.max(end);
        if end > length && missing.is_none_or(|(first, _)| start < first) {
            missing = Some((start, name));
        }
    }
    missing.map_or(Ok(()), |(_, tensor)| {
        Err(Fault::CutShort {
            path: path.to_owned(),
            tensor: tensor.to_owned(),
            missing: end_of_all - length,
        })
    })
}

/// A metadata value as a count; none for a negative number or anything else.
pub(crate) fn whole(value: &Value) -> Option<usize> {
    match *value {
        Value::U8(x) => Some(x.into()),
        Value::U16(x) => Some(x.into()),
        Value::U32(x) => usize::try_from(x).ok(),
        Value::U64(x) => usize::try_from(x).ok(),
        Value::I8(x) => usize::try_from(x).ok(),
        Value::I16(x) => usize::try_from(x).ok(),
        Value::I32(x) => usize::try_from(x).ok(),
        Value::I64(x) => usize::try_from(x).ok(),
        _ => None,
    }
}

/// Bytes of a tensor; none where the dimensions overflow or rows don't fill whole blocks.
fn size_in_bytes(dims: &[usize], kind: GgmlDType) -> Option<u64> {
    let weights = dims
        .iter()
        .try_fold(1_usize, |n, dim| n.checked_mul(*dim))?;
    let row = *dims.last()?;
    if weights == 0 || !row.is_multiple_of(kind.block_size()) {
        return None;
    }
    (weights / kind.block_size())
        .checked_mul(kind.type_size())
        .map(|bytes| bytes as u64)
}

fn unreadable(path: &Path, problem: Problem) -> Fault {
    match problem {
        Problem::TensorType { number, .. } => Fault::Unsupported {
            model: path.display().to_string(),
            what: "tensor type",
            found: header::type_name(number),
            known: "Q4_K, Q6_K, Q8_0, Q5_K, Q2_K, Q3_K, Q4_0, Q4_1, Q5_0, Q5_1, F32, F16, BF16"
                .to_owned(),
        },
        problem => Fault::Format {
            path: path.to_owned(),
            format: "GGUF",
            source: Box::new(problem),
        },
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use rag_core::{Code, Error};

    use super::*;
    use crate::testing::{TinyModel, file_of};

    fn refusal(model: &TinyModel) -> Error {
        let (_folder, path) = model.file();
        inspect(&path).unwrap_err()
    }

    #[test]
    fn a_card_says_what_the_file_says() {
        let (_folder, path) = TinyModel::new("qwen2").file();
        let card = inspect(&path).unwrap();
        assert_eq!(card.architecture, "qwen2");
        assert_eq!(card.name.as_deref(), Some("Tiny"));
        assert_eq!(card.context_tokens, 512);
        assert_eq!(card.vocabulary, "smollm");
        assert_eq!(card.vocabulary_size, 261);
        assert_eq!(card.types, [("F32".to_owned(), card.parameters)]);
        assert!(card.has_template);
    }

    #[test]
    fn an_unknown_architecture_is_refused_by_name() {
        let named = Value::String("mamba".into());
        let error = refusal(&TinyModel::new("llama").with("general.architecture", named));
        assert_eq!(error.code, Code::ModelInvalid);
        assert_eq!(
            error.fact,
            "the architecture `mamba` of `tiny.gguf` is not supported"
        );
        assert!(error.hint.unwrap().contains("llama, qwen2, qwen3"));
    }

    #[test]
    fn experts_and_unknown_position_scalings_are_refused_by_name() {
        let experts = TinyModel::new("llama").with("llama.expert_count", Value::U32(8));
        assert!(refusal(&experts).fact.contains("`llama with experts`"));
        let other = Value::String("dynamic".into());
        let other = TinyModel::new("llama").with("llama.rope.scaling.type", other);
        assert!(refusal(&other).fact.contains("position scaling `dynamic`"));
    }

    #[test]
    fn a_tensor_that_is_missing_misshapen_or_unknown_is_refused_by_name() {
        let missing = TinyModel::new("llama").without_tensor("blk.1.ffn_up.weight");
        assert!(refusal(&missing).fact.contains("`blk.1.ffn_up.weight`"));
        let small = Tensor::zeros((4, 32), DType::F32, &Device::Cpu).unwrap();
        let misshapen =
            TinyModel::new("llama").with_tensor("blk.0.attn_q.weight", &small, GgmlDType::F32);
        assert!(refusal(&misshapen).fact.contains("`blk.0.attn_q.weight`"));
        let unknown = TinyModel::new("llama").with_tensor("blk.0.sinks", &small, GgmlDType::F32);
        let said = refusal(&unknown).fact;
        assert!(said.contains("tensor `blk.0.sinks`"), "{said}");
    }

    #[test]
    fn an_unknown_tensor_type_is_refused_by_name() {
        let model = TinyModel::new("llama");
        let mut bytes = model.bytes();
        let name = b"blk.1.ffn_up.weight";
        let at = bytes
            .windows(name.len())
            .position(|window| window == name)
            .unwrap();
        let kind = at + name.len() + 4 + 2 * 8; // after the number of dimensions and both of them
        assert_eq!(bytes[kind..kind + 4], [0; 4]);
        bytes[kind] = 23;
        let (_folder, path) = file_of(&bytes);
        let error = inspect(&path).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        assert!(error.fact.contains("tensor type `IQ4_XS`"), "{error}");
    }

    #[test]
    fn a_file_that_is_cut_short_is_refused_with_what_is_missing() {
        let bytes = TinyModel::new("llama").bytes();
        let (_folder, path) = file_of(&bytes[..bytes.len() - 1000]);
        let error = inspect(&path).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        // The last tensor has 48 × 32 floats.
        assert!(error.fact.contains("1000 bytes are missing"), "{error}");
        assert!(error.fact.contains("`blk.1.ffn_down.weight`"), "{error}");
        let (_folder, path) = file_of(&bytes[..200]);
        assert_eq!(inspect(&path).unwrap_err().code, Code::ModelInvalid);
    }

    #[test]
    fn a_file_that_is_something_else_or_not_there_is_refused() {
        let (folder, path) = file_of(b"PK\x03\x04 this is no model");
        assert_eq!(inspect(&path).unwrap_err().code, Code::ModelInvalid);
        let error = inspect(&folder.path().join("none.gguf")).unwrap_err();
        assert_eq!(error.code, Code::ModelMissing);
    }

    #[test]
    fn a_header_that_claims_more_than_memory_holds_is_refused() {
        for (key, value) in [
            ("llama.block_count", u32::MAX),
            ("llama.embedding_length", u32::MAX),
            ("llama.attention.head_count", 0),
            ("llama.attention.head_count_kv", 3),
        ] {
            let model = TinyModel::new("llama").with(key, Value::U32(value));
            assert_eq!(refusal(&model).code, Code::ModelInvalid, "{key}");
        }
    }
}
