//! The tensors of a checkpoint by their names, read one at a time.
//!
//! A safetensors file (<https://github.com/huggingface/safetensors#format>) is read here, so that a
//! large model never lies in memory twice; a `PyTorch` archive by candle, which knows tensors only and
//! runs no code.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::table::{Rows, Table, numbers};
use crate::fault::{Fault, OfModel, Result};
use crate::kernels::LayerNorm;

/// Longest header that is read, in bytes; the format's own limit.
const HEADER: u64 = 100 << 20;

/// An open checkpoint.
pub(crate) struct Tensors {
    /// For messages.
    model: String,
    /// What stands before every name of the encoder.
    prefix: &'static str,
    device: Device,
    source: Source,
}

enum Source {
    Safetensors {
        path: PathBuf,
        file: File,
        held: HashMap<String, Held>,
    },
    PyTorch(PthTensors),
    #[cfg(test)]
    Memory(HashMap<String, Tensor>),
}

/// Where a tensor lies in a safetensors file.
struct Held {
    kind: DType,
    shape: Vec<usize>,
    /// From the beginning of the file.
    start: u64,
    bytes: usize,
}

/// A tensor in the header of a safetensors file.
#[derive(Deserialize)]
struct Listed {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// A linear map.
#[derive(Debug)]
pub(crate) struct Linear {
    /// Outputs × inputs.
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

impl Tensors {
    /// Opens `path` and reads what is in it, but no numbers.
    pub(crate) fn open(path: &Path, model: &str, device: &Device) -> Result<Self> {
        let archive = path.extension().is_some_and(|e| e == "bin" || e == "pt");
        let source = if archive {
            Source::PyTorch(archive_of(path)?)
        } else {
            let (file, held) = safetensors(path)?;
            Source::Safetensors {
                path: path.to_owned(),
                file,
                held,
            }
        };
        Ok(Self {
            model: model.to_owned(),
            prefix: "",
            device: device.clone(),
            source,
        })
    }

    #[cfg(test)]
    pub(crate) fn of(tensors: &HashMap<String, Tensor>) -> Self {
        Self {
            model: "tiny".to_owned(),
            prefix: "",
            device: Device::Cpu,
            source: Source::Memory(tensors.clone()),
        }
    }

    /// The name of the model, for messages.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Finds what stands before the names of an encoder: the first of `prefixes` with which `probe`
    /// is there. Models with a head have it, bare encoders often don't.
    pub(crate) fn find_prefix(&mut self, prefixes: &[&'static str], probe: &str) {
        self.prefix = prefixes
            .iter()
            .find(|prefix| self.has(&format!("{prefix}{probe}")))
            .copied()
            .unwrap_or_default();
    }

    fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Safetensors { held, .. } => held.contains_key(name),
            Source::PyTorch(tensors) => tensors.tensor_infos().contains_key(name),
            #[cfg(test)]
            Source::Memory(tensors) => tensors.contains_key(name),
        }
    }

    /// A tensor of the encoder as floats.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor> {
        self.outer(&format!("{}{name}", self.prefix))
    }

    /// A tensor by its whole name: one outside the encoder.
    pub(crate) fn outer(&self, name: &str) -> Result<Tensor> {
        let tensor = match &self.source {
            Source::Safetensors { file, held, .. } => held
                .get(name)
                .map(|held| held.read(file).of(&self.model))
                .transpose()?,
            Source::PyTorch(tensors) => tensors.get(name).of(&self.model)?,
            #[cfg(test)]
            Source::Memory(tensors) => tensors.get(name).cloned(),
        };
        let tensor = tensor.ok_or_else(|| self.unsound(format!("tensor `{name}` is missing")))?;
        let tensor = tensor.to_dtype(DType::F32).of(&self.model)?;
        tensor.to_device(&self.device).of(&self.model)
    }

    /// A matrix of the encoder, which must have these dimensions.
    pub(crate) fn matrix(&self, name: &str, outputs: usize, inputs: usize) -> Result<Tensor> {
        let matrix = self.get(name)?;
        if matrix.dims() == [outputs, inputs] {
            return Ok(matrix);
        }
        let found = matrix.dims();
        Err(self.unsound(format!(
            "tensor `{name}` is {found:?} and should be [{outputs}, {inputs}]"
        )))
    }

