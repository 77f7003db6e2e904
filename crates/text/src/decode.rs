//! Bytes to text: byte order mark, strict UTF-8, what the file declares, a guess; every doubt said.
//!
//! The text is the file's own, except that CRLF and a lone CR become LF (so the number of every line
//! stays) and NUL characters are left out.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, Encoding, GBK, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};
use rag_core::{Warning, WarningKind};

/// A text and what had to be guessed or was lost.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    /// Its name in lower case, as people know it.
    pub(crate) encoding: String,
    pub(crate) warnings: Vec<Warning>,
}

/// Decodes `bytes`; `declared` is what the file itself says of its encoding, which is believed only
/// where the bytes are neither marked nor valid UTF-8 and fit it.
pub(crate) fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> Decoded {
    let mut warnings = Vec::new();
    let fits = |encoding: &&'static Encoding| {
        encoding
            .decode_without_bom_handling_and_without_replacement(bytes)
            .is_some()
    };
    let (text, encoding) = if let Some(text) = utf32(bytes) {
        (text, "utf-32".to_owned())
    } else {
        let mut mark = 0;
        let encoding = if let Some((encoding, length)) = Encoding::for_bom(bytes) {
            mark = length;
            encoding
        } else if let Some(encoding) = unmarked_utf16(bytes) {
            warnings.push(guessed(encoding));
            encoding
        } else if let Some(escaped) = Some(ISO_2022_JP).filter(|_| is_iso_2022_jp(bytes)) {
            escaped
        } else if std::str::from_utf8(bytes).is_ok() {
            UTF_8
        } else if let Some((text, warning)) = mixed(bytes) {
            warnings.push(warning);
            let text = tidy(text, &mut warnings);
            let encoding = name_of(UTF_8);
            return Decoded {
                text,
                encoding,
                warnings,
            };
        } else if is_damaged_utf8(bytes) {
            UTF_8
        } else if let Some(encoding) = declared.filter(fits) {
            encoding
        } else {
            let encoding = guess(bytes);
            warnings.push(guessed(encoding));
            encoding
        };
        (
            by(encoding, &bytes[mark..], &mut warnings),
            name_of(encoding),
        )
    };
    Decoded {
        text: tidy(text, &mut warnings),
        encoding,
        warnings,
    }
}

/// In lower case. GBK text is read by the decoder of its superset, whose name people know from files.
fn name_of(encoding: &'static Encoding) -> String {
    match encoding.name() {
        "GBK" => "gb18030".to_owned(),
        other => other.to_lowercase(),
    }
}

/// The encoding that an HTML page declares in its first 4 KiB, in a `meta` element or an XML
/// declaration. UTF-16 there means UTF-8: the declaration itself could be read (WHATWG HTML, 13.2.3.2).
pub(crate) fn declared_by_html(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(4096)].to_ascii_lowercase();
    let from = |at: usize, key: &[u8]| label_after(&head[at..], key);
    let xml = head.starts_with(b"<?xml").then(|| from(0, b"encoding"));
    let meta = find(&head, b"<meta").map(|at| from(at, b"charset"));
    let label = xml.flatten().or(meta.flatten())?;
    let encoding = Encoding::for_label(&label)?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE {
        UTF_8
    } else {
        encoding
    })
}

/// The encoding that a text declares for editors in its first two lines (`-*- coding: gbk -*-`).
pub(crate) fn declared_by_comment(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(400)].to_ascii_lowercase();
    let lines = head.split(|b| *b == b'\n').take(2);
    lines.into_iter().find_map(|line| {
        let rest = &line[find(line, b"coding")? + 6..];
        let rest = rest.strip_prefix(b":").or(rest.strip_prefix(b"="))?;
        let is_label = |b: &&u8| b.is_ascii_alphanumeric() || b"-_".contains(b);
        let label: Vec<u8> = rest
            .trim_ascii_start()
            .iter()
            .take_while(is_label)
            .copied()
            .collect();
        Encoding::for_label(&label)
    })
}

