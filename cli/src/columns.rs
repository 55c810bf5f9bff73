//! Tables and JSON lists that are written as they come, so that their length costs no memory.

use serde::Serialize;

use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// A table whose columns are as wide as was said before its first row was known. A longer cell moves the rest of its row.
#[derive(Clone, Copy, Debug)]
pub struct Columns<const N: usize>([usize; N]);

impl<const N: usize> Columns<N> {
    /// Columns of these widths, in characters.
    pub const fn new(widths: [usize; N]) -> Self {
        Self(widths)
    }

    /// A row, with its line end.
    pub fn row<T: AsRef<str>>(&self, cells: [T; N]) -> String {
        let mut row = String::new();
        for (cell, width) in cells.iter().zip(self.0) {
            row.push_str(&format!("{:<width$}  ", cell.as_ref()));
        }
        row.truncate(row.trim_end().len());
        row.push('\n');
        row
    }
}

/// `{"version": 1, "<name>": [...]}`, item by item, in the very text that [`Output::json`] has for the whole.
#[derive(Debug)]
pub struct JsonList {
    name: &'static str,
    empty: bool,
}

impl JsonList {
    /// A list of that name. Nothing is written yet.
    pub const fn new(name: &'static str) -> Self {
        Self { name, empty: true }
    }

    /// Writes an item.
    pub fn item(&mut self, item: &impl Serialize, output: &mut Output) -> Outcome {
        let item = self
            .item_text(item)
            .map_err(|error| Failure::of(Exit::Failed, &error).within("cannot write the result as JSON"))?;
        output.result(item)
    }

    /// Writes the end.
    pub fn end(self, output: &mut Output) -> Outcome {
        output.line(self.end_text())
    }

    fn item_text(&mut self, item: &impl Serialize) -> serde_json::Result<String> {
        let item = serde_json::to_string_pretty(item)?;
        // A line end within a value is escaped, so every one here is of the layout.
        let item = item.replace('\n', "\n    ");
        let before = if self.empty { self.head() } else { ",".to_owned() };
        self.empty = false;
        Ok(format!("{before}\n    {item}"))
    }

    fn end_text(&self) -> String {
        if self.empty {
            self.head() + "]\n}"
        } else {
            "\n  ]\n}".to_owned()
        }
    }

    fn head(&self) -> String {
        format!("{{\n  \"version\": 1,\n  \"{}\": [", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Whole {
        version: u32,
        keys: Vec<(String, Vec<u8>, Option<()>)>,
    }

    #[test]
    fn a_list_in_pieces_is_the_list_in_one_piece() {
        for length in 0..4_usize {
            let item = |number| (format!("{number}\n \" ñ"), vec![1; number], None);
            let keys: Vec<_> = (0..length).map(item).collect();
            let mut list = JsonList::new("keys");
            let mut text: String = keys.iter().map(|key| list.item_text(key).unwrap()).collect();
            text.push_str(&list.end_text());
            let whole = Whole { version: 1, keys };
            assert_eq!(text, serde_json::to_string_pretty(&whole).unwrap());
        }
    }

    #[test]
    fn rows_line_up_and_end_with_their_last_cell() {
        let columns = Columns::new([5, 4, 2]);
        assert_eq!(columns.row(["ZONE", "ROLE", "ID"]), "ZONE   ROLE  ID\n");
        assert_eq!(columns.row(["fi.cr", "", ""]), "fi.cr\n");
        assert_eq!(columns.row(["longer.cr", "KSK", "abc"]), "longer.cr  KSK   abc\n");
    }
}
