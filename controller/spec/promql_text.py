"""Is a PromQL template safe to fill in? `{{version}}` may stand only inside a label's quoted value."""

import re

import promql_parser as promql

from controller.spec.sentences import NO_MARK, VERSION_MARK

MARK = VERSION_MARK
STAND_IN = "tidegate-version-stand-in"


def template_problem(query: str) -> tuple[str, str] | None:
    """What is wrong with a query template and what to do, or None when it is safe and gives one value per series."""
    strange = next((mark for mark in re.findall(r"\{\{.*?\}\}", query) if mark != MARK), None)
    if strange is not None:
        return f"`{strange}` is not known in a query", f"the only placeholder is `{MARK}`"
    wanted = query.count(MARK)
    if not wanted:
        return NO_MARK
    try:
        tree = promql.parse(query.replace(MARK, STAND_IN))
    except (ValueError, RecursionError) as error:
        return f"not valid PromQL: {str(error).replace(STAND_IN, MARK)}", ""
    if isinstance(tree, (promql.MatrixSelector, promql.SubqueryExpr, promql.StringLiteral)):
        return "the query gives a range or a text, not a value", "wrap it, for example in avg_over_time(...)"
    if _in_matchers(tree) != wanted:
        return f"`{MARK}` stands outside of a label's quoted value", 'write it as in my_metric{version="{{version}}"}'
    return None


def _in_matchers(tree: promql.Expr) -> int:
    found = 0

    def look(node: promql.Expr) -> bool:
        nonlocal found
        if isinstance(node, promql.VectorSelector):
            alternatives = [node.matchers.matchers, *node.matchers.or_matchers]
            found += sum(one.value.count(STAND_IN) for group in alternatives for one in group)
        return True

    promql.walk(tree, look)
    return found
