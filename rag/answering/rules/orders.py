"""A sentence that speaks to whoever answers, instead of reporting: never quoted as an answer."""

from __future__ import annotations

import re

_WHO = r"(?:assistant|chatbot|language model|llm|ai(?: (?:model|system|agent))?|model)"
_ORDERS = re.compile(
    # "your answer", "in the reply": abstracts report answers, but none to a reader.
    r"\byour (?:final |next |own )?(?:answer|reply|response|summary|citation)s?\b"
    r"|\b(?:begin|start|open|end|close)\s+(?:the|each|every|any) (?:reply|answer)\b"
    # "ignore all previous instructions", "forget what you were told"
    r"|(?:^|[.:;!,]\s*|\bplease\s+|\bmust\s+)(?:ignore|disregard|forget|override)\s+"
    r"(?:all|any|every|the|your|my|these|previous|prior)\b[^.]{0,30}\b(?:instructions?|prompts?|guidelines|question|told)\b"
    # a made-up role or mark-up: "[SYSTEM]", "Assistant:", "</context>", "<|im_start|>"
    rf"|\[/?(?:system|inst|user|assistant)\]|(?:^|\n)\s*(?:system|user|human|assistant)\s*:"
    r"|</?\|?(?:system|user|assistant|instructions?|context|document|abstract|script|im_start"
    r"|im_end|endoftext)\b"
    # "the assistant must", "dear assistant", "you are now", "if the user asks"
    r"|\b(?:the|this|dear|hey|any|every) (?:assistant|chatbot),?\s+"
    r"(?:must|should|shall|has to|is to|will|please|would you)\b"
    rf"|\b(?:dear|hey|note (?:to|for)(?: the| all)?) {_WHO}\b"
    r"|\byou are now\b|\b(?:when|if) (?:the|a) user asks\b"
    # "reply with", "respond only", "print the word", "you must answer"
    r"|(?:^|[.:;]\s+)(?:reply|respond|answer)\s+(?:to the user\s+)?(?:only\s+)?(?:with|by|in)\b"
    # a clause that begins with an order: "confirm by printing", "switch to debug mode"
    r"|(?:^|[.:;]\s+)(?:please\s+)?(?:print|say|output|repeat|render|switch|visit|click|execute|decode"
    r"|fill|warn|decline|reveal|copy|paste|append|insert|cite|begin|stop)\s+"
    r"(?:the|a|an|your|this|these|only|nothing|to|in|on|all|any|every|exactly|with|that)\b"
    r"|\byou (?:must|should|have to|shall) (?:now )?(?:answer|reply|respond|say|write|print|output"
    r"|cite|ignore|visit|click)\b",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


def gives_orders(sentence: str) -> bool:
    """Whether a sentence of an abstract addresses who answers: an order, a made-up role.

    It reads English, and knows the usual wordings only: what else it may hold is quoted as text.
    """
    return _ORDERS.search(_INVISIBLE.sub("", sentence)) is not None
