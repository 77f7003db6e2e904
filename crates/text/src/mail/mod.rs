//! Mail: messages with what is attached to them, mailboxes, and pages that were saved as messages.

use crate::format::{Format, Parser};

mod attached;
mod body;
mod headers;
mod mailbox;
mod message;
mod page;

static MESSAGE: Format = Format {
    name: "e-mail",
    media_type: "message/rfc822",
    magic: &[],
    marks: Some(headers::starts_a_message),
    extensions: &["eml", "emlx"],
    parser: Parser::Bytes(message::read),
};

static MAILBOX: Format = Format {
    name: "mailbox",
    media_type: "application/mbox",
    magic: &[],
    marks: Some(mailbox::starts_a_mailbox),
    extensions: &["mbox", "mbx"],
    parser: Parser::Bytes(mailbox::read),
};

static SAVED_PAGE: Format = Format {
    name: "saved web page",
    media_type: "multipart/related",
    magic: &[],
    marks: Some(page::starts_a_saved_page),
    extensions: &["mht", "mhtml"],
    parser: Parser::Bytes(page::read),
};

pub(crate) static FORMATS: [&Format; 3] = [&SAVED_PAGE, &MAILBOX, &MESSAGE];

#[cfg(test)]
mod tests;
