"""The programs and commands of the documentation do what the pages say."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.shape.documents import PAGES, Block, Page, Program, blocks_of, matches, plain
from tests.shape.programs import environment, run_program
from tests.shape.source import ROOT

READ = [page for name, page in PAGES.items() if name == "README.md" or name.startswith("docs/")]
PROGRAMS = [program for page in READ for program in page.programs()]
OF_POLICIES = [page for page in READ if page.name.startswith("docs/policies/")]
WITH_SESSIONS = [page for page in READ if page.has_sessions]


def test_the_readme_and_the_guide_have_programs():
    assert {"README.md", "docs/guide.md"} <= {program.page for program in PROGRAMS}


@pytest.mark.parametrize("page", OF_POLICIES, ids=lambda page: page.name)
def test_a_page_about_a_policy_has_a_program_and_the_sections_that_all_have(page: Page):
    assert page.programs()
    headings = [line.casefold() for line in page.text.splitlines() if line.startswith("## ")]
    if page.name != "docs/policies/order.md":  # it is about all of them
        assert [
            section
            for section in ("use", "default", "event", "anti-pattern")
            if not any(section in heading for heading in headings)
        ] == []


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_are_there(page: Page):
    for link in page.links():
        path, _, anchor = link.partition("#")
        target = ((ROOT / page.name).parent / path).resolve() if path else ROOT / page.name
        assert target.exists(), link
        if anchor:
            assert anchor in PAGES[target.relative_to(ROOT).as_posix()].anchors(), link


@pytest.mark.parametrize(
    ("page", "sentence"),
    [("README.md", "{} such stories come with it"), ("CHANGELOG.md", "{} of them come as a gallery")],
)
def test_the_number_of_scenarios_is_the_one_that_is_told(page: str, sentence: str):
    shipped = len(list((ROOT / "scenarios").glob("*.toml")))
    assert sentence.format(shipped) in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.process
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: f"{program.page}:{program.line}")
def test_a_program_of_the_documentation_prints_what_the_page_says(program: Program, tmp_path: Path):
    file = tmp_path / "program.py"
    file.write_text(program.text, encoding="utf-8")
    done = run_program([sys.executable, "-W", "error", file.name], tmp_path)
    assert done.returncode == 0, done.stderr
    if program.prints is not None:
        assert matches(done.stdout, program.prints), f"printed:\n{done.stdout}\nsaid:\n{program.prints}"


@pytest.mark.process
@pytest.mark.parametrize("page", WITH_SESSIONS, ids=lambda page: page.name)
def test_the_files_and_commands_of_a_page_are_one_story_that_holds(page: Page, tmp_path: Path):
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    for block in page.blocks:
        if written := block.mark("file"):
            (folder / written).write_text(block.text, encoding="utf-8")
        elif grown := block.mark("add to"):
            with (folder / grown).open("a", encoding="utf-8") as file:
                file.write(f"\n{block.text}")
        elif (ending := block.mark("run")) is not None:
            printed = run_commands(block, folder, home, int(ending.removeprefix("exit ") or 0))
            said = page.answer_to(block)
            assert said is None or matches(printed, said), f"{page.name}:{block.line} printed:\n{printed}"


def run_commands(block: Block, folder: Path, home: Path, expected: int) -> str:
    """Run the commands of a block, which have to end with that exit code, and return what they print."""
    printed = ""
    for line in block.text.splitlines():
        program, *rest = shlex.split(line.partition("  #")[0])
        assert program == "asyncflow"
        env = environment(home) | {"COLUMNS": "500"}
        done = run_program([sys.executable, "-m", "asyncflow", *rest], folder, env=env)
        assert done.returncode == expected, f"{line}\n{done.stdout}{done.stderr}"
        printed += done.stdout
    return printed


# ------------------------------------------------------------------ the README's two commands


def command(name: str) -> str:
    """Return a command of the README by its mark."""
    (found,) = [block for block in PAGES["README.md"].blocks if block.mark(name) is not None]
    assert found.language == "sh"
    return found.text.strip()


def steps(text: str) -> list[str]:
    return [step.strip() for step in text.split("&&")]


def test_the_readme_has_the_two_commands_and_they_begin_alike():
    main_job, tests = steps(command("main-job")), steps(command("tests"))
    assert main_job[0] == tests[0] == "python3 -m venv .venv"
    assert main_job[1] == ".venv/bin/pip install ."
    assert tests[1] == ".venv/bin/pip install -e '.[test]'"
    assert tests[2] == ".venv/bin/python -m pytest"


def test_the_main_job_of_the_readme_plays_a_scenario_that_comes_with_asyncflow():
    found = re.fullmatch(r"\.venv/bin/python -m asyncflow scenario (\w+)", steps(command("main-job"))[2])
    assert found is not None
    assert (ROOT / "scenarios" / f"{found[1]}.toml").is_file()


def extracted_in_python(name: str, _home: Path) -> str:
    """Do what `.ci/run` does: from the mark to the end of the block, without the fences."""
    readme = PAGES["README.md"].text
    after = readme.split(f"<!-- {name} -->\n", 1)[1].splitlines()
    start, end = after.index("```sh"), after.index("```")
    return "\n".join(after[start + 1 : end])


def extracted_by_the_script(name: str, home: Path) -> str:
    """Let the function of `.ci/run` itself do it."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    function = re.search(r"^command_of\(\) \{\n.*?^\}\n", script, re.MULTILINE | re.DOTALL)
    assert function is not None
    bash = shutil.which("bash")
    assert bash is not None
    done = run_program(
        [bash, "-euo", "pipefail", "-c", f"{function[0]}command_of {name}"], ROOT, env=environment(home)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# The bash that Windows offers may belong to another system; there the script is not what people run.
EXTRACTIONS = [extracted_in_python, *([extracted_by_the_script] if sys.platform != "win32" else [])]


@pytest.mark.process
@pytest.mark.parametrize("name", ["main-job", "tests"])
@pytest.mark.parametrize("extracted", EXTRACTIONS)
def test_the_script_of_the_ci_gets_the_commands_of_the_readme(extracted, name: str, tmp_path: Path):
    assert extracted(name, tmp_path) == command(name)


# ------------------------------------------------------------------ the rules of tests/README.md themselves

SAMPLE = """
<!-- file: flows.py -->
```python
x = 1
```

```python
print("a")
```

```text
a
```

Some words.

<!-- goes on -->
```python
print("b")
```

```text
b
```

<!-- not run: it needs a network -->
```python
print("c")
```

```text
c
```
"""


def test_blocks_that_go_on_are_one_program_that_prints_all_of_it():
    (program,) = Page("docs/sample.md", SAMPLE).programs()
    assert program.text == 'print("a")\n\n\nprint("b")\n'
    assert program.prints == "a\nb\n"
    assert (program.line, program.file) == (7, "sample_7.py")


def test_a_file_is_written_and_not_run():
    page = Page("docs/sample.md", SAMPLE)
    assert page.files() == {"flows.py": "x = 1\n"}


def test_a_text_that_does_not_follow_a_program_is_none_of_its_output():
    (program,) = Page("x.md", "```python\n1\n```\nwords\n```text\nno\n```\n").programs()
    assert program.prints is None


def test_marks_belong_to_the_block_right_below_them():
    first, second = blocks_of(
        "<!-- a -->\n<!-- run: exit 3 -->\n```sh\nx\n```\n<!-- b -->\n\n```sh\ny\n```\n"
    )
    assert (first.mark("a"), first.mark("run"), first.mark("b")) == ("", "exit 3", None)
    assert second.marks == ()


@pytest.mark.parametrize(
    ("printed", "said", "same"),
    [
        ("a\nb\n", "a\nb", True),
        ("a\nb", "a", False),
        ("quiet-heron took 3 ms", "brave-otter took 1.5 s", True),
        ("quiet-heron took 3 ms", "quiet-parse took 3 ms", False),
        ("a\nb\nc\nd", "a\n...\nd", True),
        ("a\nd", "a\n...\nd", True),
        ("a\nd\ne", "a\n...\nd", False),
        ("a b c", "a ... c", True),
        ("a b d", "a ... c", False),
        ("(a)", "(.)", False),
        ("3 x", "4 x", False),
    ],
)
def test_names_of_runs_and_lengths_of_time_may_differ(printed: str, said: str, same: bool):
    assert matches(printed, said) is same


def test_what_may_differ_is_taken_out():
    assert plain("run quiet-heron ended in 1.25 s  \n") == ["run RUN ended in TIME"]
