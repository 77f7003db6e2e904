//! What a Chinese question leans on, Simplified or Traditional: pronouns, 那……呢, and what was spoken
//! of. Pure; it proposes, and the documents decide. No dictionary: things are what stands between
//! function words.

use rag_core::Span;
use rag_core::fold::is_unspaced;

use super::rewrite::{Lean, StandIn, StandsFor};

/// Words that ask; longest first, since the first that fits is taken.
const ASKING: [&str; 58] = [
    "什么时候",
    "什麼時候",
    "为什么",
    "為什麼",
    "怎么办",
    "怎麼辦",
    "怎么样",
    "怎麼樣",
    "是不是",
    "能不能",
    "可不可以",
    "有没有",
    "有沒有",
    "哪一年",
    "哪一个",
    "哪一個",
    "什么样",
    "什麼樣",
    "多少",
    "什么",
    "什麼",
    "哪年",
    "哪里",
    "哪裡",
    "哪儿",
    "哪些",
    "哪个",
    "哪個",
    "哪种",
    "哪種",
    "哪位",
    "哪天",
    "多大",
    "多长",
    "多長",
    "多久",
    "多高",
    "多远",
    "多遠",
    "多重",
    "几点",
    "幾點",
    "怎么",
    "怎麼",
    "怎样",
    "怎樣",
    "如何",
    "为何",
    "為何",
    "何时",
    "何時",
    "是否",
    "请问",
    "請問",
    "谁",
    "誰",
    "几",
    "幾",
];
/// Words between things.
const BETWEEN: [&str; 71] = [
    "位于", "位於", "属于", "屬於", "来自", "來自", "每个", "每個", "每次", "每条", "可以", "需要",
    "应该", "應該", "应当", "一共", "总共", "總共", "关于", "關於", "对于", "對於", "以及", "还有",
    "還有", "之间", "之間", "的", "了", "是", "在", "和", "与", "與", "及", "或", "也", "都", "就",
    "而", "着", "到", "从", "從", "由", "被", "把", "对", "對", "于", "於", "向", "给", "給", "有",
    "能", "会", "會", "要", "应", "應", "须", "須", "需", "共", "每", "吗", "嗎", "呢", "吧", "啊",
];
/// Words that hold such a character and are cut nowhere.
const WHOLE: [&str; 58] = [
    "能见度",
    "能見度",
    "能源",
    "能量",
    "能力",
    "功能",
    "性能",
    "节能",
    "節能",
    "智能",
    "董事会",
    "董事會",
    "委员会",
    "委員會",
    "会议",
    "會議",
    "会员",
    "會員",
    "社会",
    "社會",
    "机会",
    "機會",
    "协会",
    "協會",
    "工会",
    "工會",
    "要求",
    "主要",
    "重要",
    "应急",
    "應急",
    "应用",
    "應用",
    "供应",
    "供應",
    "反应",
    "反應",
    "公共",
    "共同",
    "对方",
    "對方",
    "到达",
    "到達",
    "迟到",
    "遲到",
    "到期",
    "报到",
    "報到",
    "需求",
    "必须",
    "方向",
    "每年",
    "每月",
    "每天",
    "每周",
    "有限",
    "所有",
    "特有",
];
/// Times that are told from another one: 那上年呢？
const RELATIVE: [&str; 22] = [
    "上年",
    "去年",
    "前年",
    "明年",
    "次年",
    "来年",
    "來年",
    "今年",
    "上月",
    "上个月",
    "上個月",
    "下个月",
    "下個月",
    "之后",
    "之後",
    "之前",
    "后来",
    "後來",
    "以前",
    "以后",
    "以後",
    "上一年",
];
/// Beginnings that say the question goes on; longest first.
const GOES_ON: [&str; 14] = [
    "那么",
    "那麼",
    "还有",
    "還有",
    "以及",
    "另外",
    "如果是",
    "要是",
    "换成",
    "換成",
    "那",
    "而",
    "和",
    "再",
];
/// What stands for something else, and whether it says whose something is; longest first.
const STAND_INS: [(&str, StandsFor, bool); 52] = {
    use StandsFor::{Anything, Person, Place};
    [
        ("这里面", Place, false),
        ("那里面", Place, false),
        ("它们", Anything, false),
        ("它們", Anything, false),
        ("他们", Person, false),
        ("他們", Person, false),
        ("她们", Person, false),
        ("她們", Person, false),
        ("这里", Place, false),
        ("那里", Place, false),
        ("這裡", Place, false),
        ("那裡", Place, false),
        ("这儿", Place, false),
        ("那儿", Place, false),
        ("这个", Anything, false),
        ("那个", Anything, false),
        ("這個", Anything, false),
        ("那個", Anything, false),
        ("这些", Anything, false),
        ("那些", Anything, false),
        ("這些", Anything, false),
        ("那些", Anything, false),
        ("这艘", Anything, false),
        ("那艘", Anything, false),
        ("這艘", Anything, false),
        ("这家", Anything, false),
        ("那家", Anything, false),
        ("這家", Anything, false),
        ("这条", Anything, false),
        ("那条", Anything, false),
        ("這條", Anything, false),
        ("这种", Anything, false),
        ("那种", Anything, false),
        ("這種", Anything, false),
        ("这位", Person, false),
        ("那位", Person, false),
        ("這位", Person, false),
        ("这座", Anything, false),
        ("那座", Anything, false),
        ("這座", Anything, false),
        ("这次", Anything, false),
        ("那次", Anything, false),
        ("這次", Anything, false),
        ("它", Anything, false),
        ("牠", Anything, false),
        ("他", Person, false),
        ("她", Person, false),
        ("该", Anything, false),
        ("該", Anything, false),
        ("此", Anything, false),
        ("其", Anything, true),
        ("这", Anything, false),
    ]
};
/// Words that hold such a character and stand for nothing.
const NO_STAND_INS: [&str; 24] = [
    "那儿童",
    "那儿女",
    "那儿子",
    "其他",
    "其它",
    "其中",
    "其余",
    "其餘",
    "其实",
    "其實",
    "其次",
    "尤其",
    "极其",
    "应该",
    "應該",
    "因此",
    "此外",
    "如此",
    "此前",
    "此后",
    "这样",
    "這樣",
    "这么",
    "这年",
];
/// Characters that a question of one thing has at most.
const SHORT: usize = 12;
/// Things in the place of which a fragment is tried.
const TRIED: usize = 4;

