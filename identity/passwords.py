"""Which passwords people may choose: long enough, and not among the first that anybody would try.

A passphrase of a few words passes. What is known to everybody is taken out first (words that half the world
uses, runs on the keyboard, repetitions, years, one's own name); what is left must still have to be guessed.
"""

import re
import unicodedata

from database.errors import InvalidError

LENGTH_MIN = 12
LENGTH_MAX = 256
"""As much as the form for signing in takes."""
LEFT_MIN = 5
"""Characters that must be left when all that is known to everybody is taken out."""

_KNOWN_WORDS = """
    password passwort passw0rd p@ssw0rd p@ssword pass admin administrator root guest user test demo
    default login signin letmein welcome hello secret changeme master superman batman dragon monkey
    sunshine princess football baseball iloveyou loveyou trustno1 qazwsx qwerty qwertz azerty asdfgh
    zxcvbn abc123 computer internet google wechat weixin woaini woaini1314 5201314 1314520 520520
    nihao mima aini zhongguo china beijing huanying anshou yanglao minzheng jinglaoyuan hospital
    nurse huli caregiver county township operator director
    安守 密码 管理员 养老 敬老院 民政 护理 中国 你好 欢迎
"""
_DENIED = frozenset(_KNOWN_WORDS.split())
_RUNS = (
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "1qaz2wsx3edc4rfv",
)
_RUN_MIN = 3
_YEAR = re.compile(r"(?:19|20)\d\d")
_REPEATED = re.compile(r"(.{1,4})\1+")


def require_acceptable(password: str, *about: str) -> None:
    """InvalidError unless somebody may choose `password`.

    Args:
        password: What they would like.
        about: What everybody knows of them: user name, name, telephone number.
    """
    if len(password) < LENGTH_MIN:
        raise InvalidError(f"a password needs at least {LENGTH_MIN} characters", length_min=LENGTH_MIN)
    if len(password) > LENGTH_MAX:
        raise InvalidError(f"a password has at most {LENGTH_MAX} characters", length_max=LENGTH_MAX)
    if any(unicodedata.category(character) == "Cc" for character in password):
        raise InvalidError("a password has no control characters")
    if len(what_is_left(password, *about)) < LEFT_MIN:
        raise InvalidError("this password is among the first that anybody would try; take several words")


def what_is_left(password: str, *about: str) -> str:
    """`password` without what everybody knows."""
    left = unicodedata.normalize("NFKC", password).casefold()
    known = {unicodedata.normalize("NFKC", word).casefold() for word in about if len(word) > 1}
    for word in sorted(known | _DENIED, key=len, reverse=True):
        left = left.replace(word, " ")
    left = _without_runs(_YEAR.sub(" ", left))
    left = _REPEATED.sub(r"\1", left)
    return "".join(character for character in left if character.isalnum())


def _without_runs(text: str) -> str:
    """`text` without pieces of a row on the keyboard, of the alphabet or of the digits, either way."""
    rows = [row for run in _RUNS for row in (run, run[::-1])]
    kept, start = [], 0
    while start < len(text):
        end = start + _RUN_MIN
        if end <= len(text) and any(text[start:end] in row for row in rows):
            while end < len(text) and any(text[start : end + 1] in row for row in rows):
                end += 1
            kept.append(" ")
            start = end
        else:
            kept.append(text[start])
            start += 1
    return "".join(kept)
