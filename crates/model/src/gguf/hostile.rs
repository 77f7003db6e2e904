//! Files that are damaged or made to do harm: each gets an error, none a panic or much memory.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use candle_core::{DType, Device, Tensor};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use proptest::sample::Index;
use rag_core::{Code, Error};

use super::{Gguf, inspect};
use crate::GgufGenerator;
use crate::decoder::Shape;
use crate::testing::{TinyModel, file_of};
use crate::vocabulary::Vocabulary;

fn refusal(bytes: &[u8]) -> Error {
    let (_folder, path) = file_of(bytes);
    let error = inspect(&path).unwrap_err();
    assert_eq!(error.code, Code::ModelInvalid, "{error}");
    assert!(error.hint.is_some(), "{error}");
    error
}

#[track_caller]
fn must_be_refused(bytes: &[u8], said: &str) {
    let line = refusal(bytes).one_line();
    assert!(line.contains(said), "{said}: {line}");
}

/// What a file says before a weight is read.
fn opened(bytes: &[u8]) -> crate::fault::Result<()> {
    let (_folder, path) = file_of(bytes);
    let gguf = Gguf::open(&path)?;
    Shape::read(&gguf)?;
    Vocabulary::read(&gguf)?;
    Ok(())
}

/// A header of version 3 that claims these numbers of tensors and keys, then holds `rest`.
fn header(tensors: u64, keys: u64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(keys.to_le_bytes());
    bytes.extend(rest);
    bytes
}

/// A key of one letter with a value of a type.
fn key(kind: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = 1_u64.to_le_bytes().to_vec();
    bytes.push(b'k');
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
    bytes
}

#[test]
fn each_lie_of_a_header_is_named() {
    let long = u64::MAX.to_le_bytes();
    let list = |kind: u32, count: u64| {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(count.to_le_bytes());
        key(9, &bytes)
    };
    let mut many = header(0, 1, &list(0, 4_000_000));
    many.resize(many.len() + 100, 0);
    for (bytes, said) in [
        (b"GG".to_vec(), "ends inside its header"),
        (b"GGUF\x03\0\0\0".to_vec(), "ends inside its header"),
        (b"GGUF\0\0\0\x03aaaaaaaa".to_vec(), "numbers are big-endian"),
        (b"GGUF\x09\0\0\0aaaaaaaa".to_vec(), "format version 9"),
        (
            b"GGML\x03\0\0\0aaaaaaaa".to_vec(),
            "does not begin with `GGUF`",
        ),
        (header(u64::MAX, 0, &[]), "18446744073709551615 tensors"),
        (header(0, 1 << 40, &[]), "1099511627776 keys"),
        (header(0, 60_000, &[]), "ends inside its header"),
        (
            header(0, 1, &key(8, &long)),
            "18446744073709551615 bytes of one text",
        ),
        (
            header(0, 1, &key(8, &2_000_000_u64.to_le_bytes())),
            "ends inside",
        ),
        (header(0, 1, &list(0, 1 << 30)), "1073741824 values"),
        (
            header(0, 1, &list(8, u64::MAX)),
            "18446744073709551615 values",
        ),
        (many, "ends inside its header"),
        (header(0, 1, &list(9, 3)), "a list of lists"),
        (header(0, 1, &key(77, &long)), "the unknown type 77"),
        (header(0, 0, &[]), "it has no tensors"),
    ] {
        must_be_refused(&bytes, said);
    }
}

