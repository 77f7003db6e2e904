"""Which half of a question set a question is in: one to choose a rule on, one to report it on."""
import hashlib


def half(question):
    """0 or 1 by the gold document, or the question's id, so that no document has questions in both."""
    return hashlib.sha256((question.get("doc") or question["id"]).encode()).digest()[0] % 2
