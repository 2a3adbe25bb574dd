"""Secrets are taken out of texts, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.redaction import HIDDEN, redacted, redacted_values

SECRET = "S3cr3t-0f-many_letters99"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach postgresql://me:{SECRET}@db:5432/loops",
        f"redis://:{SECRET}@broker:6379/0",
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}==",
        f"token ls_{SECRET} was refused",
        f"Cookie: loopscope_session={SECRET}; theme=dark",
        f"set-cookie: __Host-loopscope={SECRET}; Secure",
        f"[(b'host', b'x'), (b'cookie', b'a={SECRET}')]",
        f"{{'Cookie': 'a={SECRET}', 'host': 'x'}}",
        f"loopscope_session={SECRET}",
        f"password={SECRET}",
        f'{{"password": "{SECRET}"}}',
        f"AWS_SECRET_ACCESS_KEY='{SECRET}'",
        f"aws_access_key_id={SECRET}",
        f"$argon2id$v=19$m=65536,t=3,p=4${SECRET}",
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    assert SECRET not in redacted(text)
    assert HIDDEN in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "Loop 'motion 3': learn of generation 2 failed: the loss was nan at step 31.",
        "http://127.0.0.1:7860/?tab=loops&loop=abc",
        "postgresql://db:5432/loops does not answer",
        "redis+socket:///home/me/.loopscope/broker/valkey.sock",
        "12:30:05 vm:4711 takes gpu, cpu",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert redacted(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert redacted(f"postgresql://me:{SECRET}@db/loops?x=1") == f"postgresql://me:{HIDDEN}@db/loops?x=1"


def test_values_inside_others_are_reached() -> None:
    found = redacted_values({"a": [f"Bearer {SECRET}", 3], "b": ({"c": f"x://u:{SECRET}@h"},), "n": None, "f": 0.5})
    assert found == {"a": [f"Bearer {HIDDEN}", 3], "b": [{"c": f"x://u:{HIDDEN}@h"}], "n": None, "f": 0.5}


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N")), min_size=8), st.text())
def test_no_password_of_an_address_is_ever_left(password: str, around: str) -> None:
    marked = f"Zq{password}qZ"
    assert marked not in redacted(f"{around} redis://user:{marked}@host/0 {around}")
