"""Arguments in PromQL: a text stands only inside of quotes, escaped; a number or a label may stand anywhere."""

import re
from collections.abc import Iterator, Mapping

from controller.analysis.asking import quote
from controller.spec.sentences import VERSION_MARK

MARK = re.compile(r"\{\{\s*args\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}")
LITERAL = re.compile(r"""\#[^\n]* | (=~|!~)?\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""", re.VERBOSE)
REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$]")


def query_problem(query: str, bare: set[str]) -> tuple[str, str] | None:
    """What is wrong with a query of a template: a text outside of quotes, or a mark that nobody knows."""
    for strange in re.findall(r"\{\{(?!\{).*?\}\}", query):
        if strange != VERSION_MARK and not MARK.fullmatch(strange):
            return f"`{strange}` is not known in a query", f"known are `{VERSION_MARK}` and `{{{{args.NAME}}}}`"
    if VERSION_MARK not in query:
        return f"the query does not mention `{VERSION_MARK}`", "it could not tell the versions apart"
    for name in _bare(query):
        if name not in bare:
            text = f"`{{{{args.{name}}}}}` stands outside of a quoted text"
            return (
                text,
                f'write it as in my_metric{{pool="{{{{args.{name}}}}}"}}, or say `type: number` or `type: label`',
            )
    return None


def _bare(query: str) -> Iterator[str]:
    """Names of the marks that stand in no quotes."""
    yield from MARK.findall(LITERAL.sub(lambda found: "" if found[2] else found[0], query))


def filled_query(query: str, values: Mapping[str, str], bare: set[str]) -> str:
    """The query with its arguments; in a regular expression a text matches itself."""

    def literal(found: re.Match[str]) -> str:
        inside = found[2]
        if inside is None:
            return found[0]
        filled = MARK.sub(lambda mark: _inside(mark[0], values[mark[1]], found[1], inside[0]), inside)
        return found[0][: -len(inside)] + filled

    whole = LITERAL.sub(literal, query)
    return MARK.sub(lambda mark: values[mark[1]] if mark[1] in bare else mark[0], whole)


def _inside(mark: str, value: str, operator: str | None, sign: str) -> str:
    text = REGEX_SIGNS.sub(r"\\\g<0>", value) if operator else value
    if sign == "`":  # nothing can be escaped in these: the mark stays, and is refused as unknown
        return mark if "`" in value else text
    return quote(text, sign)
