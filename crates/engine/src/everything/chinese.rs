//! Questions over everything in Chinese, in either script. Pure.

use super::asked::{Asked, Counted};

/// What a source is called.
const SOURCES: &[&str] = &[
    "文档", "文件", "档案", "文章", "资料", "材料", "报告", "笔记", "邮件", "论文", "记录", "书",
];
const MEASURES: &[&str] = &["份", "个", "篇", "封", "本", "条", "些", "种"];
const INSIDE: &[&str] = &["里面", "当中", "之中", "里", "中", "内"];
/// How a source has a word in it.
const HOLDS: &[&str] = &[
    "提到", "提及", "谈到", "谈及", "说到", "讲到", "涉及", "包含", "包括", "含有", "写到", "写了",
    "记载", "出现", "讨论", "引用", "提过", "说过", "谈过",
];
const ADVERBS: &[&str] = &[
    "都", "曾经", "曾", "有", "也", "能", "一共", "总共", "共", "会",
];
const DONE: &[&str] = &["了", "过", "着", "到"];
const TOTAL: &[&str] = &["一共", "总共", "共", "总计", "合计"];
const HOW_MANY: &[&str] = &["多少", "几"];
const TIMES: &[&str] = &["次", "处", "回", "遍"];
const PLACES: &[&str] = &["地方", "段落", "句子", "位置", "处", "内容"];
const ASKING: &[&str] = &[
    "请问",
    "请",
    "帮我",
    "帮忙",
    "麻烦",
    "能不能",
    "能否",
    "可以",
    "可否",
    "我想知道",
    "想知道",
    "告诉我",
    "你",
    "一下",
    "，",
    "。",
    "在",
];
const LISTING: &[&str] = &[
    "列出", "列举", "罗列", "找出", "找到", "查找", "给出", "显示", "写出", "举出", "说出", "统计",
];
const ALL: &[&str] = &[
    "所有",
    "全部",
    "一切",
    "每一个",
    "每个",
    "每一处",
    "每处",
    "每份",
    "每篇",
];

/// Most characters of what is listed without a word on documents.
const LONGEST_NAME: usize = 8;

/// What is asked for over everything, if anything is.
pub(super) fn asked(question: &str) -> Option<Asked> {
    let mut text = Text::of(question);
    while text.eat(ASKING) {}
    let forms = [
        by_source,
        by_times,
        by_listing,
        by_attribute,
        by_collection,
        by_place,
    ];
    forms
        .iter()
        .find_map(|form| form(&text))
        .or_else(|| by_subject(&text))
}

/// Whether the question asks for a number or a list that may as well stand in one place.
pub(super) fn is_near(question: &str) -> bool {
    let mut text = Text::of(question);
    while text.eat(ASKING) {}
    let counts = text
        .find(&["有多少", "多少个", "多少份", "多少次", "多少处"])
        .is_some();
    counts || (text.eat(LISTING) && text.find(ALL).is_some())
}

/// 哪些文档提到 X, 有多少份文件提到 X.
fn by_source(text: &Text<'_>) -> Option<Asked> {
    let mut text = text.clone();
    text.eat(TOTAL);
    text.eat(&["有"]);
    if !(text.eat(&["哪些", "什么", "多少"]) || text.eat(&["哪几", "哪一", "哪", "几"]))
    {
        return None;
    }
    text.eat(MEASURES);
    text.eat(&["的"]);
    if text.eat(&["地方", "处"]) {
        return text.held(Counted::Places);
    }
    text.must(SOURCES)?;
    text.eat(INSIDE);
    text.held(Counted::Sources)
}

/// 有多少处提到 X, 提到了多少次 X, 文档里一共提到了多少次 X.
fn by_times(text: &Text<'_>) -> Option<Asked> {
    let mut text = text.clone();
    text.skip_collection();
    while text.eat(ADVERBS) {}
    if text.eat(HOW_MANY) {
        text.must(TIMES)?;
        return text.held(Counted::Places);
    }
    text.must(HOLDS)?;
    while text.eat(DONE) {}
    text.must(HOW_MANY)?;
    text.must(TIMES)?;
    text.subject(Counted::Places)
}