/// UTF-16 without a mark: in mostly Latin text every second byte is NUL, in Chinese every second byte
/// comes of the few hundred that begin its characters.
pub(crate) fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    /// An odd byte at the end of a longer text is half a character.
    const MAY_BE_CUT: usize = 40;
    let head = &bytes[..bytes.len().min(4096)];
    let pairs = head.len() / 2;
    if pairs < 2 || !bytes.len().is_multiple_of(2) && bytes.len() < MAY_BE_CUT {
        return None;
    }
    let nuls = |offset: usize| {
        head.iter()
            .skip(offset)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let (even, odd) = (nuls(0), nuls(1));
    if odd * 3 > pairs && even * 20 < pairs {
        Some(UTF_16LE)
    } else if even * 3 > pairs && odd * 20 < pairs {
        Some(UTF_16BE)
    } else if std::str::from_utf8(head).is_err() {
        [
            (UTF_16LE, u16::from_le_bytes as fn([u8; 2]) -> u16),
            (UTF_16BE, u16::from_be_bytes),
        ]
        .into_iter()
        .find(|(_, read)| is_chinese_utf16(head, *read))
        .map(|(encoding, _)| encoding)
    } else {
        None
    }
}

/// Whether nearly all pairs of bytes are characters of Chinese or Japanese text, and the bytes by
/// themselves no text: two letters of ASCII are a Chinese character to UTF-16.
fn is_chinese_utf16(head: &[u8], read: fn([u8; 2]) -> u16) -> bool {
    let is_control = |b: &&u8| matches!(**b, 0..=8 | 0x0B | 0x0E..=0x1F | 0x7F);
    let controls = head.iter().filter(is_control).count();
    let units = head.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    let is_usual = |unit: &u16| {
        matches!(unit, 0x4E00..=0x9FA5 | 0x3000..=0x30FF | 0xFF01..=0xFF65 | 0x2010..=0x2026 | 0x20..=0x7E)
            || [0x09, 0x0A, 0x0D].contains(unit)
    };
    let (all, usual) = units.fold((0, 0), |(all, usual), unit| {
        (all + 1, usual + usize::from(is_usual(&unit)))
    });
    all >= 4 && usual * 100 >= all * 97 && controls * 50 >= head.len()
}

/// Whether a text switches to Japanese by escape sequences: its bytes are all ASCII.
fn is_iso_2022_jp(bytes: &[u8]) -> bool {
    let switches = find(bytes, b"\x1B$B")
        .or_else(|| find(bytes, b"\x1B$@"))
        .is_some();
    switches && bytes.is_ascii() && !ISO_2022_JP.decode_without_bom_handling(bytes).1
}

/// A text of UTF-8 with lines of another encoding between its own, as logs and joined files have them.
fn mixed(bytes: &[u8]) -> Option<(String, Warning)> {
    let lines = || bytes.split_inclusive(|b| *b == b'\n');
    let is_foreign = |line: &&[u8]| std::str::from_utf8(line).is_err() && !is_damaged_utf8(line);
    let is_own = |line: &[u8]| !line.is_ascii() && std::str::from_utf8(line).is_ok();
    if !lines().any(is_own) {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut foreign = 0;
    for line in lines().filter(is_foreign) {
        foreign += 1;
        detector.feed(line, false);
    }
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let mut text = String::with_capacity(bytes.len());
    for line in lines() {
        if is_foreign(&line) {
            let decoded = encoding.decode_without_bom_handling_and_without_replacement(line)?;
            text.push_str(&decoded);
        } else {
            text.push_str(std::str::from_utf8(line).ok()?);
        }
    }
    let fact = format!(
        "{foreign} lines read as {} among lines of utf-8",
        name_of(encoding)
    );
    Some((text, Warning::new(WarningKind::Guessed, fact)))
}

fn by(encoding: &'static Encoding, bytes: &[u8], warnings: &mut Vec<Warning>) -> String {
    let (text, damaged) = encoding.decode_without_bom_handling(bytes);
    if damaged {
        let count = text.matches('\u{FFFD}').count();
        let name = name_of(encoding);
        let fact = format!("{count} byte sequences are not valid {name}");
        warnings.push(Warning::new(WarningKind::Lost, fact));
    }
    text.into_owned()
}

fn guessed(encoding: &'static Encoding) -> Warning {
    Warning::new(
        WarningKind::Guessed,
        format!("read as {}", name_of(encoding)),
    )
}

/// The likeliest encoding by the statistics of `chardetng`.
fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    // A character that is cut at the end is no argument against its encoding.
    detector.feed(bytes, false);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let is_sure = [GBK, BIG5, SHIFT_JIS, EUC_JP].contains(&guess);
    by_sight(bytes).filter(|_| !is_sure).unwrap_or(guess)
}

