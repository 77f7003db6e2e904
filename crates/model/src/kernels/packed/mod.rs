//! Matrices of quantised weights, multiplied with vectors that are rounded to 8 bits.
//!
//! A matrix is held once, as `tiles` of eight rows (`large`, `little`), about as large as in its file;
//! `products` are sums of whole numbers over vectors of any processor (`lanes`). ggml and candle round
//! the same way.

// Vector instructions are only calls unless everything between them and the function that may use them
// is inlined; and several arrays are walked with one number.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

mod lanes;
mod large;
mod little;
mod products;
mod rounded;
mod rows;
mod tiles;
#[cfg_attr(target_arch = "x86_64", path = "wide_x86_64.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "wide_elsewhere.rs")]
mod wide;

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Tensor};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use self::lanes::ROWS;
use self::rounded::Rounded;
use self::rows::{Large, Little, Rows, Size, Tiles};
use self::tiles::Tile;
use super::floats;

pub(super) use self::wide::vectorised;

/// Bytes of a file that are read at once.
const PIECE: usize = 4 << 20;

/// Weights that one thread multiplies with a vector before it looks for more.
const SHARE: usize = 64 * 1024;

/// Groups of rows that one thread multiplies with many vectors before it looks for more.
const GROUPS: usize = 8;

/// A matrix of rows × columns.
#[derive(Debug)]
pub(crate) struct PackedMatrix {
    height: usize,
    columns: usize,
    rows: Box<dyn Rows>,
}

impl PackedMatrix {
    /// Whether there is a form for weights of this type.
    pub(crate) fn knows(kind: GgmlDType) -> bool {
        empty(kind, 0, 0).is_some()
    }