    /// The vectors of the vocabulary. On a processor those in a safetensors file stay there.
    pub(crate) fn table(&self, name: &str) -> Result<Table> {
        if let (Source::Safetensors { path, held, .. }, Device::Cpu) = (&self.source, &self.device)
            && let Some(held) = held.get(&format!("{}{name}", self.prefix))
            && let [rows, width] = held.shape[..]
        {
            let rows_in_file = Rows {
                // One of its own: it is read long after the others.
                file: File::open(path).map_err(|source| unread(path, source))?,
                start: held.start,
                kind: held.kind,
            };
            return Ok(Table::in_file(rows_in_file, rows, width));
        }
        Table::whole(self.get(name)?).of(&self.model)
    }

    /// A linear map of the encoder with its bias.
    pub(crate) fn linear(&self, name: &str) -> Result<Linear> {
        self.outer_linear(&format!("{}{name}", self.prefix))
    }

    /// A linear map outside the encoder with its bias.
    pub(crate) fn outer_linear(&self, name: &str) -> Result<Linear> {
        let weight = self.outer(&format!("{name}.weight"))?;
        let bias = self.outer(&format!("{name}.bias"))?;
        match (weight.dims(), bias.dims()) {
            ([outputs, _], [biases]) if outputs == biases => Ok(Linear { weight, bias }),
            _ => Err(self.unsound(format!("`{name}` is no linear map"))),
        }
    }

    /// A norm of the encoder with its bias.
    pub(crate) fn norm(&self, name: &str, epsilon: f64) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.get(&format!("{name}.weight"))?,
            bias: self.get(&format!("{name}.bias"))?,
            epsilon: epsilon as f32,
        })
    }

    /// A norm without a bias from its weights.
    pub(crate) fn plain_norm(&self, weight: Tensor, epsilon: f64) -> Result<LayerNorm> {
        Ok(LayerNorm {
            bias: weight.zeros_like().of(&self.model)?,
            weight,
            epsilon: epsilon as f32,
        })
    }

    pub(crate) fn unsound(&self, problem: String) -> Fault {
        Fault::Unsound {
            model: self.model.clone(),
            problem,
        }
    }

    pub(crate) fn unsupported(&self, what: &'static str, found: String, known: &str) -> Fault {
        Fault::Unsupported {
            model: self.model.clone(),
            what,
            found,
            known: known.to_owned(),
        }
    }
}

impl Held {
    fn read(&self, mut file: &File) -> candle_core::Result<Tensor> {
        numbers(&mut file, self.start, self.kind, &self.shape)
    }
}

/// Opens a `PyTorch` archive. What candle reads of a damaged one can end in a panic.
fn archive_of(path: &Path) -> Result<PthTensors> {
    File::open(path).map_err(|source| unread(path, source))?;
    let opened = std::panic::catch_unwind(|| PthTensors::new(path, None));
    let error = match opened {
        Ok(Ok(tensors)) if !tensors.tensor_infos().is_empty() => return Ok(tensors),
        Ok(Ok(_)) => candle_core::Error::Msg("it holds no tensors".to_owned()),
        Ok(Err(error)) => error,
        Err(_) => candle_core::Error::Msg("its list of tensors is damaged".to_owned()),
    };
    Err(malformed(path, "PyTorch", error))
}

/// Opens a safetensors file and checks that every tensor lies inside it.
fn safetensors(path: &Path) -> Result<(File, HashMap<String, Held>)> {
    let read = |source| unread(path, source);
    let mut file = File::open(path).map_err(read)?;
    let length = file.metadata().map_err(read)?.len();
    let mut size = [0; 8];
    file.read_exact(&mut size)
        .map_err(|error| cut(path, error))?;
    let size = u64::from_le_bytes(size);
    if size > HEADER.min(length.saturating_sub(8)) {
        let error = std::io::Error::other(format!("a header of {size} bytes"));
        return Err(malformed(path, "safetensors", error));
    }
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header)
        .map_err(|error| cut(path, error))?;
    let listed: HashMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| malformed(path, "safetensors", error))?;
    let mut all = HashMap::with_capacity(listed.len());
    for (name, value) in listed {
        if name == "__metadata__" {
            continue;
        }
        let listed: Listed =
            serde_json::from_value(value).map_err(|error| malformed(path, "safetensors", error))?;
        // Tables of positions and the like are whole numbers; they are of no use here.
        let Some(kind) = kind(&listed.dtype) else {
            continue;
        };
        let held = place(&listed, kind, 8 + size).ok_or_else(|| {
            let error = std::io::Error::other(format!("tensor `{name}` has impossible dimensions"));
            malformed(path, "safetensors", error)
        })?;
        let end = held.start + held.bytes as u64;
        if end > length {
            return Err(Fault::CutShort {
                path: path.to_owned(),
                tensor: name,
                missing: end - length,
            });
        }
        all.insert(name, held);
    }
    Ok((file, all))
}