/// The characters that a short Chinese text has most of: the 200 most frequent ones.
const FREQUENT: &str = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西月话合回特代内信表化老给世位次度门任常先海通教";

/// What a text of a few characters is to the eye, where these are too few for statistics of bytes.
fn by_sight(bytes: &[u8]) -> Option<&'static Encoding> {
    const MOST_BYTES: usize = 40;
    if bytes.iter().filter(|b| !b.is_ascii()).count() > MOST_BYTES {
        return None;
    }
    // At least a share of the characters beyond ASCII must be telling ones.
    let shows = |encoding: &'static Encoding, share: usize, is_telling: fn(char) -> bool| {
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
        let characters = text.chars().filter(|c| !c.is_ascii());
        let (all, telling) = characters.fold((0, 0), |(all, telling), c| {
            (all + 1, telling + usize::from(is_telling(c)))
        });
        (telling * 100 >= all * share).then_some(encoding)
    };
    let is_hiragana = |c: char| ('\u{3041}'..='\u{3093}').contains(&c);
    shows(GBK, 51, |c| FREQUENT.contains(c))
        .or_else(|| shows(SHIFT_JIS, 20, is_hiragana))
        .or_else(|| shows(EUC_JP, 20, is_hiragana))
}

/// Whether `bytes` are UTF-8 with some damage rather than another encoding: valid sequences of more
/// than one byte far outnumber broken ones, or the only fault is that the last one is cut.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut broken) = (0_usize, 0_usize);
    let mut cut_at_end = false;
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        let invalid = chunk.invalid();
        broken += usize::from(!invalid.is_empty());
        // Only a sequence that runs into the end of the file is an incomplete one of two bytes or more.
        cut_at_end = invalid.len() > 1;
    }
    broken * 4 <= valid || (broken == 1 && cut_at_end)
}