/// How `question` leans, and the question without the words that only say that it goes on.
pub(super) fn lean(question: &str) -> (Lean, String) {
    let going_on = GOES_ON
        .iter()
        .find_map(|start| question.strip_prefix(*start));
    let stand_ins = stand_ins(question);
    // 那里 and 那艘 are no 那.
    let going_on = going_on.filter(|_| stand_ins.first().is_none_or(|first| first.span.start > 0));
    let bare = going_on.map_or(question, |rest| rest.trim_start_matches(['，', ' ']));
    if !stand_ins.is_empty() {
        return (Lean::StandIns(stand_ins), bare.to_owned());
    }
    let plain = bare.trim_end_matches(['？', '?', '。', '！', ' ']);
    let asks = ASKING.iter().any(|word| plain.contains(word)) || plain.ends_with(['吗', '嗎']);
    let named = plain.trim_end_matches(['呢', '嘛', '啊', '吧']);
    let content = pieces(named);
    if !asks && (named.len() < plain.len() || going_on.is_some()) && length(named) <= SHORT {
        let is_told = RELATIVE.contains(&named);
        let named = if is_told { "" } else { named };
        return (Lean::Anew(named.to_owned()), bare.to_owned());
    }
    // 为什么？ 多少钱？ say nothing of what they ask about.
    if asks && content.iter().all(|span| length(span.slice(named)) < 2) {
        return (Lean::Anew(String::new()), bare.to_owned());
    }
    let has_own = named.contains(|c: char| c.is_ascii_alphanumeric() || "“《「".contains(c));
    let named_things = content.iter().filter(|span| length(span.slice(named)) > 1);
    let has_own = has_own || named_things.count() > 1;
    if !has_own && length(named) <= SHORT {
        return (Lean::Perhaps, bare.to_owned());
    }
    (Lean::Not, bare.to_owned())
}