/// 列出所有提到 X 的文件, 列出所有 X.
fn by_listing(text: &Text<'_>) -> Option<Asked> {
    let mut text = text.clone();
    text.must(LISTING)?;
    text.eat(&["我的", "我"]);
    let is_all = text.eat(ALL);
    text.eat(&["的"]);
    if let Some(asked) = by_attribute(&text) {
        return Some(asked);
    }
    if !is_all {
        return None;
    }
    let mut unit = text.clone();
    if unit.eat(SOURCES) && unit.is_done() {
        return None; // what there is, `rag status` lists
    }
    text.name(Counted::Places)
}

/// 提到 X 的文件有哪些, 提到 X 的地方.
fn by_attribute(text: &Text<'_>) -> Option<Asked> {
    let mut text = text.clone();
    text.eat(ALL);
    while text.eat(ADVERBS) {}
    text.must(HOLDS)?;
    while text.eat(DONE) {}
    let of = text.rfind("的")?;
    let mut after = text.from(of + 1);
    after.eat(ALL);
    let counted = if after.eat(PLACES) {
        Counted::Places
    } else {
        after.must(SOURCES)?;
        Counted::Sources
    };
    let has_end = after.is_done()
        || [
            "有哪些",
            "是哪些",
            "有多少",
            "有几",
            "都有哪些",
            "一共有多少",
            "总共有多少",
        ]
        .iter()
        .any(|end| after.starts(end));
    has_end.then(|| text.up_to(of).subject(counted))?
}

/// 文档里有多少个 X.
fn by_collection(text: &Text<'_>) -> Option<Asked> {
    let mut text = text.clone();
    if !text.skip_collection() {
        return None;
    }
    while text.eat(ADVERBS) {}
    text.must(HOW_MANY)?;
    text.eat(MEASURES);
    text.eat(&["处", "次", "场", "艘", "位", "名", "张", "座"]);
    text.name(Counted::Places)
}

/// 哪里提到了 X.
fn by_place(text: &Text<'_>) -> Option<Asked> {
    let mut text = text.clone();
    text.must(&["哪里", "哪儿", "何处", "什么地方", "哪些地方"])?;
    text.held(Counted::Places)
}

/// X 在哪些文档中被提到, X 被提到了多少次.
fn by_subject(text: &Text<'_>) -> Option<Asked> {
    (1..text.left()).find_map(|at| {
        let mut after = text.from(text.at + at);
        let counted = if after.eat(&["在", "于"]) {
            if !(after.eat(&["哪些", "多少"]) || after.eat(&["哪几", "几"])) {
                return None;
            }
            after.eat(MEASURES);
            let counted = if after.eat(SOURCES) {
                Counted::Sources
            } else {
                after.must(PLACES)?;
                Counted::Places
            };
            after.eat(INSIDE);
            while after.eat(ADVERBS) || after.eat(&["被"]) {}
            after.must(HOLDS)?;
            while after.eat(DONE) {}
            counted
        } else {
            let before = after.at;
            while after.eat(TOTAL) || after.eat(&["被"]) {}
            after.must(HOLDS)?;
            while after.eat(DONE) {}
            after.must(HOW_MANY)?;
            after.must(TIMES)?;
            debug_assert!(after.at > before);
            Counted::Places
        };
        after
            .is_done()
            .then(|| text.up_to(text.at + at).subject(counted))?
    })
}

/// A question by its characters from some place to another, each in the form in which it is compared.
#[derive(Debug, Clone)]
struct Text<'q> {
    question: &'q str,
    /// With the place where it stands.
    all: Vec<(usize, char)>,
    at: usize,
}

impl<'q> Text<'q> {
    fn of(question: &'q str) -> Self {
        let end = |c: char| {
            c.is_whitespace() || matches!(c, '？' | '?' | '。' | '.' | '！' | '吗' | '呢')
        };
        let all = question.trim_end_matches(end).char_indices();
        let all = all.map(|(at, c)| (at, simple(c))).collect();
        Self {
            question,
            all,
            at: 0,
        }
    }

