//! What is worth telling of a look.

use std::collections::HashMap;

use rag_core::{Row, Status};

/// Whether this is told: what was done is, a trouble once.
pub(crate) fn is_news(told: &mut HashMap<String, Option<String>>, row: &Row, bytes: u64) -> bool {
    match row.status {
        Status::Unchanged => {
            told.remove(&row.source);
            false
        }
        Status::Read | Status::Moved | Status::Removed | Status::Carried => {
            told.remove(&row.source);
            true
        }
        Status::Partly | Status::Skipped | Status::Failed => {
            let before = told.insert(row.source.clone(), row.reason.clone());
            bytes > 0 || before.as_ref() != Some(&row.reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_until_the_file_changes() {
        let row = |status, reason: &str| Row {
            source: "a.pdf".into(),
            status,
            reason: Some(reason.into()),
            chunks: 0,
        };
        let mut told = HashMap::new();
        let failed = row(Status::Failed, "it is damaged");
        assert!(is_news(&mut told, &failed, 100));
        assert!(!is_news(&mut told, &failed, 0));
        assert!(is_news(&mut told, &failed, 100), "it was read again");
        assert!(is_news(&mut told, &row(Status::Failed, "it is locked"), 0));
        assert!(is_news(&mut told, &row(Status::Read, ""), 0));
        assert!(!is_news(&mut told, &row(Status::Unchanged, ""), 0));
        assert!(is_news(&mut told, &failed, 0));
    }
}
