"""Documents, pieces and blocks of text, and what is counted of them."""

import re
from pathlib import Path

import numpy as np
import pytest

from core.errors import DataMissing, InvalidConfig, LoopscopeError
from model.text import documents as documents_module
from model.text.corpus import HELD_OUT, Corpus, corpus_of
from model.text.documents import SECTIONS, documents_of, held_out, sections, topics
from model.text.metrics import distinct, ngrams, overlap_distance, repetition
from model.text.ngrams import NgramModel, learn_ngrams
from model.text.tokens import UNKNOWN, learn

PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\n\n"


def written(folder: Path, content: bytes) -> str:
    file = folder / "mine.txt"
    file.write_bytes(content)
    return str(file)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return corpus_of(topics(), 64, 1024)  # as the form has it


def test_no_long_paragraph_is_in_two_topics() -> None:
    seen: dict[str, str] = {}
    for document in topics():
        for paragraph in {" ".join(p.split()) for p in re.split(r"\n\s*\n", document.text)}:
            if len(paragraph) >= documents_module.REPEATED_CHARACTERS:
                assert seen.setdefault(paragraph, document.title) == document.title
    assert len(seen) > 1000


def test_a_share_of_the_text_is_held_out_as_whole_documents() -> None:
    found = topics()
    outside = held_out(found, HELD_OUT)
    share = sum(len(found[i].text) for i in outside) / sum(len(document.text) for document in found)
    assert 0.8 * HELD_OUT < share <= HELD_OUT
    again = held_out(tuple(reversed(found)), HELD_OUT)  # the order in which documents come does not matter
    assert {found[::-1][i].title for i in again} == {found[i].title for i in outside}


def test_pieces_put_together_are_the_text() -> None:
    texts = [document.text for document in topics()]
    tokens = learn(texts, 600)
    assert len(tokens) == 600 and len(set(tokens.pieces)) == 600
    for text in texts:
        assert tokens.text(tokens.encode(text)) == text


def test_the_same_text_gives_the_same_pieces() -> None:
    assert learn([PROSE], 100).digest == learn([PROSE], 100).digest != learn([PROSE], 40).digest


def test_characters_that_were_not_learned_are_unknown_and_nothing_else_is() -> None:
    tokens = learn([PROSE], 100)
    assert tokens.text(tokens.encode("the \u03a9 dog")) == f"the {UNKNOWN} dog"


def test_a_vocabulary_smaller_than_the_alphabet_keeps_its_frequent_characters() -> None:
    rare = "".join(chr(0x4E00 + i) for i in range(500))
    tokens = learn([PROSE * 20 + rare], 100)
    assert len(tokens) <= 100
    assert tokens.text(tokens.encode("the dog")) == "the dog"


def test_a_prompt_is_the_text_before_its_block(corpus: Corpus) -> None:
    index = np.arange(len(corpus.train))
    joined = np.concatenate([corpus.train.before(index, 64), corpus.train.values(index)], axis=1)
    whole = corpus.tokens.text(corpus.train.stream)
    assert all(corpus.tokens.text(row) in whole for row in joined[::50])
    assert np.array_equal(corpus.train.before(index, 5), corpus.train.before(index, 64)[:, -5:])


def test_blocks_cover_the_text_once_and_mix_documents(corpus: Corpus) -> None:
    blocks = corpus.train
    assert sorted(blocks.starts) == list(range(64, 64 * (len(blocks) + 1), 64))
    assert len(blocks.stream) - 64 * (len(blocks) + 1) < 64
    assert len({name.split(" ")[0] for name in blocks.names[:40]}) > 10
    assert len(set(blocks.names)) == len(blocks)


def test_no_held_out_text_is_trained_on(corpus: Corpus) -> None:
    train = corpus.tokens.text(corpus.train.stream)
    every = np.arange(len(corpus.held_out))
    assert not any(corpus.tokens.text(block) in train for block in corpus.held_out.values(every))


def test_a_long_text_is_cut_between_paragraphs_without_loss() -> None:
    text = PROSE * 400
    found = sections(text)
    assert "".join(document.text for document in found) == text
    assert SECTIONS / 2 < len(found) <= SECTIONS
    assert all(document.text.startswith("The quick") for document in found)
    assert found[0].title == "The quick brown fox jumps over ..."