/// UTF-32 with a byte order mark, which the web's encodings leave out.
fn utf32(bytes: &[u8]) -> Option<String> {
    let (rest, read): (_, fn([u8; 4]) -> u32) = match bytes {
        [0xFF, 0xFE, 0, 0, rest @ ..] => (rest, u32::from_le_bytes),
        [0, 0, 0xFE, 0xFF, rest @ ..] => (rest, u32::from_be_bytes),
        _ => return None,
    };
    if rest.len() % 4 != 0 {
        return None;
    }
    let unit = |unit: &[u8]| {
        let code = read([unit[0], unit[1], unit[2], unit[3]]);
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    Some(rest.chunks_exact(4).map(unit).collect())
}

/// One line end, no NUL characters.
fn tidy(text: String, warnings: &mut Vec<Warning>) -> String {
    let nuls = text.bytes().filter(|b| *b == 0).count();
    if nuls > 0 {
        let fact = format!("left out {nuls} NUL characters");
        warnings.push(Warning::new(WarningKind::Guessed, fact));
    } else if !text.contains('\r') {
        return text;
    }
    let mut tidied = String::with_capacity(text.len());
    let mut after_return = false;
    for c in text.chars() {
        match c {
            '\r' => tidied.push('\n'),
            '\n' if after_return => {}
            '\0' => {}
            other => tidied.push(other),
        }
        after_return = c == '\r';
    }
    tidied
}

fn label_after(head: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let rest = head[find(head, key)? + key.len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let rest = rest
        .strip_prefix(b"\"")
        .or(rest.strip_prefix(b"'"))
        .unwrap_or(rest);
    let is_label = |b: &&u8| b.is_ascii_alphanumeric() || b"-_:.".contains(*b);
    Some(rest.iter().take_while(is_label).copied().collect())
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINESE: &str =
        "青岚水库的管理员在一九三一年冬天记录了一百零五次暴雨，并写进了年度报告。";

    fn facts(decoded: &Decoded) -> Vec<&str> {
        decoded.warnings.iter().map(|w| w.fact.as_str()).collect()
    }

    #[test]
    fn marked_and_valid_texts_are_read_without_a_word() {
        let marked: [&[u8]; 4] = [
            b"\xEF\xBB\xBFa\xE4\xB8\xAD",
            b"\xFF\xFEa\0\x2D\x4E",
            b"\xFE\xFF\0a\x4E\x2D",
            b"\xFF\xFE\0\0a\0\0\0\x2D\x4E\0\0",
        ];
        for bytes in marked {
            let decoded = decode(bytes, None);
            assert_eq!(decoded.text, "a中", "{bytes:?}");
            assert!(decoded.warnings.is_empty());
        }
        assert_eq!(decode("a中".as_bytes(), None).text, "a中");
    }

    #[test]
    fn a_guessed_encoding_is_named() {
        let (gb, _, _) = encoding_rs::GB18030.encode(CHINESE);
        let decoded = decode(&gb, None);
        assert_eq!(decoded.text, CHINESE);
        assert_eq!(facts(&decoded), ["read as gb18030"]);
        assert_eq!(decoded.warnings[0].kind, WarningKind::Guessed);

        let traditional =
            "青嵐水庫的管理員在一九三一年冬天記錄了一百三十一次暴雨，並寫進了年度報告。";
        let (big5, _, _) = encoding_rs::BIG5.encode(traditional);
        let decoded = decode(&big5, None);
        assert_eq!(decoded.text, traditional);
        assert_eq!(facts(&decoded), ["read as big5"]);
    }

    #[test]
    fn damaged_utf8_is_not_taken_for_another_encoding() {
        let mut bytes = CHINESE.as_bytes().to_vec();
        bytes.insert(30, 0xFF);
        let decoded = decode(&bytes, None);
        assert!(decoded.text.contains("九三一年冬天记录"));
        assert_eq!(facts(&decoded), ["1 byte sequences are not valid utf-8"]);
        assert_eq!(decoded.warnings[0].kind, WarningKind::Lost);

        let cut = decode(&"a line, then 中".as_bytes()[..15], None);
        assert_eq!(cut.text, "a line, then \u{FFFD}");
        assert_eq!(cut.warnings[0].kind, WarningKind::Lost);
    }

    #[test]
    fn a_declared_encoding_counts_where_it_fits() {
        let (gb, _, _) = encoding_rs::GBK.encode("短文");
        let page = [b"<meta charset=\"GB2312\">", &gb[..]].concat();
        let declared = declared_by_html(&page);
        assert_eq!(declared.map(Encoding::name), Some("GBK"));
        let decoded = decode(&page, declared);
        assert!(decoded.text.ends_with("短文"));
        assert!(decoded.warnings.is_empty());
        // A page that says GBK and is UTF-8 is UTF-8.
        assert_eq!(decode("中文".as_bytes(), declared).text, "中文");
        let http = b"<META http-equiv=Content-Type content='text/html; charset=big5'>";
        assert_eq!(declared_by_html(http).map(Encoding::name), Some("Big5"));
    }

    #[test]
    fn line_ends_become_one_and_lines_keep_their_number() {
        assert_eq!(decode(b"a\r\nb\rc\n\r\nd", None).text, "a\nb\nc\n\nd");
    }

    fn units(text: &str, of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(of).collect()
    }

    #[test]
    fn utf16_without_a_mark_is_seen_by_every_second_byte() {
        for text in [
            "The lighthouse keeper.",
            CHINESE,
            "短文，很短。",
            "港口 Averill\n第一章\n",
        ] {
            let little = decode(&units(text, u16::to_le_bytes), None);
            assert_eq!((&*little.text, &*little.encoding), (text, "utf-16le"));
            let big = decode(&units(text, u16::to_be_bytes), None);
            assert_eq!((&*big.text, &*big.encoding), (text, "utf-16be"));
            assert_eq!(facts(&big), ["read as utf-16be"]);
        }
        let latin = "Die Größe der Hafenstraße überrascht: größer als früher.";
        let (bytes, ..) = encoding_rs::WINDOWS_1252.encode(latin);
        assert_eq!(decode(&bytes, None).text, latin);
    }

    /// Texts of every encoding that people still have, long and short.
    const OLD: [(&str, &str); 20] = [
        ("gb18030", "青岚水库的管理员在冬天记录了一百零五次暴雨。"),
        ("gb18030", "本合同自签字之日起生效，一式两份。"),
        ("gb18030", "港口时刻表"),
        ("gb18030", "第一章 风暴\n管理员说：“今天没有船。”"),
        ("gb18030", "票价：成人12元"),
        ("gb18030", "你好"),
        ("big5", "青嵐水庫的管理員在冬天記錄了一百三十一次暴雨。"),
        ("big5", "會議紀錄：出席人員與決議事項"),
        ("big5", "港口時刻表"),
        ("shift_jis", "灯台守はその冬の嵐をすべて記録した。"),
        ("shift_jis", "会議の議事録です"),
        ("euc-jp", "灯台守はその冬の嵐をすべて記録した。"),
        ("euc-kr", "등대지기는 그 겨울의 모든 폭풍을 기록했다."),
        (
            "windows-1252",
            "Die Größe der Hafenstraße überraschte den Wärter sehr.",
        ),
        (
            "windows-1252",
            "Le gardien a noté chaque tempête de l’été dernier.",
        ),
        (
            "windows-1251",
            "Смотритель маяка записал все бури той зимы.",
        ),
        ("koi8-u", "Смотритель маяка записал все бури той зимы."),
        (
            "windows-1250",
            "Strażnik latarni zapisał każdą burzę tej zimy i żałował.",
        ),
        (
            "windows-1253",
            "Ο φύλακας του φάρου κατέγραψε κάθε καταιγίδα.",
        ),
        ("windows-1255", "שומר המגדלור רשם כל סערה באותו חורף."),
    ];

    fn encoded(name: &str, text: &str) -> Vec<u8> {
        let encoding = Encoding::for_label(name.as_bytes()).unwrap();
        let (bytes, _, lost) = encoding.encode(text);
        assert!(!lost, "{text}");
        bytes.into_owned()
    }

    #[test]
    fn texts_in_old_encodings_come_back_to_the_letter() {
        for (name, text) in OLD {
            let decoded = decode(&encoded(name, text), None);
            assert_eq!((&*decoded.text, &*decoded.encoding), (text, name));
            assert_eq!(facts(&decoded), [format!("read as {name}")]);
        }
    }

    #[test]
    fn a_text_that_is_cut_inside_a_character_keeps_its_encoding_and_all_before() {
        for (name, text) in OLD.into_iter().filter(|(_, text)| text.len() > 30) {
            let bytes = encoded(name, text);
            let cut = &bytes[..bytes.len() - 1];
            let decoded = decode(cut, None);
            assert_eq!(decoded.encoding, name, "{text}");
            let kept = decoded.text.trim_end_matches('\u{FFFD}');
            assert!(
                text.starts_with(kept) && kept.len() + 5 > text.len(),
                "{kept}"
            );
        }
        let wide = units(&CHINESE.repeat(2), u16::to_le_bytes);
        let decoded = decode(&wide[..wide.len() - 1], None);
        assert_eq!(decoded.encoding, "utf-16le");
        assert_eq!(
            decoded.warnings.last().map(|w| w.kind),
            Some(WarningKind::Lost)
        );
    }

    #[test]
    fn lines_of_another_encoding_among_lines_of_utf8_are_read_too() {
        let foreign = encoded("gbk", "第二行是另一种编码写的。\n");
        let bytes = [CHINESE.as_bytes(), b"\n", &foreign, "末行。\n".as_bytes()].concat();
        let decoded = decode(&bytes, None);
        assert_eq!(
            decoded.text,
            format!("{CHINESE}\n第二行是另一种编码写的。\n末行。\n")
        );
        assert_eq!(
            facts(&decoded),
            ["1 lines read as gb18030 among lines of utf-8"]
        );
    }

    #[test]
    fn japanese_in_escape_sequences_and_declared_encodings_are_read() {
        let text = "会議の議事録";
        let (bytes, ..) = ISO_2022_JP.encode(text);
        assert!(bytes.is_ascii());
        assert_eq!(decode(&bytes, None).text, text);
        let script = encoded("gbk", "# -*- coding: gbk -*-\nx = '票'\n");
        let declared = declared_by_comment(&script);
        assert_eq!(declared.map(Encoding::name), Some("GBK"));
        assert!(decode(&script, declared).warnings.is_empty());
    }
}
