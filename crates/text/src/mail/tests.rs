//! Messages as programs get them wrong.

use encoding_rs::GBK;
use rag_core::Document;

use crate::Reader;

fn read(name: &str, bytes: &[u8]) -> Document {
    Reader::new().read(name, bytes).unwrap()
}

#[test]
fn messages_within_messages_without_end_are_read_as_far_as_the_limit() {
    let level =
        "From: a@a.example\nSubject: s\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\n";
    let document = read("a.eml", level.repeat(20_000).as_bytes());
    assert_eq!(document.title.as_deref(), Some("s"));
    assert!(
        document
            .warnings
            .iter()
            .any(|w| w.fact.contains("archives or messages"))
    );
    let many = "--b\nContent-Type: multipart/mixed; boundary=c\n\n".repeat(20_000);
    let head = "From: a@a.example\nSubject: t\nContent-Type: multipart/mixed; boundary=b\n\n";
    assert_eq!(
        read("a.eml", (head.to_owned() + &many).as_bytes())
            .title
            .as_deref(),
        Some("t")
    );
}

#[test]
fn text_in_a_charset_that_nobody_declared_is_read() {
    let (body, _, _) = GBK.encode("灯塔的回廊将于十二月三日开始维修，工期十一天。");
    let mut mail = b"From: a@a.example\r\nTo: b@b.example\r\nSubject: ".to_vec();
    mail.extend_from_slice(&GBK.encode("关于灯塔维修的通知").0);
    mail.extend_from_slice(b"\r\nDate: Sat, 21 Nov 2026 09:15:00 +0800\r\n\r\n");
    mail.extend_from_slice(&body);
    let document = read("a.eml", &mail);
    assert_eq!(document.title.as_deref(), Some("关于灯塔维修的通知"));
    assert!(document.text.ends_with("工期十一天。"));
    assert_eq!(document.date.as_deref(), Some("2026-11-21T09:15:00+08:00"));
}

#[test]
fn a_message_is_known_by_its_headers_and_a_patch_stays_a_text() {
    let mail = b"Received: from x\nFrom: a@a.example\nSubject: Oil\n\nEleven tins.\n";
    assert_eq!(read("note.txt", mail).media_type, "message/rfc822");
    let patch = b"From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\nFrom: a@a.example\nDate: x\nSubject: [PATCH] y\n\n---\n";
    assert_eq!(read("a.txt", patch).media_type, "text/plain");
}

#[test]
fn damaged_and_empty_messages_are_no_end_of_anything() {
    for mail in [
        "From: a@a.example\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n!!!!\n--b",
        "From: a@a.example\nSubject: x\n",
        "From: a@a.example\nSubject: =?x?B?//8=?=\nDate: Sat, 99 Foo 2026\n\n\n",
    ] {
        assert!(read("a.eml", mail.as_bytes()).title.is_some());
    }
}