def test_text_without_any_gap_is_cut_all_the_same() -> None:
    found = sections("x" * 10_000)
    assert "".join(document.text for document in found) == "x" * 10_000 and len(found) > 10


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", InvalidConfig, "mine.txt is empty"),
        (b" \n\n ", InvalidConfig, "mine.txt is empty"),
        (b"short", InvalidConfig, "has 5 characters"),
        (b"\xff\xfe" + b"a\x00" * 5000, DataMissing, "not UTF-8"),
        (b"x " * 2_500, InvalidConfig, "training blocks and"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_in_words(
    tmp_path: Path, content: bytes, error: type[LoopscopeError], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        corpus_of(documents_of(written(tmp_path, content)), 512, 256)
    assert raised.value.hint


def test_files_that_are_not_there_or_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataMissing, match="There is no file"):
        documents_of(str(tmp_path / "none.txt"))
    with pytest.raises(DataMissing, match="is a folder"):
        documents_of(str(tmp_path))
    monkeypatch.setattr(documents_module, "MOST_BYTES", 2**20)
    with pytest.raises(InvalidConfig, match="has 2 MB; a corpus may have 1"):
        documents_of(written(tmp_path, b"x" * 2**21))


def test_a_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    path = written(tmp_path, PROSE.encode() * 80)
    first = documents_of(path)
    assert documents_of(path) is first
    assert documents_of(written(tmp_path, b"\xef\xbb\xbf" + PROSE.encode().replace(b"\n", b"\r\n") * 90)) != first
    assert "\r" not in documents_of(path)[0].text and not documents_of(path)[0].text.startswith("\ufeff")


def test_runs_are_equal_where_their_ids_are() -> None:
    blocks = np.array([[1, 2, 3, 1, 2, 3], [2, 1, 3, 50_000, 60_000, 3]], np.int32)
    runs = ngrams(blocks, 3)
    assert runs.shape == (2, 4) and runs[0, 0] == runs[0, 3]
    assert len(np.unique(runs)) == 7
    assert ngrams(blocks, 7).shape == (2, 0)


def test_distinct_is_one_for_all_different_and_least_for_all_equal() -> None:
    assert distinct(np.arange(32 * 10, dtype=np.int32).reshape(32, 10), 2) == 1.0
    assert distinct(np.zeros((32, 10), np.int32), 2) == pytest.approx(1 / (16 * 9))
    assert distinct(np.zeros((320, 10), np.int32), 2) == pytest.approx(1 / (16 * 9))  # however many there are
    assert distinct(np.zeros((3, 10), np.int32), 2) == pytest.approx(1 / 27)


def test_repetition_counts_runs_that_came_before_in_the_same_text() -> None:
    assert repetition(np.tile(np.arange(12, dtype=np.int32), (3, 1))) == 0.0
    assert repetition(np.zeros((3, 12), np.int32)) == pytest.approx(8 / 9)
    assert repetition(np.tile(np.arange(4, dtype=np.int32), 3)[None]) == pytest.approx(5 / 9)


def test_texts_are_near_that_share_pieces() -> None:
    a = np.array([[1, 2, 3], [900, 901, 902]], np.int32)
    b = np.array([[3, 2, 1], [1, 2, 900], [7, 8, 9]], np.int32)
    assert overlap_distance(a, b) == pytest.approx(np.array([[0, 1 / 3, 1], [1, 2 / 3, 1]]), abs=1e-6)


def chances(model: NgramModel, before: list[int], vocabulary: int) -> np.ndarray:
    every = np.arange(vocabulary, dtype=np.int32)[:, None]
    return np.exp(-model.losses(np.tile(np.array([before], np.int32), (vocabulary, 1)), every))[:, 0]


@pytest.mark.parametrize("order", [2, 3, 4])
def test_chances_of_what_may_come_next_add_up_to_one(order: int) -> None:
    stream = np.random.default_rng(0).zipf(1.5, 400).clip(max=20).astype(np.int32) - 1
    model = learn_ngrams(stream, 25, order)  # five ids were never seen
    for before in ([0, 0, 0], [1, 2, 3], [19, 24, 24]):
        found = chances(model, before, 25)
        assert found.sum() == pytest.approx(1.0) and found.min() > 0


def test_counted_chances_are_those_of_kneser_and_ney() -> None:
    """By hand, order 2: (max(c(vw) - d, 0) + d kinds(v) p(w)) / c(v), p(w) from how many ids w was seen after."""
    stream = np.array([0, 1, 0, 1, 0, 2, 0, 1, 2, 0], np.int32)
    model = learn_ngrams(stream, 4, 2)  # pairs: 01 x3, 10 x2, 02, 20 x2, 12
    d2, d1 = 2 / (2 + 2 * 2), 1 / (1 + 2 * 2)  # once 02, 12, twice 10, 20; after one id 1, after two 0 and 2
    single = [max(after - d1, 0) / 5 + d1 * 3 / 5 / 4 for after in (2, 1, 2, 0)]
    expected = [(max(count - d2, 0) + d2 * 2 * single[w]) / 4 for w, count in enumerate((0, 3, 1, 0))]
    assert chances(model, [0], 4) == pytest.approx(np.array(expected))


def test_counts_predict_held_out_text_better_than_chance_and_than_shorter_counts(corpus: Corpus) -> None:
    index = np.arange(len(corpus.held_out))
    before, real = corpus.held_out.before(index, 8), corpus.held_out.values(index)
    found = [
        np.exp(learn_ngrams(corpus.train.stream, len(corpus.tokens), order).losses(before, real).mean())
        for order in (1, 2, 3)
    ]
    assert 1024 > found[0] > 2 * found[1] > 2 * found[2]
