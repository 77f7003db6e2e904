//! The numbers of lists and headings as they are shown: `3`, `c`, `iii`, `三`, `③`.

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Numerals {
    #[default]
    Decimal,
    DecimalWithZero,
    LowerLetter,
    UpperLetter,
    LowerRoman,
    UpperRoman,
    Chinese,
    ChineseLegal,
    Stems,
    Circled,
    FullWidth,
    /// A sign that is the same for every item.
    Bullet,
    None,
}

impl Numerals {
    /// As `w:numFmt` calls them (ECMA-376 part 1, 17.18.59).
    pub(super) fn of_word(name: &str) -> Self {
        match name {
            "bullet" => Self::Bullet,
            "none" => Self::None,
            "decimalZero" => Self::DecimalWithZero,
            "lowerLetter" => Self::LowerLetter,
            "upperLetter" => Self::UpperLetter,
            "lowerRoman" => Self::LowerRoman,
            "upperRoman" => Self::UpperRoman,
            "chineseCounting"
            | "chineseCountingThousand"
            | "taiwaneseCounting"
            | "taiwaneseCountingThousand"
            | "japaneseCounting"
            | "ideographDigital" => Self::Chinese,
            "chineseLegalSimplified" | "ideographLegalTraditional" | "japaneseLegal" => {
                Self::ChineseLegal
            }
            "ideographTraditional" => Self::Stems,
            "decimalEnclosedCircle" | "decimalEnclosedCircleChinese" => Self::Circled,
            "decimalFullWidth" | "decimalFullWidth2" => Self::FullWidth,
            _ => Self::Decimal,
        }
    }

    /// As `OpenDocument` shows the number one (ODF 1.3 part 3, 19.502).
    pub(super) fn of_sample(sample: &str) -> Self {
        match sample {
            "" => Self::None,
            "a" => Self::LowerLetter,
            "A" => Self::UpperLetter,
            "i" => Self::LowerRoman,
            "I" => Self::UpperRoman,
            "一, 二, 三, ..." | "一" => Self::Chinese,
            "壹, 贰, 叁, ..." | "壹, 貳, 參, ..." => Self::ChineseLegal,
            "甲, 乙, 丙, ..." => Self::Stems,
            "①, ②, ③, ..." => Self::Circled,
            "１, ２, ３, ..." => Self::FullWidth,
            _ => Self::Decimal,
        }
    }

    pub(super) fn shown(self, n: u32) -> String {
        match self {
            Self::Bullet | Self::None => String::new(),
            Self::DecimalWithZero => format!("{n:02}"),
            Self::LowerLetter => letters(n, 'a'),
            Self::UpperLetter => letters(n, 'A'),
            Self::LowerRoman => roman(n).to_lowercase(),
            Self::UpperRoman => roman(n),
            Self::Chinese => chinese(n, "〇一二三四五六七八九", "十百千").unwrap_or(n.to_string()),
            Self::ChineseLegal => {
                chinese(n, "零壹贰叁肆伍陆柒捌玖", "拾佰仟").unwrap_or(n.to_string())
            }
            Self::Stems => nth("甲乙丙丁戊己庚辛壬癸", n),
            Self::Circled => nth("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳", n),
            Self::FullWidth => {
                let wide = |c: char| nth("０１２３４５６７８９", c.to_digit(10).unwrap_or(0) + 1);
                n.to_string().chars().map(wide).collect()
            }
            Self::Decimal => n.to_string(),
        }
    }
}

/// `a` to `z`, then `aa` to `zz`, as Word counts.
fn letters(n: u32, first: char) -> String {
    let Some(index) = n.checked_sub(1) else {
        return String::new();
    };
    let letter = char::from(first as u8 + (index % 26) as u8);
    std::iter::repeat_n(letter, (index / 26 + 1).min(8) as usize).collect()
}

fn roman(n: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if n >= 10_000 {
        return n.to_string();
    }
    let mut left = n;
    let mut out = String::new();
    for (value, sign) in SIGNS {
        while left >= value {
            out.push_str(sign);
            left -= value;
        }
    }
    out
}

/// Numbers below ten thousand: `二十一`, `一百〇五`; ten to nineteen without their one.
fn chinese(n: u32, digits: &str, units: &str) -> Option<String> {
    if n == 0 || n >= 10_000 {
        return (n == 0).then(|| digits.chars().take(1).collect());
    }
    let mut out = String::new();
    let mut zero = false;
    for power in (0..4_u32).rev() {
        let digit = n / 10_u32.pow(power) % 10;
        if digit == 0 {
            zero = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut zero) {
            out.extend(digits.chars().next());
        }
        if !(digit == 1 && power == 1 && out.is_empty()) {
            out.extend(digits.chars().nth(digit as usize));
        }
        if let Some(unit) = power.checked_sub(1) {
            out.extend(units.chars().nth(unit as usize));
        }
    }
    Some(out)
}

fn nth(signs: &str, n: u32) -> String {
    let sign = n
        .checked_sub(1)
        .and_then(|at| signs.chars().nth(at as usize));
    sign.map_or_else(|| n.to_string(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_word_shows_them() {
        let shown = |numerals: Numerals, numbers: &[u32]| {
            let all: Vec<String> = numbers.iter().map(|n| numerals.shown(*n)).collect();
            all.join(" ")
        };
        assert_eq!(shown(Numerals::LowerLetter, &[1, 26, 27, 54]), "a z aa bbb");
        assert_eq!(
            shown(Numerals::UpperRoman, &[4, 19, 1931]),
            "IV XIX MCMXXXI"
        );
        let numbers = [1, 10, 12, 20, 21, 105, 110, 1001];
        assert_eq!(
            shown(Numerals::Chinese, &numbers),
            "一 十 十二 二十 二十一 一百〇五 一百一十 一千〇一"
        );
        assert_eq!(shown(Numerals::Circled, &[3, 21]), "③ 21");
        assert_eq!(shown(Numerals::FullWidth, &[10]), "１０");
        assert_eq!(shown(Numerals::DecimalWithZero, &[7]), "07");
    }
}