fn length(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

fn stand_ins(question: &str) -> Vec<StandIn> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = question[at..].chars().next() {
        let rest = &question[at..];
        if let Some(word) = NO_STAND_INS.iter().find(|word| rest.starts_with(**word)) {
            at += word.len();
            continue;
        }
        let Some((word, of, possessive)) = STAND_INS.iter().find(|word| rest.starts_with(word.0))
        else {
            at += c.len_utf8();
            continue;
        };
        let end = at + word.len();
        // 该公司 is one word with what it stands before; 它们 is not.
        let points = matches!(*word, "该" | "該" | "此");
        let noun = question[end..].chars().take(2).collect::<String>();
        let takes = points && noun.chars().count() == 2 && noun.chars().all(is_unspaced);
        let whole = takes
            && pieces(&noun)
                .first()
                .is_some_and(|span| span.end == noun.len());
        let end = if whole { end + noun.len() } else { end };
        found.push(StandIn {
            span: Span::new(at, end),
            of: *of,
            possessive: *possessive,
        });
        at = end;
    }
    found
}

/// What stands between words that ask and words between things: runs of characters and words.
fn pieces(text: &str) -> Vec<Span> {
    let mut pieces: Vec<Span> = Vec::new();
    let mut from = None;
    let mut at = 0;
    while at <= text.len() {
        let rest = &text[at..];
        if let Some(word) = WHOLE.iter().find(|word| rest.starts_with(**word)) {
            from.get_or_insert(at);
            at += word.len();
            continue;
        }
        let cut = ASKING
            .iter()
            .chain(&BETWEEN)
            .find(|word| rest.starts_with(**word));
        let c = rest.chars().next();
        let inside = cut.is_none() && c.is_some_and(|c| c.is_alphanumeric() || "-·.".contains(c));
        match (inside, from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                pieces.push(Span::new(start, at));
                from = None;
            }
            _ => {}
        }
        at += cut.map_or_else(|| c.map_or(1, char::len_utf8), |word| word.len());
    }
    pieces
}

/// What a text speaks of, in its order.
pub(super) fn things(text: &str) -> Vec<String> {
    let long = |span: &Span| length(span.slice(text)) > 1;
    let all = pieces(text).into_iter().filter(long);
    all.map(|span| span.slice(text).to_owned()).collect()
}

/// `previous` asked of what is named `anew`: in the place of what ends alike (夜班, 白班), then of each
/// thing.
pub(super) fn swaps(previous: &str, anew: &str) -> Vec<String> {
    let pieces = pieces(previous);
    let mut spans: Vec<Span> = Vec::new();
    let mut alike: Vec<(usize, Span)> = Vec::new();
    for piece in &pieces {
        alike.extend(
            ending_alike(piece.slice(previous), anew)
                .map(|(shared, span)| (shared, span.shifted(piece.start))),
        );
    }
    alike.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    // 满十年 takes the place of 满一年 and of nothing else.
    let are_alike = alike.first().is_some_and(|(rank, _)| *rank >= 4);
    spans.extend(alike.into_iter().map(|(_, span)| span).take(TRIED));
    let long = |span: &&Span| length(span.slice(previous)) > 1;
    let others = if are_alike { 0 } else { TRIED };
    for piece in pieces.iter().filter(long).take(others) {
        spans.push(*piece);
        // 儿童票价 rather than 儿童, in the place of 成人票价.
        let mut characters = piece.slice(previous).char_indices();
        if let Some((end, c)) = characters.nth(anew.chars().count())
            && c != '至'
        {
            spans.push(Span::new(piece.start, piece.start + end));
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for span in spans {
        let old = span.slice(previous);
        if old == anew {
            continue;
        }
        // A thing that is named twice is meant twice: 每个夜班的夜班津贴.
        let text = previous.replace(old, anew);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// Parts of `text` of about the length of `anew` that end like it, with the characters in common.
fn ending_alike<'a>(text: &'a str, anew: &'a str) -> impl Iterator<Item = (usize, Span)> + 'a {
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let last = anew.chars().next_back();
    let count = anew.chars().count();
    let lengths = count.saturating_sub(1).max(2)..=count + 1;
    lengths.flat_map(move |length| {
        let mut found = Vec::new();
        for window in characters.windows(length) {
            let (Some(first), Some(end)) = (window.first(), window.last()) else {
                continue;
            };
            if Some(end.1) == last {
                let shared = window.iter().filter(|(_, c)| anew.contains(*c)).count();
                // Of equal shares that of the same length comes first.
                let rank = 2 * shared + usize::from(length == count);
                found.push((rank, Span::new(first.0, end.0 + end.1.len_utf8())));
            }
        }
        found
    })
}
