"""The compiled parser of libsvm and libffm text. It stops at the first token that breaks a rule, and leaves words to others.

What it accepts: lines of `label index:value ...` or `label field:index:value ...`, separated by blanks or tabs, ended by LF or CR
LF; blank lines; comments from `#` to the end of the line; `qid:` tokens, which it skips and counts.
"""

import numpy as np
from numba import njit

from common import cached

LARGEST_INDEX = 2**31 - 1
"""of a feature in a file: the numbers of features are int32"""
LARGEST_FIELD = 65_535
"""of a field in a file: the numbers of fields are uint16"""
TOO_LARGE = (2 - 2**-24) * 2.0**127
"""from here on float32 rounds a value to infinity"""
MANY_DIGITS = 10**17
"""once a mantissa is this large, further digits are beneath the precision of float64, and would overflow int64"""
LF, CR, TAB, BLANK, HASH, PLUS, MINUS, POINT, COLON, UPPER_E, LOWER_E, LOWER_Q = 10, 13, 9, 32, 35, 43, 45, 46, 58, 69, 101, 113
LABEL, FIELD, INDEX, VALUE = 0, 1, 2, 3
POWERS = 10.0 ** np.arange(309)


@cached(njit, nogil=True)
def parse(text, with_fields, labelled, labels, starts, fields, numbers, values, lines):  # type: ignore[no-untyped-def]
    """Parse whole lines into the arrays.

    It is one function, since each call that is given an array costs numba more than the parsing of a token.

    Args:
        text: uint8 (b,), ends with LF.
        with_fields: whether entries are `field:index:value`.
        labelled: whether each line begins with its label; else a first word without a colon is left out, and labels are 0.
        labels, lines: float64 and int64, with room for b // 2 + 1 rows; lines are counted from 1 on in this text.
        starts: int64, with room for one more.
        fields, numbers, values: int32, int64, float32, with room for b // 4 + 1 entries.

    Returns:
        The numbers of rows, entries, lines and `qid:` tokens, and where the token lies that broke a rule; -1 if none did.
    """
    at, row, entry, line, qids, token = 0, 0, 0, 1, 0, 0
    part, first_part = LABEL, FIELD if with_fields else INDEX
    starts[0] = 0
    while at < len(text):
        byte = text[at]
        if part in (LABEL, first_part):  # between two tokens
            token = at
            if byte in (BLANK, TAB) or (byte == CR and text[at + 1] == LF):
                at += 1
                continue
            if byte == HASH:
                while text[at] != LF:
                    at += 1
                continue
            if byte == LF:
                if part != LABEL:
                    row += 1
                    starts[row] = entry
                part = LABEL
                line += 1
                at += 1
                continue
            if part == LABEL and not labelled:
                while text[at] > BLANK and text[at] != HASH and text[at] != COLON:
                    at += 1
                if text[at] == COLON:
                    at = token
                labels[row], lines[row], part = 0.0, line, first_part
                continue
            if byte == LOWER_Q and part != LABEL and text[at + 1] == 105 and text[at + 2] == 100 and text[at + 3] == COLON:
                while text[at] > BLANK and text[at] != HASH:
                    at += 1
                qids += 1
                continue
        negative, digits, power, begin = byte == MINUS, 0, 0, at
        if part in (LABEL, VALUE):
            at += byte in (MINUS, PLUS)
        begin = at
        while 48 <= text[at] <= 57:
            if digits < MANY_DIGITS:
                digits = digits * 10 + int(text[at] - 48)
            else:
                power += 1
            at += 1
        if at == begin and (part in (FIELD, INDEX) or text[at] != POINT):
            return row, entry, line, qids, token
        if part in (FIELD, INDEX):
            if text[at] != COLON or power > 0 or digits > (LARGEST_FIELD if part == FIELD else LARGEST_INDEX):
                return row, entry, line, qids, token
            if part == FIELD:
                fields[entry] = digits
            else:
                numbers[entry] = digits
            part += 1
            at += 1
            continue
        if text[at] == POINT:
            at += 1
            if at == begin + 1 and not 48 <= text[at] <= 57:
                return row, entry, line, qids, token
            while 48 <= text[at] <= 57:
                if digits < MANY_DIGITS:
                    digits = digits * 10 + int(text[at] - 48)
                    power -= 1
                at += 1
        if text[at] == LOWER_E or text[at] == UPPER_E:
            at += 1
            falls, exponent = text[at] == MINUS, 0
            at += text[at] == MINUS or text[at] == PLUS
            begin = at
            while 48 <= text[at] <= 57:
                exponent = min(exponent * 10 + int(text[at] - 48), 9_999)
                at += 1
            if at == begin:
                return row, entry, line, qids, token
            power += -exponent if falls else exponent
        byte = text[at]
        ends = byte in (BLANK, LF, TAB, HASH) or (byte == CR and text[at + 1] == LF)
        value = np.float64(digits) if power == 0 else _scaled(digits, power)
        if not ends or value >= TOO_LARGE:
            return row, entry, line, qids, token
        if part == LABEL:
            labels[row], lines[row] = (-value if negative else value), line
        else:
            if not with_fields:
                fields[entry] = 0
            values[entry] = -value if negative else value
            entry += 1
        part = first_part
    return row, entry, line - 1, qids, -1


@cached(njit, nogil=True)
def _scaled(digits, power):  # type: ignore[no-untyped-def]
    """digits * 10 ** power; infinite or 0 where float64 ends."""
    if digits == 0:
        return 0.0
    if power > 308:
        return np.inf
    if power >= 0:
        return digits * POWERS[power]
    if power < -308:
        return digits / POWERS[308] / POWERS[min(-power - 308, 308)]
    return digits / POWERS[-power]
