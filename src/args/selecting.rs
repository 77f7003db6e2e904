//! Which files a run is about, as typed.

use clap::Args as ClapArgs;

/// What is taken in of the paths that are given.
#[derive(Debug, ClapArgs)]
pub(crate) struct Selecting {
    /// Only files that fit this pattern (may be repeated)
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// No files or folders that fit this pattern (may be repeated)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Pass over larger files: 800k, 50MB, 2GiB [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) max_file_size: Option<u64>,

    /// Read files that .gitignore, .ignore and .ragignore name; without it the next time they are
    /// forgotten again
    #[arg(long)]
    pub(crate) no_ignore: bool,
}

/// A number of bytes as people write it: `50MB` and `50M` are millions, `50MiB` are 1,048,576 each.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit = unit.trim().to_ascii_lowercase();
    let factor = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if !unit.contains('i') => Some(1),
        letter => {
            let base: u64 = if unit.contains('i') { 1024 } else { 1000 };
            let power = ["k", "m", "g", "t"].iter().position(|name| *name == letter);
            power.map(|power| base.pow(power as u32 + 1))
        }
    };
    let number: Option<f64> = number.parse().ok().filter(|number| *number >= 0.0);
    match (number, factor) {
        #[allow(clippy::cast_sign_loss, reason = "it was just held against 0")]
        (Some(number), Some(factor)) => Ok((number * factor as f64) as u64),
        _ => Err("a size is a number with a unit: 800k, 50MB, 2GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("1234", 1234),
            ("12b", 12),
            ("800k", 800_000),
            ("50MB", 50_000_000),
            ("50 mb", 50_000_000),
            ("50MiB", 52_428_800),
            ("1.5Gi", 1_610_612_736),
            ("2t", 2_000_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "MB", "5x", "5mm", "1.2.3k", "-5", "5i", "5bi"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
