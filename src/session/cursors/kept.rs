//! Rows that a cursor may come back to, in a file of the folder that operators spill to.
//!
//! One batch after the other, each with its own small header, so that any of them can be read alone. In memory there
//! is where each begins. The file is removed with this.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::arrow::ipc::{CompressionType, MetadataVersion};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::{SpillFile, SpillWriter};

use crate::error::{Error, Result};

/// The rows.
pub(super) struct Kept {
    file: Arc<dyn SpillFile>,
    writer: Option<Box<dyn SpillWriter>>,
    pieces: Vec<Piece>,
    /// Bytes written.
    end: u64,
}

/// One batch.
struct Piece {
    /// The number of its first row.
    first: u64,
    rows: u64,
    begin: u64,
    length: usize,
}

impl Kept {
    /// No rows yet, in a file of its own.
    pub(super) fn new(disk: &Arc<DiskManager>) -> Result<Self> {
        let file = disk.create_tmp_file("keeping the rows of a cursor")?;
        let writer = Some(file.open_writer()?);
        Ok(Self { file, writer, pieces: Vec::new(), end: 0 })
    }

    /// Puts a batch, whose first row has number `first`, behind the others.
    pub(super) fn append(&mut self, first: u64, batch: &RecordBatch) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Err(Error::internal("a cursor's rows are all there")) };
        let bytes = encode(batch)?;
        writer.write_all(&bytes).map_err(DataFusionError::from)?;
        let (rows, length) = (batch.num_rows() as u64, bytes.len());
        self.pieces.push(Piece { first, rows, begin: self.end, length });
        self.end += length as u64;
        Ok(())
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self) -> Result<()> {
        match self.writer.take() {
            Some(mut writer) => Ok(writer.finish()?),
            None => Ok(()),
        }
    }

    /// The batch that has row `row`, with the number of its first; `None` if none has.
    pub(super) fn read(&self, row: u64) -> Result<Option<(u64, RecordBatch)>> {
        let after = self.pieces.partition_point(|piece| piece.first <= row);
        let Some(piece) = after.checked_sub(1).map(|at| &self.pieces[at]) else { return Ok(None) };
        if row >= piece.first + piece.rows {
            return Ok(None);
        }
        let path = self.file.path().ok_or_else(|| Error::internal("a spill file without a path"))?;
        let mut bytes = vec![0; piece.length];
        let opened = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, piece.begin));
        opened.map_err(DataFusionError::from)?;
        let mut batches = StreamReader::try_new(bytes.as_slice(), None).map_err(DataFusionError::from)?;
        let batch = batches.next().ok_or_else(|| Error::internal("a cursor's rows are gone"))?;
        Ok(Some((piece.first, batch.map_err(DataFusionError::from)?)))
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.pieces.capacity() * size_of::<Piece>()
    }
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>, DataFusionError> {
    let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)?
        .try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), batch.schema_ref(), options)?;
    writer.write(&compact(batch)?)?;
    Ok(writer.into_inner()?)
}

/// The batch without what its texts no longer refer to: they can share one large buffer with many other batches.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let compacted = batch.columns().iter().map(|column| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => Arc::clone(column),
        }
    });
    Ok(RecordBatch::try_new(batch.schema(), compacted.collect())?)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, StringViewArray};
    use datafusion::execution::disk_manager::DiskManagerBuilder;

    use super::*;

    #[test]
    fn any_row_is_found_again() {
        let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
        let mut kept = Kept::new(&disk).unwrap();
        let texts = StringViewArray::from_iter_values((0..100).map(|n| format!("a text of some length {n}")));
        let numbers = Int64Array::from_iter_values(0..100);
        let columns: [(&str, ArrayRef); 2] = [("n", Arc::new(numbers)), ("t", Arc::new(texts))];
        let all = RecordBatch::try_from_iter(columns).unwrap();
        for (first, begin, rows) in [(5, 0, 3), (8, 3, 1), (9, 4, 96)] {
            kept.append(first, &all.slice(begin, rows)).unwrap();
        }
        kept.finish().unwrap();
        assert!(kept.append(105, &all).is_err());
        assert!(disk.used_disk_space() > 0);
        for (row, first, begin, rows) in [(5, 5, 0, 3), (7, 5, 0, 3), (8, 8, 3, 1), (9, 9, 4, 96), (104, 9, 4, 96)] {
            let (number, batch) = kept.read(row).unwrap().unwrap();
            assert_eq!((number, batch), (first, all.slice(begin, rows)), "row {row}");
        }
        assert!(kept.read(4).unwrap().is_none() && kept.read(105).unwrap().is_none());
        drop(kept);
        assert_eq!(disk.used_disk_space(), 0);
    }
}
