//! The vectors of a vocabulary's tokens: the largest tensor of most encoders, of which a question needs
//! a dozen rows. On a processor it stays in its file until a long text is read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Error, Result, Tensor};

/// So many rows are read one by one; for more the whole table is loaded, and stays. A question has
/// fewer, a batch of passages more.
const FEW: usize = 96;

/// A matrix, vocabulary × width, whose rows are looked up.
#[derive(Debug)]
pub(crate) struct Table {
    rows: usize,
    width: usize,
    device: Device,
    held: Mutex<Held>,
}

#[derive(Debug)]
enum Held {
    InFile(Rows),
    Whole(Tensor),
}

/// Rows as they lie in a file.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) file: File,
    /// Where the first begins.
    pub(crate) start: u64,
    pub(crate) kind: DType,
}

impl Table {
    pub(crate) fn whole(matrix: Tensor) -> Result<Self> {
        let (rows, width) = matrix.dims2()?;
        Ok(Self {
            rows,
            width,
            device: matrix.device().clone(),
            held: Mutex::new(Held::Whole(matrix)),
        })
    }

    /// A table of so many rows of so many numbers that lies in a file, for a processor.
    pub(crate) fn in_file(lying: Rows, rows: usize, width: usize) -> Self {
        Self {
            rows,
            width,
            device: Device::Cpu,
            held: Mutex::new(Held::InFile(lying)),
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The rows of these tokens, in order: tokens × width.
    pub(crate) fn select(&self, ids: &[u32]) -> Result<Tensor> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Held::InFile(rows) = &mut *held {
            if ids.len() <= FEW {
                return rows.read(ids, self.rows, self.width);
            }
            *held = Held::Whole(rows.all(self.rows, self.width)?);
        }
        let Held::Whole(matrix) = &*held else {
            return Err(Error::Msg("the table of words is not loaded".to_owned()));
        };
        let matrix = matrix.clone();
        // Other threads look up theirs meanwhile.
        drop(held);
        matrix.index_select(&Tensor::new(ids, &self.device)?, 0)
    }
}

impl Rows {
    fn read(&mut self, ids: &[u32], rows: usize, width: usize) -> Result<Tensor> {
        let length = width * self.kind.size_in_bytes();
        let mut bytes = vec![0; ids.len() * length];
        for (id, row) in ids.iter().zip(bytes.chunks_exact_mut(length)) {
            if *id as usize >= rows {
                let problem = format!("token {id} of a vocabulary of {rows}");
                return Err(Error::Msg(problem));
            }
            let start = self.start + u64::from(*id) * length as u64;
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(row)?;
        }
        let picked = Tensor::from_raw_buffer(&bytes, self.kind, &[ids.len(), width], &Device::Cpu)?;
        picked.to_dtype(DType::F32)
    }

    fn all(&mut self, rows: usize, width: usize) -> Result<Tensor> {
        numbers(&mut self.file, self.start, self.kind, &[rows, width])
    }
}

/// Reads a tensor of floats that begins at `start`. What is stored as such floats is never in memory
/// twice.
pub(crate) fn numbers(
    file: &mut (impl Read + Seek),
    start: u64,
    kind: DType,
    shape: &[usize],
) -> Result<Tensor> {
    /// A piece that the processor's cache holds.
    const PIECE: usize = 128 << 10;
    let count: usize = shape.iter().product();
    let mut left = count * kind.size_in_bytes();
    file.seek(SeekFrom::Start(start))?;
    if kind != DType::F32 {
        let mut bytes = vec![0; left];
        file.read_exact(&mut bytes)?;
        return Tensor::from_raw_buffer(&bytes, kind, shape, &Device::Cpu)?.to_dtype(DType::F32);
    }
    let mut numbers: Vec<f32> = Vec::with_capacity(count);
    let mut piece = vec![0; PIECE.min(left)];
    while left > 0 {
        let part = &mut piece[..left.min(PIECE)];
        file.read_exact(part)?;
        left -= part.len();
        let (floats, _) = part.as_chunks();
        numbers.extend(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const WIDTH: usize = 4;

    /// A table of 200 rows behind 8 other bytes: row n holds n and three numbers more.
    fn lying(kind: DType) -> (Table, Tensor) {
        let numbers: Vec<f32> = (0..200 * WIDTH as u16).map(f32::from).collect();
        let matrix = Tensor::from_vec(numbers, (200, WIDTH), &Device::Cpu).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 8]).unwrap();
        let stored = matrix.to_dtype(kind).unwrap();
        stored.write_bytes(&mut file).unwrap();
        let rows = Rows {
            file,
            start: 8,
            kind,
        };
        (Table::in_file(rows, 200, WIDTH), matrix)
    }

    fn is_loaded(table: &Table) -> bool {
        matches!(&*table.held.lock().unwrap(), Held::Whole(_))
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_question_reads_its_rows_and_a_long_text_loads_the_table() {
        for kind in [DType::F32, DType::F16] {
            let (table, matrix) = lying(kind);
            let few = [199, 0, 7, 7];
            let many: Vec<u32> = (0..200).rev().collect();
            for (ids, loads) in [(&few[..], false), (&many, true), (&few, true)] {
                let wanted = Tensor::new(ids, &Device::Cpu).unwrap();
                let wanted = matrix.index_select(&wanted, 0).unwrap();
                assert_eq!(flat(&table.select(ids).unwrap()), flat(&wanted));
                assert_eq!(is_loaded(&table), loads);
            }
        }
    }

    #[test]
    fn a_token_beyond_the_vocabulary_is_an_error() {
        let (table, _) = lying(DType::F32);
        assert!(table.select(&[200]).is_err());
        let many = vec![200; FEW + 1];
        assert!(table.select(&many).is_err());
    }

    #[test]
    fn a_file_that_was_cut_meanwhile_is_an_error() {
        let (table, _) = lying(DType::F32);
        if let Held::InFile(rows) = &*table.held.lock().unwrap() {
            rows.file.set_len(100).unwrap();
        }
        assert!(table.select(&[0]).is_ok());
        assert!(table.select(&[199]).is_err());
        assert!(table.select(&vec![0; FEW + 1]).is_err());
    }
}