    /// Reads a matrix of `height` × `columns` weights of type `kind`, whose bytes `fill` gives one after
    /// the other; none where there is no form for that type.
    pub(crate) fn read<E>(
        kind: GgmlDType,
        (height, columns): (usize, usize),
        fill: &mut dyn FnMut(&mut [u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<Option<Self>, E> {
        let Some(mut rows) = empty(kind, height, columns) else {
            return Ok(None);
        };
        let row = columns / kind.block_size() * kind.type_size();
        let at_once = (PIECE / row.max(1)).next_multiple_of(ROWS);
        let mut bytes = vec![0; at_once.min(height) * row];
        for start in (0..height).step_by(at_once) {
            let bytes = &mut bytes[..at_once.min(height - start) * row];
            fill(bytes)?;
            rows.add(bytes);
        }
        Ok(Some(Self {
            height,
            columns,
            rows,
        }))
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Rows `numbers` as floats: their count × columns.
    pub(crate) fn rows(&self, numbers: &[u32]) -> Result<Tensor> {
        let mut out = vec![0.0; numbers.len() * self.columns];
        for (number, out) in numbers.iter().zip(out.chunks_exact_mut(self.columns)) {
            if *number as usize >= self.height {
                candle_core::bail!("there is no row {number} among {}", self.height);
            }
            self.rows.floats(*number as usize, out);
        }
        Tensor::from_vec(out, (numbers.len(), self.columns), &Device::Cpu)
    }
}

/// Each of `vectors` (n × columns) times each of the transposed matrices: n × rows. The matrices have the
/// same columns.
pub(crate) fn products<const M: usize>(
    matrices: [&PackedMatrix; M],
    vectors: &Tensor,
) -> Result<[Tensor; M]> {
    let (count, columns) = vectors.dims2()?;
    let (data, layout) = vectors.storage_and_layout();
    let source = floats(&data, layout)?;
    if matrices.iter().any(|matrix| matrix.columns != columns) {
        candle_core::bail!("a matrix has not {columns} columns");
    }
    let mut rounded: Vec<(usize, Rounded)> = Vec::new();
    for matrix in matrices {
        let block = matrix.rows.block();
        if rounded.iter().all(|(size, _)| *size != block) {
            rounded.push((block, Rounded::new(source, columns, block)));
        }
    }
    let mut out = matrices.map(|matrix| vec![0.0; count * matrix.height]);
    let mut parts = Vec::new();
    for (matrix, out) in matrices.iter().zip(&mut out) {
        let block = matrix.rows.block();
        let known = rounded.iter().find(|(size, _)| *size == block);
        if let Some((_, vectors)) = known {
            parts.extend(matrix.parts(vectors, out));
        }
    }
    parts.into_par_iter().with_max_len(1).for_each(|mut part| {
        let groups = part.first..part.first + part.out[0].len().div_ceil(ROWS);
        part.rows.multiply(groups, part.vectors, &mut part.out);
    });
    let mut out = out
        .into_iter()
        .zip(matrices)
        .map(|(out, matrix)| Tensor::from_vec(out, (count, matrix.height), &Device::Cpu));
    let all: Vec<Tensor> = out.by_ref().collect::<Result<_>>()?;
    all.try_into()
        .map_err(|_| candle_core::Error::Msg("a product is missing".to_owned()))
}

/// A part of a product, for one thread.
struct Part<'a> {
    rows: &'a dyn Rows,
    vectors: &'a Rounded,
    /// Number of the first group of rows.
    first: usize,
    /// For each vector.
    out: Vec<&'a mut [f32]>,
}

impl PackedMatrix {
    /// The parts of the product with `vectors`, which `out` (vectors × rows) takes.
    fn parts<'a>(&'a self, vectors: &'a Rounded, out: &'a mut [f32]) -> Vec<Part<'a>> {
        let groups = if out.len() > self.height {
            GROUPS
        } else {
            (SHARE / (ROWS * self.columns)).max(1).next_multiple_of(2)
        };
        let count = self.height.div_ceil(groups * ROWS);
        let mut parts: Vec<Part> = (0..count)
            .map(|n| Part {
                rows: &*self.rows,
                vectors,
                first: n * groups,
                out: Vec::new(),
            })
            .collect();
        for row in out.chunks_exact_mut(self.height) {
            for (part, out) in parts.iter_mut().zip(row.chunks_mut(groups * ROWS)) {
                part.out.push(out);
            }
        }
        parts
    }
}

fn empty(kind: GgmlDType, rows: usize, columns: usize) -> Option<Box<dyn Rows>> {
    fn new<T: Tile, S: Size<T> + 'static>(rows: usize, columns: usize) -> Box<dyn Rows> {
        Box::new(Tiles::<T, S>::new(rows, columns))
    }
    Some(match kind {
        GgmlDType::Q2K => new::<large::Q2K, Large>(rows, columns),
        GgmlDType::Q3K => new::<large::Q3K, Large>(rows, columns),
        GgmlDType::Q4K => new::<large::Q4K, Large>(rows, columns),
        GgmlDType::Q5K => new::<large::Q5K, Large>(rows, columns),
        GgmlDType::Q6K => new::<large::Q6K, Large>(rows, columns),
        GgmlDType::Q4_0 => new::<little::Q40, Little>(rows, columns),
        GgmlDType::Q4_1 => new::<little::Q41, Little>(rows, columns),
        GgmlDType::Q5_0 => new::<little::Q50, Little>(rows, columns),
        GgmlDType::Q5_1 => new::<little::Q51, Little>(rows, columns),
        GgmlDType::Q8_0 => new::<little::Q80, Little>(rows, columns),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::QTensor;

    use super::*;
    use crate::testing::{cosine, noise};

    const KINDS: [GgmlDType; 10] = [
        GgmlDType::Q2K,
        GgmlDType::Q3K,
        GgmlDType::Q4K,
        GgmlDType::Q5K,
        GgmlDType::Q6K,
        GgmlDType::Q4_0,
        GgmlDType::Q4_1,
        GgmlDType::Q5_0,
        GgmlDType::Q5_1,
        GgmlDType::Q8_0,
    ];

    fn flat(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// A matrix of noise as candle's blocks and as ours.
    fn both(kind: GgmlDType, rows: usize, columns: usize) -> (QTensor, PackedMatrix) {
        let blocks = QTensor::quantize(&noise(&[rows, columns], 2.0, 1), kind).unwrap();
        let bytes = blocks.data().unwrap().into_owned();
        let mut rest = bytes.as_slice();
        let packed = PackedMatrix::read(kind, (rows, columns), &mut |out| {
            let (now, later) = rest.split_at(out.len());
            out.copy_from_slice(now);
            rest = later;
            Ok::<_, ()>(())
        });
        (blocks, packed.unwrap().unwrap())
    }

    #[test]
    fn weights_are_those_of_the_file() {
        for kind in KINDS {
            let (blocks, packed) = both(kind, 21, 768);
            let expected = flat(&blocks.dequantize(&Device::Cpu).unwrap());
            let numbers: Vec<u32> = (0..21).collect();
            let ours = flat(&packed.rows(&numbers).unwrap());
            for (a, b) in ours.iter().zip(&expected) {
                assert!(
                    (a - b).abs() <= 1e-6 * b.abs().max(1.0),
                    "{kind:?}: {a} is not {b}"
                );
            }
            assert!(packed.rows(&[21]).is_err());
        }
    }

    #[test]
    fn products_are_those_of_the_weights() {
        for kind in KINDS {
            let (blocks, packed) = both(kind, 45, 512);
            let floats = blocks.dequantize(&Device::Cpu).unwrap();
            for count in [1, 7] {
                let vectors = noise(&[count, 512], 5.0, 2);
                let expected = vectors.matmul(&floats.t().unwrap()).unwrap();
                let [ours] = products([&packed], &vectors).unwrap();
                assert_eq!(ours.dims(), [count, 45]);
                let near = cosine(&flat(&ours), &flat(&expected));
                assert!(near > 0.9999, "{kind:?}, {count} vectors: {near}");
            }
        }
    }

    #[test]
    fn a_vector_has_the_same_products_alone_and_among_others() {
        for kind in KINDS {
            let (_, packed) = both(kind, 24, 256);
            let vectors = noise(&[70, 256], 3.0, 2);
            let [all] = products([&packed], &vectors).unwrap();
            for n in [0, 5, 66, 69] {
                let one = vectors.narrow(0, n, 1).unwrap().contiguous().unwrap();
                let [alone] = products([&packed], &one).unwrap();
                assert_eq!(
                    flat(&alone),
                    flat(&all.narrow(0, n, 1).unwrap()),
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn processors_without_wide_vectors_get_the_same_sums() {
        for kind in KINDS {
            let (_, packed) = both(kind, 16, 256);
            let vectors = noise(&[5, 256], 3.0, 2);
            let rounded = Rounded::new(&flat(&vectors), 256, packed.rows.block());
            let mut plain = vec![0.0; 5 * 16];
            let mut parts: Vec<&mut [f32]> = plain.chunks_mut(16).collect();
            packed.rows.multiply_plainly(0..2, &rounded, &mut parts);
            let [wide] = products([&packed], &vectors).unwrap();
            for (a, b) in plain.iter().zip(flat(&wide)) {
                assert!(
                    (a - b).abs() < 1e-4 * b.abs().max(1.0),
                    "{kind:?}: {a} is not {b}"
                );
            }
        }
    }

    #[test]
    fn matrices_of_several_types_share_a_vector() {
        let (_, a) = both(GgmlDType::Q4K, 24, 256);
        let (_, b) = both(GgmlDType::Q8_0, 40, 256);
        let vectors = noise(&[3, 256], 3.0, 2);
        let [one, other] = products([&a, &b], &vectors).unwrap();
        let [alone] = products([&b], &vectors).unwrap();
        assert_eq!(one.dims(), [3, 24]);
        assert_eq!(flat(&other), flat(&alone));
    }

    #[test]
    fn silence_and_noughts_stay_what_they_are() {
        for kind in [GgmlDType::Q4K, GgmlDType::Q4_1] {
            let (_, packed) = both(kind, 8, 256);
            let zeros = Tensor::zeros((1, 256), candle_core::DType::F32, &Device::Cpu).unwrap();
            let [silent] = products([&packed], &zeros).unwrap();
            assert_eq!(flat(&silent), [0.0; 8]);
            let broken = Tensor::full(f32::NAN, (1, 256), &Device::Cpu).unwrap();
            let [broken] = products([&packed], &broken).unwrap();
            assert!(flat(&broken).iter().all(|x| x.is_nan()));
        }
    }
}
