import dataclasses

import numpy as np

from retarget.pipeline.review.series import FaceSeries


def test_residual_and_edit_by_hand(face: FaceSeries) -> None:
    two = dataclasses.replace(
        face,
        units=("AU12L", "AU12R"),
        requested=np.tile([0.3, 0.4], (len(face.frames), 1)),
        own=np.tile([0.1, 0.9], (len(face.frames), 1)),
        measured=np.tile([0.1, 0.6], (len(face.frames), 1)),
    )
    np.testing.assert_allclose(two.edit, 0.5)
    # wanted 0.4 and 1.3, of which no more than 1 can be measured: off by 0.3 and 0.4
    np.testing.assert_allclose(two.residual, 0.5)