    fn from(&self, at: usize) -> Self {
        Self { at, ..self.clone() }
    }

    fn up_to(&self, at: usize) -> Self {
        let mut text = self.clone();
        text.all.truncate(at);
        text
    }

    fn left(&self) -> usize {
        self.all.len().saturating_sub(self.at)
    }

    fn is_done(&self) -> bool {
        self.left() == 0
    }

    fn starts(&self, word: &str) -> bool {
        let have = self.all.get(self.at..).unwrap_or_default();
        have.len() >= word.chars().count() && have.iter().zip(word.chars()).all(|(a, b)| a.1 == b)
    }

    /// Takes the first of `any` that comes next.
    fn eat(&mut self, any: &[&str]) -> bool {
        while self
            .all
            .get(self.at)
            .is_some_and(|(_, c)| c.is_whitespace())
        {
            self.at += 1;
        }
        let word = any.iter().find(|word| self.starts(word));
        if let Some(word) = word {
            self.at += word.chars().count();
        }
        word.is_some()
    }

    fn must(&mut self, any: &[&str]) -> Option<()> {
        self.eat(any).then_some(())
    }

    fn find(&self, any: &[&str]) -> Option<usize> {
        (self.at..self.all.len()).find(|at| any.iter().any(|word| self.from(*at).starts(word)))
    }

    fn rfind(&self, word: &str) -> Option<usize> {
        (self.at..self.all.len())
            .rev()
            .find(|at| self.from(*at).starts(word))
    }

    /// Takes 我的文档里, 所有文件中; whether they were there.
    fn skip_collection(&mut self) -> bool {
        let mut text = self.clone();
        text.eat(&["我的", "我们的", "这些"]);
        text.eat(ALL);
        text.eat(&["的"]);
        let is_collection =
            (text.eat(SOURCES) || text.eat(&["知识库", "文库"])) && text.eat(INSIDE);
        if is_collection {
            self.at = text.at;
        }
        is_collection
    }

    /// 提到了 X.
    fn held(mut self, counted: Counted) -> Option<Asked> {
        while self.eat(ADVERBS) {}
        self.must(HOLDS)?;
        while self.eat(DONE) {}
        self.subject(counted)
    }

    /// What is left, as the words that must stand in a text.
    fn subject(&self, counted: Counted) -> Option<Asked> {
        let start = self.all.get(self.at)?.0;
        let (last, _) = self.all.last()?;
        let end = self.question[*last..]
            .chars()
            .next()
            .map_or(*last, |c| last + c.len_utf8());
        Asked::new(counted, self.question.get(start..end)?)
    }

    /// The same where it is short and a name.
    fn name(&self, counted: Counted) -> Option<Asked> {
        let is_name = self.left() <= LONGEST_NAME && self.find(&["的"]).is_none();
        is_name.then(|| self.subject(counted))?
    }
}

/// A character of these patterns in the form in which they are written here.
fn simple(c: char) -> char {
    const PAIRS: [(char, char); 33] = [
        ('檔', '档'),
        ('個', '个'),
        ('裡', '里'),
        ('裏', '里'),
        ('幾', '几'),
        ('處', '处'),
        ('過', '过'),
        ('說', '说'),
        ('談', '谈'),
        ('講', '讲'),
        ('現', '现'),
        ('記', '记'),
        ('載', '载'),
        ('舉', '举'),
        ('羅', '罗'),
        ('給', '给'),
        ('顯', '显'),
        ('總', '总'),
        ('筆', '笔'),
        ('資', '资'),
        ('報', '报'),
        ('郵', '邮'),
        ('書', '书'),
        ('寫', '写'),
        ('請', '请'),
        ('問', '问'),
        ('幫', '帮'),
        ('種', '种'),
        ('麼', '么'),
        ('條', '条'),
        ('統', '统'),
        ('計', '计'),
        ('論', '论'),
    ];
    PAIRS
        .iter()
        .find(|(from, _)| *from == c)
        .map_or(c, |(_, to)| *to)
}
