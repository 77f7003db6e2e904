//! Reading pictures of text with `tesseract`, where it is installed.
//!
//! It runs as a process of its own that is given the picture on stdin and gives words with their places
//! on stdout. Nothing is written to disk, not even to the null device, so that it works where this
//! process may start programs but neither write nor open a socket; what holds this process, holds it too.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use rag_core::fold::is_unspaced;

/// More than this comes of no picture of text.
const MAX_OUTPUT: u64 = 64 << 20;

/// Time to say its version and languages.
const GREETING: Duration = Duration::from_secs(20);

/// A page takes seconds; one that takes this long is given up.
const PAGE_TIME: Duration = Duration::from_mins(2);

/// Words that it is less sure of (of 100) are specks and drawings.
const MIN_WORD: f32 = 30.0;

/// From this mean on (of 100) other languages are not tried. A page of Traditional Chinese that is read as
/// Simplified reaches 88, and 91 as what it is.
const SURE: f32 = 90.0;
/// The same on the pages after a bad one: so much below what that one reached, and never less than the
/// second.
const SLACK: f32 = 8.0;
const MIN_SURE: f32 = 60.0;

/// Another language must be so much surer to be taken: they share letters and digits.
const CLEARLY: f32 = 3.0;

/// Which program reads pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum OcrProgram {
    /// `tesseract`, where there is one in the folders for programs.
    #[default]
    Found,
    At(PathBuf),
    /// Pictures are not read.
    None,
}

impl OcrProgram {
    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::At(path) => Some(path.clone()),
            Self::None => None,
            Self::Found => tesseract(),
        }
    }
}

/// The `tesseract` that reads scans, where there is one in the folders for programs.
#[must_use]
pub fn tesseract() -> Option<PathBuf> {
    let name = format!("tesseract{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
}

/// A grey picture, row by row from the top; 0 is black.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) grey: Vec<u8>,
    /// Pixels to an inch.
    pub(crate) resolution: f32,
}

/// What was read of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) paragraphs: Vec<Paragraph>,
    /// How sure the reader is of the words, from 0 to 100.
    pub(crate) confidence: f32,
    /// The languages it was read as.
    pub(crate) languages: String,
}

/// Lines that belong together, and the rectangle they fill, in pixels from the upper left corner.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Paragraph {
    pub(crate) lines: Vec<String>,
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) right: u32,
    pub(crate) bottom: u32,
}

/// A `tesseract` that works, with what it learns of a file's language from page to page.
#[derive(Debug)]
pub(crate) struct Tesseract {
    program: PathBuf,
    version: String,
    /// How to read, the likeliest first.
    ways: Vec<Way>,
    /// How sure is sure enough.
    bar: f32,
}

/// One way to read a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    /// `chi_sim+eng`
    languages: String,
    /// Whether to find out first which side is up.
    is_turned: bool,
}

impl Tesseract {
    /// The program, with the languages asked for or, of none, those of English and Chinese that it has.
    ///
    /// # Errors
    /// Says why it can't be used; none where there is no such program.
    pub(crate) fn open(program: &OcrProgram, languages: &[String]) -> Result<Option<Self>, String> {
        let Some(program) = program.path() else {
            return Ok(None);
        };
        let say = |option| {
            let mut command = Command::new(&program);
            command.arg(option);
            let said = output(&mut command, Vec::new(), Instant::now() + GREETING)?;
            // Version 3 spoke on stderr, later ones on stdout.
            Ok::<_, String>(said.replace('\r', ""))
        };
        let version = say("--version")?;
        let version = version.lines().next().unwrap_or_default().trim().to_owned();
        let installed = say("--list-langs")?;
        let installed: Vec<&str> = installed
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.contains([' ', ':']))
            .collect();
        let ways = ways(&installed, languages)?;
        Ok(Some(Self {
            program,
            version,
            ways,
            bar: SURE,
        }))
    }

    /// Name and version, for people.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Reads a picture. Languages, and another side up, are tried until it is sure; what fitted is tried
    /// first on the next.
    ///
    /// # Errors
    /// Says why nothing came of it: it failed, or took until `deadline` or too long.
    pub(crate) fn read(&mut self, picture: &Picture, deadline: Instant) -> Result<Reading, String> {
        let mut best: Option<(usize, Reading)> = None;
        for (at, way) in self.ways.iter().enumerate() {
            // A picture without words upright has none when it is turned.
            if way.is_turned && best.as_ref().is_some_and(|(_, best)| best.is_empty()) {
                break;
            }
            let reading = match (read(&self.program, picture, way, deadline), &best) {
                (Ok(reading), _) => reading,
                (Err(_), Some(_)) => break,
                (Err(cause), None) => return Err(cause),
            };
            let is_sure = reading.confidence >= self.bar;
            let to_beat = best.as_ref().map(|(_, best)| best.confidence + CLEARLY);
            if to_beat.is_none_or(|to_beat| reading.confidence > to_beat) {
                best = Some((at, reading));
            }
            if is_sure {
                break;
            }
        }
        let (at, reading) = best.ok_or("it has no languages")?;
        if !reading.is_empty() {
            self.ways[..=at].rotate_right(1);
            // A bad scan is as bad on the next page: not everything is tried again.
            let bar = (reading.confidence - SLACK).max(MIN_SURE);
            self.bar = self.bar.min(bar);
        }
        Ok(reading)
    }
}