/// Where a tensor lies; none where its dimensions and its bytes contradict each other.
fn place(listed: &Listed, kind: DType, data: u64) -> Option<Held> {
    let [from, to] = listed.data_offsets;
    let bytes = usize::try_from(to.checked_sub(from)?).ok()?;
    let count = listed
        .shape
        .iter()
        .try_fold(1_usize, |n, dim| n.checked_mul(*dim))?;
    (count.checked_mul(kind.size_in_bytes())? == bytes).then_some(Held {
        kind,
        shape: listed.shape.clone(),
        start: data.checked_add(from)?,
        bytes,
    })
}

fn kind(name: &str) -> Option<DType> {
    match name {
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        "F64" => Some(DType::F64),
        _ => None,
    }
}

pub(crate) fn unread(path: &Path, source: std::io::Error) -> Fault {
    Fault::Read {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn malformed(
    path: &Path,
    format: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Fault {
    Fault::Format {
        path: PathBuf::from(path),
        format,
        source: Box::new(error),
    }
}

fn cut(path: &Path, error: std::io::Error) -> Fault {
    malformed(path, "safetensors", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0; data]);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn refusal(path: &Path) -> Fault {
        Tensors::open(path, "tiny", &Device::Cpu).err().unwrap()
    }

    #[test]
    fn half_precision_becomes_floats_and_whole_numbers_are_left_out() {
        let (_folder, path) = file(
            r#"{"__metadata__":{"format":"pt"},"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},
               "ids":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}}"#,
            12,
        );
        let tensors = Tensors::open(&path, "tiny", &Device::Cpu).unwrap();
        assert_eq!(
            tensors.get("x").unwrap().to_vec1::<f32>().unwrap(),
            [0.0; 2]
        );
        assert!(tensors.get("ids").is_err());
    }

    #[test]
    fn an_archive_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        assert!(matches!(refusal(&path), Fault::Read { .. }));
        std::fs::write(&path, "PK\x03\x04 and nothing more").unwrap();
        assert!(matches!(refusal(&path), Fault::Format { .. }));
    }

    #[test]
    fn an_archive_holds_what_was_saved() {
        // torch.save of {"x": tensor([[1., 2.], [3., 4.]]), "half": tensor([0.5], dtype=float16)}
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        std::fs::write(&path, include_bytes!("../../tests/two_tensors.bin")).unwrap();
        let tensors = Tensors::open(&path, "tiny", &Device::Cpu).unwrap();
        let x: Vec<Vec<f32>> = tensors.get("x").unwrap().to_vec2().unwrap();
        assert_eq!(x, [[1.0, 2.0], [3.0, 4.0]]);
        let half: Vec<f32> = tensors.get("half").unwrap().to_vec1().unwrap();
        assert_eq!(half, [0.5]);
        assert!(tensors.get("y").is_err());
    }

    #[test]
    fn a_header_that_lies_is_refused_before_anything_is_allocated() {
        let huge = u64::MAX / 2;
        for header in [
            format!(r#"{{"x":{{"dtype":"F32","shape":[{huge},4],"data_offsets":[0,16]}}}}"#),
            format!(r#"{{"x":{{"dtype":"F32","shape":[4],"data_offsets":[{huge},16]}}}}"#),
            r#"{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}}"#.to_owned(),
            r#"{"x": 3}"#.to_owned(),
            "not JSON".to_owned(),
        ] {
            let (_folder, path) = file(&header, 16);
            let fault = refusal(&path);
            assert!(matches!(fault, Fault::Format { .. }), "{header}: {fault}");
        }
        let (_folder, path) = file(
            r#"{"x":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}"#,
            16,
        );
        let fault = refusal(&path);
        assert!(
            matches!(fault, Fault::CutShort { missing: 16, .. }),
            "{fault}"
        );
        let (_folder, path) = file("", 0);
        std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
        assert!(matches!(refusal(&path), Fault::Format { .. }));
    }
}
