import math

import numpy as np

from retarget.pipeline.review.report_plot import MOST_POINTS, thinned


def test_a_long_curve_keeps_its_peaks() -> None:
    values = np.zeros(10_000)
    values[7_321] = 3.0
    points = thinned(values.tolist())
    assert len(points) == MOST_POINTS
    assert (7_321.0, 3.0) in points
    assert thinned([1.0, 2.0]) == [(0, 1.0), (1, 2.0)]
    assert all(math.isnan(value) for _, value in thinned([math.nan] * 1000))