impl Reading {
    fn is_empty(&self) -> bool {
        self.paragraphs.is_empty()
    }
}

/// The languages upright, and then turned where `tesseract` has what it needs to tell.
fn ways(installed: &[&str], asked: &[String]) -> Result<Vec<Way>, String> {
    let choices = choices(installed, asked)?;
    let way = |is_turned: bool| {
        move |languages: &String| Way {
            languages: languages.clone(),
            is_turned,
        }
    };
    let upright = choices.iter().map(way(false));
    let turned = choices.iter().map(way(true));
    let can_tell = installed.contains(&"osd");
    Ok(upright.chain(turned.filter(|_| can_tell)).collect())
}

/// The sets of languages to try: the one asked for, or English, Simplified and Traditional Chinese, as
/// far as they are installed. A Chinese page holds English words and an English one no Chinese.
fn choices(installed: &[&str], asked: &[String]) -> Result<Vec<String>, String> {
    if let Some(absent) = asked
        .iter()
        .find(|asked| !installed.contains(&asked.as_str()))
    {
        return Err(format!("tesseract has no data for the language `{absent}`"));
    }
    if !asked.is_empty() {
        return Ok(vec![asked.join("+")]);
    }
    let has = |language: &str| installed.contains(&language);
    let mut choices = Vec::new();
    if has("eng") {
        choices.push("eng".to_owned());
    }
    for chinese in ["chi_sim", "chi_tra"] {
        if has(chinese) {
            choices.push(if has("eng") {
                format!("{chinese}+eng")
            } else {
                chinese.to_owned()
            });
        }
    }
    if choices.is_empty() {
        let is_language = |name: &&&str| !matches!(**name, "osd" | "equ" | "snum");
        choices.extend(
            installed
                .iter()
                .find(is_language)
                .map(|name| (*name).to_owned()),
        );
    }
    if choices.is_empty() {
        return Err("tesseract has no language data".to_owned());
    }
    Ok(choices)
}

fn read(
    program: &Path,
    picture: &Picture,
    way: &Way,
    deadline: Instant,
) -> Result<Reading, String> {
    let mut command = Command::new(program);
    command
        .args(["stdin", "stdout", "-l", &way.languages, "--dpi"])
        .arg(format!("{:.0}", picture.resolution))
        .args(["-c", "tessedit_create_tsv=1"])
        // Automatic page segmentation, with and without the detection of which side is up.
        .args(["--psm", if way.is_turned { "1" } else { "3" }])
        // Its threads spend more time waiting for each other than they win.
        .env("OMP_THREAD_LIMIT", "1");
    // The simplest format there is: PGM.
    let mut bytes = format!("P5\n{} {}\n255\n", picture.width, picture.height).into_bytes();
    bytes.extend_from_slice(&picture.grey);
    let table = output(
        &mut command,
        bytes,
        deadline.min(Instant::now() + PAGE_TIME),
    )?;
    let mut reading = words(&table);
    way.languages.clone_into(&mut reading.languages);
    Ok(reading)
}

/// What a program prints when given `input`; ended at the deadline.
fn output(command: &mut Command, input: Vec<u8>, deadline: Instant) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it can't be started: {error}"))?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("it has no pipes".to_owned());
    };
    // Threads, because each pipe holds little and the other side may wait on any of them.
    std::thread::spawn(move || {
        // One that has seen enough closes its end.
        let _ = stdin.write_all(&input);
    });
    let (sender, said) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.take(MAX_OUTPUT).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    let (sender, complaint) = channel();
    std::thread::spawn(move || {
        let mut stderr = stderr;
        let mut bytes = Vec::new();
        let _ = (&mut stderr).take(4096).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    });
    let left = || deadline.saturating_duration_since(Instant::now());
    let Ok(said) = said.recv_timeout(left()) else {
        end(&mut child);
        return Err("it took too long".to_owned());
    };
    end_if_late(&mut child, deadline);
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&said).into_owned());
    }
    let complaint = complaint
        .recv_timeout(Duration::from_secs(1))
        .unwrap_or_default();
    let complaint = String::from_utf8_lossy(&complaint);
    let complaint = complaint.lines().rfind(|line| !line.trim().is_empty());
    Err(match complaint {
        Some(line) => format!("{status}: {}", line.trim()),
        None => status.to_string(),
    })
}

