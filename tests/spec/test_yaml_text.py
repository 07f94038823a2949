"""YAML text -> values with lines; what is wrong is told with its line and hurts nobody else."""

import pytest

from controller.spec.yaml_text import MAX_DEPTH, YamlDocument, read_documents


def only(text: str) -> YamlDocument:
    documents = read_documents(text)
    assert len(documents) == 1
    return documents[0]


def mistakes(text: str) -> list[tuple[int, str]]:
    return [(line, finding.message) for document in read_documents(text) for finding, line in document.findings]


def test_every_path_knows_its_line() -> None:
    document = only("a:\n  b:\n  - c: 1\n    d: 2\n  - {c: 3,\n     d: 4}\n\ne: |\n  text\n")
    assert document.value == {"a": {"b": [{"c": 1, "d": 2}, {"c": 3, "d": 4}]}, "e": "text\n"}
    paths = {("a",): 1, ("a", "b"): 2, ("a", "b", 0): 3, ("a", "b", 0, "d"): 4, ("a", "b", 1, "d"): 6, ("e",): 8}
    assert {path: document.place.find(path).line for path in paths} == paths


def test_a_missing_path_has_the_line_of_what_should_hold_it() -> None:
    place = only("a:\n  b: 1\n").place
    assert place.find(("a", "x", "y")).line == 1
    assert place.find(("a", "b", 7)).line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("0123", "0123"),
        ("true", True),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("9" * 60, "9" * 60),
        ("1.2.3", "1.2.3"),
        ("-", ["x"]),
    ],
)
def test_scalars_stay_what_people_wrote(text: str, value: object) -> None:
    document = only(f"a: {text}\n" if text != "-" else "a: [x]\n")
    assert document.value == {"a": value}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "`a` is given twice (first on line 1)"),
        ("a:\n\tb: 1\n", 2, "a tab is used for indentation"),
        ("a: 1\n7: 2\n", 2, "the key `7` is not text"),
        ("a: 1\n? [x]\n: 2\n", 2, "is not text"),
        ("a: !!python/object:os.system x\n", 1, "the tag `!!python/object:os.system` is not read here"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys"),
        ("a: 1\nb: *nobody\n", 2, "nobody"),
        ("a: &x [1, *x]\n", 1, "the alias `*x`"),
        ("a: 1\nb:\nc: 2\n", 2, "`b` has no value"),
        ("a: [1\nb: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: \x07\n", 2, "a character that YAML does not allow"),
        ("a: 1\nb: \x00\n", 2, "a character that YAML does not allow"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, line: int, words: str) -> None:
    found = mistakes(text)
    assert len(found) == 1, found
    assert found[0][0] == line
    assert words in found[0][1]


def test_paths_of_mistakes_are_exact() -> None:
    document = only("a:\n- b: 1\n- b: 1\n  b: 2\n- c:\n")
    assert [finding.path for finding, _ in document.findings] == [("a", 1, "b"), ("a", 2, "c")]


def test_aliases_are_followed_and_counted() -> None:
    document = only("a: &x {b: 1}\nc: *x\nd:\n- *x\n")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}
    assert document.place.find(("c",)).line == 2
    assert document.place.find(("a",)).line == 1


def test_an_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    found = mistakes("\n".join(lines))
    assert len(found) == 1
    assert "aliases" in found[0][1]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "\n".join(" " * n + "a:" for n in range(900))])
def test_depth_is_refused_quickly(text: str) -> None:
    assert any(f"deeper than {MAX_DEPTH}" in message for _, message in mistakes(text))


def test_a_broken_document_does_not_stop_the_others() -> None:
    text = "---\na: 1\n---\nb: [\n---\nc: 3\n...\n---\nd: {e: 1}}\n--- \nf: 6\n"
    documents = read_documents(text)
    assert [(one.place.line, one.broken) for one in documents if one.value and not one.broken] == [
        (2, False),
        (6, False),
        (11, False),
    ]
    assert [line for one in documents for _, line in one.findings] == [4, 9]


def test_what_came_before_a_syntax_error_can_still_be_seen() -> None:
    document = only("metadata: {name: x}\nspec: [1, 2\n")
    assert document.broken
    assert isinstance(document.value, dict)
    assert document.value["metadata"] == {"name": "x"}


def test_empty_documents_comments_directives_and_byte_order_marks_are_no_mistakes() -> None:
    text = "\ufeff# only a comment\n---\n---\n%YAML 1.1\n---\na: 1\n"
    documents = read_documents("\ufeff# only a comment\n---\n---\n# x\n---\na: 1\n")
    assert [(one.value, one.place.line) for one in documents] == [({"a": 1}, 6)]
    documents = read_documents("# x\n%YAML 1.1\n---\na: 1\n")
    assert [(one.value, one.findings) for one in documents] == [({"a": 1}, ())]
    assert all(len(finding.message) < 200 for one in read_documents(text) for finding, _ in one.findings)
