import pytest
import torch
from torch import Tensor

from retarget.model.mesh import LANDMARKS
from retarget.model.response import LARGEST_SHAPE, FaceResponse, ResponseConfig

C = 3


@pytest.fixture
def response() -> FaceResponse:
    """Wild weights; faces differ and move along random directions."""
    torch.manual_seed(0)
    out = FaceResponse(ResponseConfig(au_count=C, shape_count=2, motion_count=4, width=16))
    with torch.no_grad():
        for parameter in out.parameters():
            parameter.normal_()
        for name in ("shape", "motion"):
            basis = getattr(out, f"{name}_basis")
            rows = torch.linalg.qr(torch.randn(3 * LANDMARKS, len(basis)))[0].T
            basis.copy_(rows.reshape(basis.shape))
            getattr(out, f"{name}_spread").uniform_(0.5, 2)
    return out


@pytest.fixture
def face() -> Tensor:
    return 0.1 * torch.randn(5, LANDMARKS, 3)


def test_an_untrained_response_answers_nothing(face: Tensor) -> None:
    fresh = FaceResponse(ResponseConfig(au_count=C))
    assert not fresh(torch.randn(5, C), face).any()


def test_no_request_is_exactly_no_motion(response: FaceResponse, face: Tensor) -> None:
    assert not response(torch.zeros(5, C), face).any()
    assert not response(torch.zeros(5, C), face, dropout=0.5).any()
    assert response(torch.ones(5, C), face).abs().max() > 0.01


def test_it_depends_on_the_face_and_is_not_linear(response: FaceResponse, face: Tensor) -> None:
    delta = torch.full((5, C), 0.5)
    moved = response(delta, face)
    assert (moved[0] - moved[1]).abs().max() > 1e-3
    assert (response(2 * delta, face) - 2 * moved).abs().max() > 1e-3


def test_a_face_far_out_is_taken_for_one_at_the_limit(response: FaceResponse) -> None:
    delta = torch.ones(1, C)
    outwards = response.shape_basis[0] * response.shape_spread[0]
    at_limit, beyond = (response(delta, (k * outwards)[None]) for k in (LARGEST_SHAPE, 50))
    torch.testing.assert_close(at_limit, beyond)
    assert (at_limit - response(delta, outwards[None])).abs().max() > 1e-3


def test_it_computes_in_the_type_of_its_input_and_by_row(response: FaceResponse, face: Tensor) -> None:
    delta = torch.randn(5, C, dtype=torch.float64)
    together = response(delta, face.double())
    assert together.dtype == torch.float64
    alone = torch.cat([response(delta[i : i + 1], face[i : i + 1].double()) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    torch.testing.assert_close(response(delta.float(), face), together.float(), rtol=1e-3, atol=1e-4)


def test_what_it_says_lies_along_the_directions_of_motion(response: FaceResponse, face: Tensor) -> None:
    delta = torch.randn(5, C)
    torch.testing.assert_close(
        response.along(response(delta, face)), response.coefficients(delta, face), rtol=1e-4, atol=1e-4
    )


def test_dropout_changes_the_answer_in_training_only_when_asked(response: FaceResponse, face: Tensor) -> None:
    delta = torch.ones(5, C)
    assert torch.equal(response(delta, face), response(delta, face))
    assert not torch.equal(response(delta, face, dropout=0.5), response(delta, face, dropout=0.5))
