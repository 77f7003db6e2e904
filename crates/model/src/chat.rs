//! Chat templates: how a model wants a conversation written down.
//!
//! A template is a Jinja program inside the model file. It is given a placeholder for the text of
//! every message, so that what it writes and what people or documents wrote can be told apart.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value, context};
use rag_core::Role;
use rag_core::calendar::Moment;

use crate::fault::{Fault, Result};

/// A stretch of a conversation that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The template's own text.
    Template(String),
    /// The text of message number n, from 0.
    Content(usize),
}

/// A compiled template.
#[derive(Debug)]
pub(crate) struct ChatTemplate {
    model: String,
    environment: Environment<'static>,
    begin: String,
    end: String,
}

const NAME: &str = "chat";
// Private-use characters: no template looks for them, and trimming leaves them.
const OPEN: char = '\u{E0A5}';
const CLOSE: char = '\u{E0A6}';

impl ChatTemplate {
    /// Compiles `source`. `begin` and `end` are the texts of the tokens it knows as `bos_token` and
    /// `eos_token`.
    pub(crate) fn new(model: &str, source: &str, begin: &str, end: &str) -> Result<Self> {
        let mut environment = Environment::new();
        // As Hugging Face's transformers sets Jinja up, which is what templates are written for.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        let fault = |source| Fault::Template {
            model: model.to_owned(),
            problem: "can't be read".to_owned(),
            source: Some(source),
        };
        environment.set_syntax(syntax.map_err(fault)?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(fault)?;
        Ok(Self {
            model: model.to_owned(),
            environment,
            begin: begin.to_owned(),
            end: end.to_owned(),
        })
    }

    /// Writes down a conversation of messages by `roles`, up to where the model is to write. Where the
    /// template has no place for a system message, or not before all others, its text is set before that
    /// of the first message behind it, as their makers recommend.
    pub(crate) fn render(&self, roles: &[Role]) -> Result<Vec<Piece>> {
        let contents = (0..roles.len()).map(placeholder).collect();
        let apart = self.written(roles, contents);
        let ([Role::System, rest @ ..], Err(_)) = (roles, &apart) else {
            return apart;
        };
        if rest.is_empty() {
            return apart;
        }
        let first = format!("{}\n\n{}", placeholder(0), placeholder(1));
        let others = (2..roles.len()).map(placeholder);
        let contents = std::iter::once(first).chain(others).collect();
        // What is wrong with the conversation as it is says more than what is wrong with another.
        self.written(rest, contents).or(apart)
    }

    fn written(&self, roles: &[Role], contents: Vec<String>) -> Result<Vec<Piece>> {
        let count = contents.iter().map(|c| c.matches(OPEN).count()).sum();
        let messages: Vec<Value> = roles
            .iter()
            .zip(contents)
            .map(|(role, content)| context! { role => role.as_str(), content })
            .collect();
        let fault = |source| Fault::Template {
            model: self.model.clone(),
            problem: "failed".to_owned(),
            source: Some(source),
        };
        let none: Option<()> = None;
        let written = self
            .environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! {
                    messages,
                    bos_token => self.begin.as_str(),
                    eos_token => self.end.as_str(),
                    add_generation_prompt => true,
                    enable_thinking => false,
                    tools => none,
                    documents => none,
                })
            })
            .map_err(fault)?;
        self.pieces(&written, count)
    }

    /// Cuts what the template wrote at the placeholders.
    fn pieces(&self, written: &str, messages: usize) -> Result<Vec<Piece>> {
        let altered = |n: usize| Fault::Template {
            model: self.model.clone(),
            problem: format!(
                "does not write the text of message {} once and in order",
                n + 1
            ),
            source: None,
        };
        let mut pieces = Vec::new();
        let mut rest = written;
        for n in 0..messages {
            let (before, after) = rest.split_once(&placeholder(n)).ok_or_else(|| altered(n))?;
            if before.contains([OPEN, CLOSE]) {
                return Err(altered(n));
            }
            pieces.push(Piece::Template(before.to_owned()));
            pieces.push(Piece::Content(n));
            rest = after;
        }
        if rest.contains([OPEN, CLOSE]) {
            return Err(altered(messages.saturating_sub(1)));
        }
        pieces.push(Piece::Template(rest.to_owned()));
        Ok(pieces)
    }
}

/// Stands for the text of message number `n`.
fn placeholder(n: usize) -> String {
    format!("{OPEN}{n}{CLOSE}")
}

/// Templates call this to refuse a conversation.
fn raise_exception(message: &str) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(
        ErrorKind::InvalidOperation,
        message.to_owned(),
    ))
}