/// One that has closed its output is about to end; one that does not is ended.
fn end_if_late(child: &mut Child, deadline: Instant) {
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            return end(child);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The paragraphs in a table of words: level, page, block, paragraph, line, word, left, top, width,
/// height, confidence, text, parted by tabs.
fn words(table: &str) -> Reading {
    const WORD: &str = "5";
    let mut reading = Reading::default();
    let mut before = ("", "", "");
    let (mut sure, mut chars) = (0.0, 0.0);
    for row in table.lines() {
        let columns: Vec<&str> = row.splitn(12, '\t').collect();
        let [
            WORD,
            _,
            block,
            paragraph,
            line,
            _,
            left,
            top,
            width,
            height,
            confidence,
            text,
        ] = columns[..]
        else {
            continue;
        };
        let number = |text: &str| text.parse::<u32>().unwrap_or_default();
        let confidence: f32 = confidence.parse().unwrap_or_default();
        let text = text.trim();
        if text.is_empty() || confidence < MIN_WORD {
            continue;
        }
        let place = (block, paragraph, line);
        if (place.0, place.1) != (before.0, before.1) || reading.paragraphs.is_empty() {
            reading.paragraphs.push(Paragraph {
                left: u32::MAX,
                top: u32::MAX,
                ..Paragraph::default()
            });
        }
        let Some(paragraph) = reading.paragraphs.last_mut() else {
            continue;
        };
        if place != before || paragraph.lines.is_empty() {
            paragraph.lines.push(String::new());
        }
        before = place;
        if let Some(line) = paragraph.lines.last_mut() {
            add_word(line, text);
        }
        let (left, top) = (number(left), number(top));
        paragraph.left = paragraph.left.min(left);
        paragraph.top = paragraph.top.min(top);
        paragraph.right = paragraph.right.max(left.saturating_add(number(width)));
        paragraph.bottom = paragraph.bottom.max(top.saturating_add(number(height)));
        let count = text.chars().count() as f32;
        sure += confidence * count;
        chars += count;
    }
    reading.confidence = if chars > 0.0 { sure / chars } else { 0.0 };
    reading
}

/// Adds a word to a line. Every Chinese character counts as one, and none has spaces around it.
fn add_word(line: &mut String, word: &str) {
    let joins = |c: Option<char>| c.is_none_or(is_unspaced);
    if !joins(line.chars().next_back()) && !joins(word.chars().next()) {
        line.push(' ');
    }
    line.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_lines_and_paragraphs_with_their_places() {
        let table = "level\tpage_num\tblock_num\n\
            4\t1\t1\t1\t1\t0\t10\t10\t100\t20\t-1\t\n\
            5\t1\t1\t1\t1\t1\t10\t10\t40\t20\t96.5\tPort\n\
            5\t1\t1\t1\t1\t2\t60\t12\t50\t20\t90.5\tAverill\n\
            5\t1\t1\t1\t2\t1\t12\t40\t20\t20\t95\t灯\n\
            5\t1\t1\t1\t2\t2\t32\t40\t20\t20\t95\t塔\n\
            5\t1\t1\t1\t2\t3\t52\t40\t20\t20\t12\t~\n\
            5\t1\t2\t1\t1\t1\t10\t90\t20\t20\t95\t1907\n";
        let reading = words(table);
        let lines: Vec<_> = reading.paragraphs.iter().map(|p| p.lines.clone()).collect();
        assert_eq!(lines, [vec!["Port Averill", "灯塔"], vec!["1907"]]);
        let first = &reading.paragraphs[0];
        assert_eq!(
            (first.left, first.top, first.right, first.bottom),
            (10, 10, 110, 60)
        );
        assert!((93.0..95.0).contains(&reading.confidence));
    }

    #[test]
    fn languages_are_those_asked_for_or_english_and_chinese() {
        let installed = ["chi_sim", "deu", "eng", "osd"];
        let choices = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
            super::choices(&installed, &asked)
        };
        assert_eq!(choices(&[]).unwrap(), ["eng", "chi_sim+eng"]);
        assert_eq!(choices(&["deu", "eng"]).unwrap(), ["deu+eng"]);
        assert!(choices(&["fra"]).unwrap_err().contains("`fra`"));
        assert_eq!(super::choices(&["deu", "osd"], &[]).unwrap(), ["deu"]);
        assert!(super::choices(&["osd"], &[]).is_err());
    }

    #[test]
    fn no_program_is_no_error_and_one_that_fails_says_why() {
        assert!(Tesseract::open(&OcrProgram::None, &[]).unwrap().is_none());
        let absent = OcrProgram::At(PathBuf::from("/nowhere/tesseract"));
        assert!(
            Tesseract::open(&absent, &[])
                .unwrap_err()
                .contains("can't be started")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_hangs_is_ended() {
        let begun = Instant::now();
        let mut command = Command::new("sleep");
        command.arg("60");
        let deadline = begun + Duration::from_millis(100);
        assert_eq!(
            output(&mut command, Vec::new(), deadline),
            Err("it took too long".to_owned())
        );
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
