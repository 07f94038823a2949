"""docs/reference/decision-benchmark.md and its figures, from what was found."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.decisions.chart import svg
from benchmarks.decisions.results import CHECKS_HEAD, Figure, Part, Table, check_rows, markdown

PAGE, IMAGES = Path("docs/reference/decision-benchmark.md"), Path("docs/images")

HERE = Path(__file__).resolve().parent

SECTIONS = (
    ("headline", "Against the objective"),
    ("late", ""),
    ("silence", ""),
    ("stress", ""),
    ("freeze", ""),
    ("swing", ""),
    ("drift", ""),
    ("rare", ""),
    ("ramp", ""),
    ("versus-stress", ""),
    ("ten", ""),
    ("promotion", ""),
    ("promotion-stress", ""),
    ("month", ""),
    ("turned", ""),
)


def write(part: Part, facts: Mapping[str, object]) -> None:
    """The page and its figures, below the working directory."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    for figure in part.figures:
        (IMAGES / f"decisions-{figure.name}.svg").write_text(svg(figure), encoding="utf-8")
    PAGE.write_text(page(part, facts), encoding="utf-8")


def page(part: Part, facts: Mapping[str, object]) -> str:
    """The whole page as Markdown."""
    runs, cores = int(str(facts["runs at a null"])), str(facts["cores"]).split()[0]
    intro = (
        (HERE / "intro.md")
        .read_text(encoding="utf-8")
        .format(
            facts=f"{facts['CPU']}, {cores} cores, Python {facts['Python']}, numpy {facts['numpy']}",
            minutes=f"{float(str(facts['seconds'])) / 60:.0f} min",
            null=runs,
            breach=int(str(facts["runs at a breach"])),
            se=100 * (0.05 * 0.95 / runs) ** 0.5,
        )
    )
    blocks = [intro]
    for name, title in SECTIONS:
        blocks += _section(
            title, [t for t in part.tables if t.name == name], part.figures if name == "headline" else ()
        )
        blocks += [_picture(f) for f in part.figures if f.name == name]
    missed = sum(not check.inside for check in part.checks)
    told = f"{len(part.checks) - missed} of {len(part.checks)} inside."
    bands = f"## Acceptance bands\n\n{told}\n\n{markdown(CHECKS_HEAD, check_rows(part.checks))}\n"
    return "\n".join([*blocks, (HERE / "weak.md").read_text(encoding="utf-8"), bands])


def _section(title: str, tables: list[Table], figures: tuple[Figure, ...]) -> list[str]:
    deep = "###" if title else "##"
    head = [f"## {title}\n"] if title else []
    pictures = [_picture(figure) for figure in figures if figure.name.startswith(("rolled", "delay"))]
    return head + pictures + [f"{deep} {t.title}\n\n{t.says}\n\n{markdown(t.head, t.rows)}\n" for t in tables]


def _picture(figure: Figure) -> str:
    return f"![{figure.title}](../images/decisions-{figure.name}.svg)\n"
