"""Comments with commas, quotes, newlines, emoji, e-mails, spreadsheet guards and words that look like null."""

from __future__ import annotations

COMMENTS = (
    "",
    "Good work.",
    "Missed the verification, see the macro",
    'Said "no problem" three times; the customer was not amused',
    "Great empathy 👏🏽 – keep it up!",
    "First line\nsecond line, with a comma\n\nand a gap",
    "'=SUM(A1:A9) was pasted by the customer",
    "'- no greeting\n- no closing",
    "N/A",
    "Unknown",
    "100% right; cost €5,00 \\ month",
    "  spaces kept  ",
    "Überprüft und für gut befunden",
    'a "quoted, comma" and\ta tab',
)

PASSAGES = (
    "I'm sorry to hear that.",
    "Have you tried turning it off and on again?",
    'From: customer@example.com\r\nTo: help@example.com\r\nSubject: Re: order, "3"\r\n\r\nHello,\r\nstill broken.\r\n',
    "Let me check, one moment",
    "ご不便をおかけして申し訳ございません",
    "'@channel please escalate",
    "We ship on Monday;\nyou get it on Wednesday.",
)

NOTES = (
    "Let's talk about greeting ",
    "Say the customer's problem back before you solve it.",
    "Good job asking probing questions ",
    'Use the "verify" macro, always',
    "Slow down 🐢\nand read twice",
    "'+1 for patience",
)

TODO_TITLES = (
    "Read the article on returns",
    "A Todo",
    "Shadow a senior colleague",
    "2. My First App",
    "Redo the privacy quiz",
)
TODO_TEXTS = ("", "This todo's description text", "Three chats, then tell me.\nThanks, B.", 'Find the "verify" macro')

OVERVIEW = (
    "Performance\nHow do you feel about the last two weeks?\n\nGrowth\n \n \n\n"
    "Development Goals\nWhat is next, and by when?\n"
)

CSAT_COMMENTS = (
    "",
    "Thanks!",
    "Took too long, but solved",
    "Agent was rude.\nNever again!!",
    'They said "tomorrow". It was not tomorrow.',
    "😀",
    "N/A",
    "=(",
)
