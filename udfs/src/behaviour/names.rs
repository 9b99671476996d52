//! Texts that repeat, each kept once.

use std::sync::Arc;

use datafusion_common::HashMap;

/// Texts by number, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    bytes: usize,
}

impl Names {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        let text: Arc<str> = Arc::from(text);
        // Beside the text, an `Arc` has two counters.
        self.bytes += text.len() + 2 * size_of::<usize>();
        self.numbers.insert(Arc::clone(&text), number);
        self.texts.push(text);
        number
    }

    /// The text of a number that [`Names::number`] gave.
    pub(super) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    /// Bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes + self.texts.capacity() * size_of::<Arc<str>>() + self.numbers.allocation_size()
    }
}
