from core.seeds import seed_for


def test_seeds_repeat_and_differ_in_every_argument() -> None:
    base = seed_for(1, 2, "learn", 3)
    assert base == seed_for(1, 2, "learn", 3)
    others = {
        seed_for(2, 2, "learn", 3),
        seed_for(1, 3, "learn", 3),
        seed_for(1, 2, "panel", 3),
        seed_for(1, 2, "learn", 4),
    }
    assert len(others | {base}) == 5
    assert 0 <= base < 2**63