#[test]
fn tensors_that_can_not_be_are_refused() {
    let tensor = |dims: &[u64], offset: u64| {
        let mut bytes = 1_u64.to_le_bytes().to_vec();
        bytes.push(b't');
        bytes.extend((dims.len() as u32).to_le_bytes());
        bytes.extend(dims.iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes
    };
    let twice = [tensor(&[1], 0), tensor(&[1], 0), vec![0; 64]].concat();
    for (bytes, said) in [
        (header(1, 0, &tensor(&[], 0)), "impossible dimensions"),
        (header(1, 0, &tensor(&[0, 4], 0)), "impossible dimensions"),
        (
            header(1, 0, &tensor(&[1 << 40, 1 << 40], 0)),
            "impossible dimensions",
        ),
        (header(1, 0, &tensor(&[1, 1, 1, 1, 1], 0)), "5 dimensions"),
        (header(1, 0, &tensor(&[4], u64::MAX)), "is cut short"),
        (header(1, 0, &tensor(&[1 << 50], 0)), "is cut short"),
        (header(2, 0, &twice), "two tensors `t`"),
    ] {
        must_be_refused(&bytes, said);
    }
}

#[test]
fn an_alignment_that_is_none_is_refused() {
    for alignment in [0, 3, 48] {
        let model = TinyModel::new("llama").with("general.alignment", Value::U32(alignment));
        let said = refusal(&model.bytes()).one_line();
        assert!(said.contains("no power of two"), "{said}");
    }
}

#[test]
fn a_vocabulary_that_lies_about_its_size_is_refused_before_weights_are_read() {
    let claimed = TinyModel::new("llama").with("llama.vocab_size", Value::U32(300_000));
    let said = refusal(&claimed.bytes()).one_line();
    assert!(
        said.contains("more tokens than vectors for them: 300000 and 261"),
        "{said}"
    );
    let few = Tensor::zeros((100, 32), DType::F32, &Device::Cpu).unwrap();
    let few = TinyModel::new("llama")
        .with_tensor("token_embd.weight", &few, GgmlDType::F32)
        .with_tensor("output.weight", &few, GgmlDType::F32);
    let said = refusal(&few.bytes()).one_line();
    assert!(
        said.contains("more tokens than vectors for them: 261 and 100"),
        "{said}"
    );
    // Another table than its output.
    let table = Tensor::zeros((300, 32), DType::F32, &Device::Cpu).unwrap();
    let uneven = TinyModel::new("llama").with_tensor("token_embd.weight", &table, GgmlDType::F32);
    assert!(refusal(&uneven.bytes()).fact.contains("`output.weight`"));
}

#[test]
fn a_delta_net_can_not_claim_a_state_without_bounds() {
    let mut model =
        TinyModel::new("llama").with("general.architecture", Value::String("qwen35".into()));
    for (name, value) in [
        ("embedding_length", 32),
        ("feed_forward_length", 48),
        ("block_count", 2),
        ("context_length", 512),
        ("attention.head_count", 4),
        ("attention.key_length", 8),
        ("ssm.conv_kernel", 4),
        ("ssm.group_count", 1),
        ("ssm.time_step_rank", 1),
        ("ssm.state_size", 1 << 19),
        ("ssm.inner_size", 1 << 19),
    ] {
        model = model.with(&format!("qwen35.{name}"), Value::U32(value));
    }
    let epsilon = "qwen35.attention.layer_norm_rms_epsilon";
    let model = model.with(epsilon, Value::F32(1e-6));
    let said = refusal(&model.bytes()).one_line();
    assert!(said.contains("delta nets contradict"), "{said}");
}

#[test]
fn a_model_in_several_files_is_one_model() {
    let whole = TinyModel::new("qwen3");
    let (_folder, path) = whole.file();
    let expected = inspect(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let name = |n: usize| folder.path().join(format!("m-{n:05}-of-00003.gguf"));
    let parts = || {
        let mut rest = TinyModel::new("qwen3").tensors;
        let last = rest.split_off(14);
        let middle = rest.split_off(5);
        [rest, middle, last]
            .into_iter()
            .enumerate()
            .map(|(n, tensors)| {
                let mut part = TinyModel::bare("qwen3")
                    .with("split.no", Value::U16(n as u16))
                    .with("split.count", Value::U16(3))
                    .with(
                        "split.tensors.count",
                        Value::U64(whole.tensors.len() as u64),
                    );
                if n > 0 {
                    part.metadata.retain(|(key, _)| key.starts_with("split"));
                }
                part.tensors = tensors;
                part
            })
    };
    for (n, part) in parts().enumerate() {
        std::fs::write(name(n + 1), part.bytes()).unwrap();
    }
    assert_eq!(inspect(&name(1)).unwrap(), expected);
    let generator = GgufGenerator::load(&name(1), "split", &crate::Device::cpu());
    generator.unwrap();
    let said = inspect(&name(2)).unwrap_err().one_line();
    assert!(said.contains("`-00001-of-00003.gguf`"), "{said}");
    // One part in the place of another, twice the same, and one that is gone.
    std::fs::copy(name(3), name(2)).unwrap();
    let said = inspect(&name(1)).unwrap_err().one_line();
    assert!(said.contains("is not its file 2"), "{said}");
    std::fs::remove_file(name(2)).unwrap();
    let error = inspect(&name(1)).unwrap_err();
    assert_eq!(error.code, Code::ModelMissing);
    assert!(error.fact.contains("m-00002-of-00003.gguf"), "{error}");
    std::fs::rename(name(1), folder.path().join("other.gguf")).unwrap();
    let said = inspect(&folder.path().join("other.gguf"))
        .unwrap_err()
        .one_line();
    assert!(said.contains("the others can't be found"), "{said}");
}

/// Where the header of a tiny model ends.
fn header_length(bytes: &[u8]) -> usize {
    let name = b"blk.1.ffn_down.weight";
    let at = bytes.windows(name.len()).rposition(|window| window == name);
    at.unwrap() + name.len() + 40
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_file_cut_anywhere_is_refused(at in any::<Index>()) {
        let bytes = TinyModel::new("qwen3").bytes();
        let cut = at.index(bytes.len() - 64);
        prop_assert!(opened(&bytes[..cut]).is_err());
    }

    #[test]
    fn a_header_with_other_bytes_is_read_or_refused(
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        architecture in 0_usize..3,
    ) {
        let mut bytes = TinyModel::new(["llama", "qwen2", "qwen3"][architecture]).bytes();
        let end = header_length(&bytes);
        for (at, byte) in changes {
            bytes[at.index(end)] = byte;
        }
        // Nothing is claimed of the outcome but that there is one.
        let _ = opened(&bytes);
    }

    #[test]
    fn a_number_that_lies_is_no_danger(
        at in any::<Index>(),
        lie in proptest::sample::select(vec![0, 1, u64::MAX, u64::MAX / 2, 1 << 31, 1 << 40, 1 << 62]),
        width in proptest::sample::select(vec![2_usize, 4, 8]),
    ) {
        let mut bytes = TinyModel::new("llama").bytes();
        let end = header_length(&bytes) - 8;
        let at = at.index(end);
        bytes[at..at + width].copy_from_slice(&lie.to_le_bytes()[..width]);
        let _ = opened(&bytes);
    }

    #[test]
    fn whatever_the_keys_say_is_read_or_refused(
        which in 0_usize..12,
        number in any::<u32>(),
        kind in 0_u8..4,
    ) {
        let key = [
            "llama.block_count", "llama.embedding_length", "llama.attention.head_count",
            "llama.attention.head_count_kv", "llama.attention.key_length", "llama.context_length",
            "llama.feed_forward_length", "llama.rope.dimension_count", "llama.rope.freq_base",
            "tokenizer.ggml.bos_token_id", "llama.attention.sliding_window",
            "llama.attention.layer_norm_rms_epsilon",
        ][which];
        let value = match kind {
            0 => Value::U32(number),
            1 => Value::F32(f32::from_bits(number)),
            2 => Value::I32(number.cast_signed()),
            _ => Value::Array(vec![Value::U32(number)]),
        };
        let _ = opened(&TinyModel::new("llama").with(key, value).bytes());
    }
}