/// Today's date (UTC) in C's format, as far as templates use it.
fn strftime_now(format: &str) -> std::result::Result<String, minijinja::Error> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |t| t.as_secs());
    strftime(format, seconds)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn strftime(format: &str, seconds: u64) -> std::result::Result<String, minijinja::Error> {
    let moment = Moment::at(seconds);
    let month_name = MONTHS[moment.month as usize - 1];
    let weekday = WEEKDAYS[moment.weekday as usize];
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let field = match letters.next() {
            Some('Y') => moment.year.to_string(),
            Some('m') => format!("{:02}", moment.month),
            Some('d') => format!("{:02}", moment.day),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
            Some('A') => weekday.to_owned(),
            Some('a') => weekday[..3].to_owned(),
            Some('H') => format!("{:02}", moment.hour),
            Some('M') => format!("{:02}", moment.minute),
            Some('S') => format!("{:02}", moment.second),
            Some('%') => "%".to_owned(),
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(minijinja::Error::new(
                    ErrorKind::InvalidOperation,
                    format!("strftime_now does not know `%{other}`"),
                ));
            }
        };
        out.push_str(&field);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use rag_core::Role::{Assistant, System, User};

    use super::*;
    use crate::testing::CHATML;

    /// What the model would see, with `«n»` for the text of message n.
    fn seen(source: &str, roles: &[Role]) -> Result<String> {
        let template = ChatTemplate::new("tiny.gguf", source, "<s>", "</s>")?;
        let pieces = template.render(roles)?;
        Ok(pieces
            .iter()
            .map(|piece| match piece {
                Piece::Template(text) => text.clone(),
                Piece::Content(n) => format!("«{n}»"),
            })
            .collect())
    }

    #[test]
    fn a_template_may_add_a_system_message_of_its_own() {
        assert_eq!(
            seen(CHATML, &[User]).unwrap(),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n«0»<|im_end|>\n<|im_start|>assistant\n"
        );
        assert_eq!(
            seen(CHATML, &[System, User]).unwrap(),
            "<|im_start|>system\n«0»<|im_end|>\n<|im_start|>user\n«1»<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn a_template_with_a_date_and_headers_is_written_as_llama_3_has_it() {
        let source = "
{{- bos_token }}
{%- if not day is defined %}
    {%- set day = strftime_now('%Y') %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = '' %}
{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}
{%- if tools is not none %}{{ raise_exception('no tools here') }}{% endif %}
{{- 'Year: ' + day[:2] + '\\n\\n' + system + '<|eot_id|>' }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
";
        assert_eq!(
            seen(source, &[System, User]).unwrap(),
            "<s><|start_header_id|>system<|end_header_id|>\n\nYear: 20\n\n«0»<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\n«1»<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n"
        );
    }

    #[test]
    fn a_template_that_walks_backwards_and_cuts_thoughts_is_written_as_qwen_3_has_it() {
        let source = "
{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages | length - 1) - loop.index0 %}
    {%- if ns.last < 0 and message.role == 'user' and message.content is string and not message.content.startswith('<tool_response>') %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- if message.role == 'assistant' %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last or loop.last %}{{- raise_exception('the user speaks last') }}{%- endif %}
        {{- '<|im_start|>assistant\\n' + content.split('</think>')[-1].lstrip('\\n') + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}";
        assert_eq!(
            seen(source, &[User, Assistant, User]).unwrap(),
            "<|im_start|>user\n«0»<|im_end|>\n<|im_start|>assistant\n«1»<|im_end|>\n\
             <|im_start|>user\n«2»<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        );
        let refused = seen(source, &[User, Assistant]).unwrap_err();
        let said = rag_core::Error::from(refused).one_line();
        assert!(
            said.contains("chat template of `tiny.gguf` failed") && said.contains("speaks last"),
            "{said}"
        );
    }

    #[test]
    fn a_template_with_instructions_in_brackets_is_written_as_llama_2_and_mistral_have_it() {
        // Roles that must alternate, and no place for a system message.
        let mistral = "
{{- bos_token }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + message['content'] + ' [/INST]' }}
    {%- else %}
        {{- message['content'] + eos_token }}
    {%- endif %}
{%- endfor %}";
        assert_eq!(
            seen(mistral, &[User, Assistant, User]).unwrap(),
            "<s>[INST] «0» [/INST]«1»</s>[INST] «2» [/INST]"
        );
        assert_eq!(
            seen(mistral, &[System, User, Assistant, User]).unwrap(),
            "<s>[INST] «0»\n\n«1» [/INST]«2»</s>[INST] «3» [/INST]"
        );
        // What is wrong with the roles themselves stays an error.
        assert!(seen(mistral, &[System, Assistant]).is_err());
        // The system message within the last turn: there it would stand behind others.
        let last = "
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] %}{%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- for message in rest %}
    {%- if message['role'] == 'user' %}
        {%- if loop.last and system is defined %}
            {{- '[INST] ' + system + '\n\n' + message['content'] + '[/INST]' }}
        {%- else %}
            {{- '[INST] ' + message['content'] + '[/INST]' }}
        {%- endif %}
    {%- else %}
        {{- ' ' + message['content']|trim + eos_token }}
    {%- endif %}
{%- endfor %}";
        assert_eq!(
            seen(last, &[System, User]).unwrap(),
            "[INST] «0»\n\n«1»[/INST]"
        );
        assert_eq!(
            seen(last, &[System, User, Assistant, User]).unwrap(),
            "[INST] «0»\n\n«1»[/INST] «2»</s>[INST] «3»[/INST]"
        );
        let llama_2 = "
{%- if messages[0]['role'] == 'system' -%}
    {%- set rest = messages[1:] -%}{%- set before = '<<SYS>>\n' ~ messages[0]['content'] ~ '\n<</SYS>>\n\n' -%}
{%- else -%}
    {%- set rest = messages -%}{%- set before = '' -%}
{%- endif -%}
{%- for message in rest -%}
    {%- set content = before ~ message['content'] if loop.first else message['content'] -%}
    {%- if message['role'] == 'user' -%}
        {{ bos_token ~ '[INST] ' ~ content.strip() ~ ' [/INST]' }}
    {%- else -%}
        {{ ' ' ~ content.strip() ~ ' ' ~ eos_token }}
    {%- endif -%}
{%- endfor -%}";
        assert_eq!(
            seen(llama_2, &[System, User, Assistant, User]).unwrap(),
            "<s>[INST] <<SYS>>\n«0»\n<</SYS>>\n\n«1» [/INST] «2» </s><s>[INST] «3» [/INST]"
        );
    }

    #[test]
    fn a_template_that_puts_the_system_before_the_user_is_written_as_gemma_has_it() {
        let gemma = "
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = (messages[0]['content'] if messages[0]['content'] is string else messages[0]['content'][0]['text']) + '\n\n' %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set first = '' %}{%- set turns = messages %}
{%- endif %}
{%- for message in turns %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
    {{- '<start_of_turn>' + role + '\n' + (first if loop.first else '') }}
    {%- if message['content'] is string %}
        {{- message['content'] | trim }}
    {%- elif message['content'] is iterable %}
        {%- for item in message['content'] %}{{ item['text'] | trim }}{% endfor %}
    {%- endif %}
    {{- '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}";
        assert_eq!(
            seen(gemma, &[System, User, Assistant, User]).unwrap(),
            "<s><start_of_turn>user\n«0»\n\n«1»<end_of_turn>\n<start_of_turn>model\n«2»<end_of_turn>\n\
             <start_of_turn>user\n«3»<end_of_turn>\n<start_of_turn>model\n"
        );
    }

    #[test]
    fn a_template_of_plain_turns_is_written_as_phi_has_it() {
        let phi = "{% for message in messages %}{% if message['role'] in ['system', 'user', 'assistant'] %}\
{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}";
        assert_eq!(
            seen(phi, &[System, User]).unwrap(),
            "<|system|>\n«0»<|end|>\n<|user|>\n«1»<|end|>\n<|assistant|>\n"
        );
    }

    #[test]
    fn a_template_of_a_model_that_always_thinks_is_written_as_deepseek_has_it() {
        let deepseek = "{% set ns = namespace(system='') %}\
{%- for m in messages %}{%- if m['role'] == 'system' %}{% set ns.system = m['content'] %}{%- endif %}{%- endfor %}\
{{ bos_token }}{{ ns.system }}\
{%- for m in messages %}\
{%- if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{%- endif %}\
{%- if m['role'] == 'assistant' %}\
{% set content = m['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}\
{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{%- endif %}\
{%- endfor -%}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}";
        assert_eq!(
            seen(deepseek, &[System, User, Assistant, User]).unwrap(),
            "<s>«0»<｜User｜>«1»<｜Assistant｜>«2»<｜end▁of▁sentence｜><｜User｜>«3»<｜Assistant｜><think>\n"
        );
    }

    #[test]
    fn a_template_that_drops_doubles_or_swaps_a_message_is_refused() {
        for source in [
            "{{ messages[1].content }}",
            "{{ messages[0].content }}{{ messages[0].content }}{{ messages[1].content }}",
            "{{ messages[1].content }}{{ messages[0].content }}",
            "{{ messages[0].content }}{{ messages[1].content[1:] }}",
        ] {
            let fault = seen(source, &[System, User]).unwrap_err();
            assert!(fault.to_string().contains("once and in order"), "{source}");
        }
    }

    #[test]
    fn a_template_that_is_no_template_is_refused() {
        let fault = seen("{% if %}", &[User]).unwrap_err();
        assert!(fault.to_string().contains("can't be read"));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| strftime("%a %d %b %Y %H:%M:%S", seconds).unwrap();
        assert_eq!(at(0), "Thu 01 Jan 1970 00:00:00");
        assert_eq!(at(951_827_696), "Tue 29 Feb 2000 12:34:56");
        assert_eq!(at(1_795_219_200), "Sat 21 Nov 2026 00:00:00");
        assert!(strftime("%q", 0).is_err());
    }
}
