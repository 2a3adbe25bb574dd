import numpy as np

from corrector.fitting import Wish, fit


def test_a_curve_that_is_wished_for_is_found() -> None:
    goal = np.random.default_rng(0).normal(size=(3, 20, 2))
    np.testing.assert_allclose(fit(3, 20, 2, 30.0, [Wish(0, np.array(4.0), goal)]), goal, atol=1e-12)


def test_the_solution_is_that_of_dense_least_squares() -> None:
    rng = np.random.default_rng(1)
    frames, fps = 9, 20.0
    weight, slope, value = rng.random(frames - 1), rng.normal(size=frames - 1), rng.normal(size=frames)
    found = fit(1, frames, 1, fps, [Wish(1, weight, slope[:, None]), Wish(0, np.array(0.3), value[:, None])])
    difference = np.diff(np.eye(frames), axis=0) * fps
    rows = np.concatenate([np.sqrt(weight)[:, None] * difference, np.sqrt(0.3) * np.eye(frames)])
    expected = np.linalg.lstsq(rows, np.concatenate([np.sqrt(weight) * slope, np.sqrt(0.3) * value]), rcond=None)[0]
    np.testing.assert_allclose(found[0, :, 0], expected, atol=1e-10)


def test_rows_do_not_know_of_each_other() -> None:
    rng = np.random.default_rng(2)
    goal = rng.normal(size=(4, 15, 1))
    wishes = [Wish(0, rng.random((4, 15)) + 0.1, goal), Wish(3, np.array(1e-4))]
    together = fit(4, 15, 1, 20.0, wishes)
    for i in range(4):
        alone = fit(1, 15, 1, 20.0, [Wish(0, wishes[0].weight[i : i + 1], goal[i : i + 1]), wishes[1]])
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-10)


def test_parabolas_are_free_of_jerk() -> None:
    seconds = np.arange(30) / 20.0
    goal = (1.0 + 2.0 * seconds - 4.9 * seconds**2)[None, :, None]
    found = fit(1, 30, 1, 20.0, [Wish(0, np.array(1.0), goal), Wish(3, np.array(10.0))])
    np.testing.assert_allclose(found, goal, atol=1e-5)  # a hundredth of a millimetre: the system is stiff


def test_short_motions_drop_wishes_of_high_order() -> None:
    goal = np.ones((2, 2, 1))
    wishes = [Wish(0, np.array(1.0), goal), Wish(3, np.array(1.0))]
    np.testing.assert_allclose(fit(2, 2, 1, 20.0, wishes), goal)
    assert fit(0, 5, 1, 20.0, wishes[:1]).shape == (0, 5, 1)
