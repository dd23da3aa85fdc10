from __future__ import annotations

import re
import shutil
import subprocess
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.draw.pdf import as_pdf
from asyncflow.draw.spelling import in_cp1252
from asyncflow.graph import Graph, Node
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, HARD_NAMES, SINGLE, graph_of, hard_graph

OPERATORS = set(re.findall(r"\S+", "b B BT c cm d ET f h j J l m Q q rg RG s S Tf Tj Tm w"))
GRAPHS = [COMPLAINTS, COMPLAINTS_RUN, EMPTY, SINGLE, hard_graph()]


def objects_of(data: bytes) -> dict[int, bytes]:
    """Read the objects by the offsets of the table, as a PDF reader does, and check the table on the way."""
    assert data.startswith(b"%PDF-1.4\n")
    ending = re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)
    assert ending
    table = data[int(ending[1]) :]
    header = re.match(rb"xref\n0 (\d+)\n0000000000 65535 f \n", table)
    assert header
    count = int(header[1])
    entries = [table[header.end() + 20 * at :][:20] for at in range(count - 1)]
    objects = {}
    for number, entry in enumerate(entries, 1):
        assert re.fullmatch(rb"\d{10} 00000 n \n", entry)
        found = re.match(rb"(\d+) 0 obj\n(.*?)\nendobj\n", data[int(entry[:10]) :], re.DOTALL)
        assert found
        assert int(found[1]) == number
        objects[number] = found[2]
    assert re.search(rb"trailer\n<</Size %d/Root 1 0 R/Info %d 0 R>>\n" % (count, count - 1), table)
    return objects


def content_of(data: bytes) -> str:
    stream = re.fullmatch(
        rb"<</Length (\d+)/Filter/FlateDecode>>\nstream\n(.*)\nendstream", objects_of(data)[4], re.DOTALL
    )
    assert stream
    assert len(stream[2]) == int(stream[1])
    return zlib.decompress(stream[2]).decode("cp1252")


def shown_in(data: bytes) -> list[str]:
    literals = re.findall(r"\(((?:[^\\()]|\\.)*)\) Tj", content_of(data))
    return [re.sub(r"\\(.)", r"\1", literal) for literal in literals]


def page_of(data: bytes) -> tuple[float, float]:
    box = re.search(rb"/MediaBox\[0 0 ([\d.]+) ([\d.]+)\]", objects_of(data)[3])
    assert box
    return float(box[1]), float(box[2])


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name[:12])
def test_every_object_is_where_the_table_says(graph):
    objects = objects_of(as_pdf(graph))
    assert b"/Type/Catalog/Pages 2 0 R" in objects[1]
    assert objects[2] == b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    assert b"/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>" in objects[3]
    assert b"/BaseFont/Helvetica/Encoding/WinAnsiEncoding" in objects[5]


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name[:12])
def test_operators_are_balanced_and_known(graph):
    content = re.sub(r"\((?:[^\\()]|\\.)*\)", "()", content_of(as_pdf(graph)))
    words = re.findall(r"[A-Za-z/][A-Za-z0-9]*", content)
    assert words.count("q") == words.count("Q")
    assert words.count("BT") == words.count("ET") == words.count("Tj")
    assert set(words) <= OPERATORS | {"/F1"}


def test_names_states_and_labels_are_written():
    labels, names = ["raw", "parsed"], [node.label for node in COMPLAINTS.nodes]
    states = ["Success", "Success", "Failed", "Trigger failed"]
    assert sorted(shown_in(as_pdf(COMPLAINTS_RUN))) == sorted([*labels, *names, *states])


@pytest.mark.parametrize("name", [name for name in HARD_NAMES if len(in_cp1252(name)) < 60])
def test_a_name_is_written_in_the_letters_that_helvetica_has(name):
    assert shown_in(as_pdf(Graph("f", (Node("1", name),), ()))) == [in_cp1252(name)]


@settings(max_examples=50)
@given(st.text(st.characters(), max_size=4))
def test_no_name_breaks_the_page(name):
    assert shown_in(as_pdf(Graph(name, (Node("1", name),), ()))) == [in_cp1252(name)]


def test_the_title_keeps_all_letters():
    info = objects_of(as_pdf(Graph("año 数据 \U0001f680", (), ())))[6]
    title = re.search(rb"/Title<([0-9A-F]+)>", info)
    assert title
    assert bytes.fromhex(title[1].decode()).decode("utf-16") == "año 数据 \U0001f680"


def test_an_edge_without_data_is_dashed():
    content = content_of(as_pdf(graph_of("a b c", "a~b", "b>c")))
    assert content.count("[4.5 3] 0 d") == 1


def test_a_child_flow_has_two_borders():
    one = content_of(as_pdf(Graph("f", (Node("1", "a"),), ())))
    two = content_of(as_pdf(Graph("f", (Node("1", "a", is_flow=True),), ())))
    assert (one.count(" c "), two.count(" c ")) == (4, 8)


def test_a_drawing_too_large_for_a_page_is_scaled_down():
    chain = graph_of(" ".join(f"t{at}" for at in range(200)), *(f"t{at}>t{at + 1}" for at in range(199)))
    data = as_pdf(chain)
    assert page_of(data)[0] == 14400
    assert not content_of(data).startswith("1.00000 0 0 -1.00000")


def test_the_same_graph_gives_the_same_bytes():
    assert as_pdf(COMPLAINTS_RUN) == as_pdf(COMPLAINTS_RUN)


@pytest.mark.process
@pytest.mark.parametrize("graph", [COMPLAINTS_RUN, EMPTY, hard_graph()], ids=lambda graph: graph.name[:12])
def test_a_pdf_reader_finds_nothing_wrong(graph, tmp_path):
    reader = shutil.which("pdftotext")
    if reader is None:
        return
    file = tmp_path / "drawing.pdf"
    file.write_bytes(as_pdf(graph))
    answer = subprocess.run(
        [reader, "-enc", "UTF-8", str(file), "-"], capture_output=True, check=True, timeout=60
    )
    assert answer.stderr == b""
    if graph is COMPLAINTS_RUN:
        assert "store_complaints" in answer.stdout.decode("utf-8")
